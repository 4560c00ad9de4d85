-- Responses that programs keep by their keys, found again by their ids and gone on with. `items` is what was asked, `body` the
-- response, both JSON as the dialect has them.

CREATE TABLE responses (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  previous TEXT,
  items TEXT NOT NULL,
  body TEXT NOT NULL,
  at BIGINT NOT NULL
);
CREATE INDEX responses_by_age ON responses (at);
