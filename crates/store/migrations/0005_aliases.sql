-- Aliases that administrators keep: what holds now, and every version there was. `environment` is '' where an alias is meant
-- for all of them; `config` is JSON, absent where the alias was taken away by that version.

CREATE TABLE alias_versions (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  environment TEXT NOT NULL,
  version BIGINT NOT NULL,
  config TEXT,
  restores BIGINT,
  note TEXT NOT NULL,
  person TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (tenant, name, environment, version)
)/* clustered */;

CREATE TABLE aliases (
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  environment TEXT NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (tenant, name, environment)
)/* clustered */;

-- Questions of saved conversations, asked again of another model. The old answers stay where they are; the new ones are here.
CREATE TABLE replays (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  node TEXT NOT NULL,
  alias TEXT NOT NULL,
  target TEXT NOT NULL,
  state TEXT NOT NULL,
  total BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  finished_at BIGINT
);
CREATE INDEX replays_of_person ON replays (tenant, person, id);

CREATE TABLE replay_answers (
  replay TEXT NOT NULL,
  seq BIGINT NOT NULL,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  conversation TEXT NOT NULL,
  question TEXT NOT NULL,
  answer TEXT NOT NULL,
  text TEXT NOT NULL,
  finish TEXT NOT NULL,
  failure_code TEXT,
  failure_message TEXT,
  prompt BIGINT NOT NULL,
  completion BIGINT NOT NULL,
  ttft_ms BIGINT,
  tpot_us BIGINT,
  similarity BIGINT,
  PRIMARY KEY (replay, seq)
)/* clustered */;
CREATE INDEX replay_answers_of_conversation ON replay_answers (conversation);
