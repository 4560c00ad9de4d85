-- What a key may do (JSON of domain's KeyScope), and what was used with it each day. The counter is one row for a key and a
-- day, like usage_day: an index over the usage rows would cost every request more.

ALTER TABLE keys ADD COLUMN scope TEXT NOT NULL DEFAULT '{}';

CREATE TABLE usage_key_day (
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  day BIGINT NOT NULL,
  prompt BIGINT NOT NULL,
  completion BIGINT NOT NULL,
  turns BIGINT NOT NULL,
  PRIMARY KEY (tenant, key, day)
)/* clustered */;

INSERT INTO usage_key_day (tenant, key, day, prompt, completion, turns)
SELECT tenant, SUBSTR(via, 5), finished_at / 86400000, CAST(SUM(prompt) AS BIGINT), CAST(SUM(completion) AS BIGINT),
  CAST(COUNT(*) AS BIGINT)
FROM usage WHERE via LIKE 'key:%' GROUP BY tenant, SUBSTR(via, 5), finished_at / 86400000;
