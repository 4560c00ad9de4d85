-- The first house. One text for SQLite and PostgreSQL: ids and JSON are TEXT, times BIGINT milliseconds, flags SMALLINT.
-- Every table that holds somebody's data names the tenant.

CREATE TABLE tenants (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE persons (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL REFERENCES tenants (id),
  name TEXT NOT NULL,
  display_name TEXT NOT NULL,
  role TEXT NOT NULL,
  disabled SMALLINT NOT NULL,
  password_hash TEXT,
  language TEXT,
  settings TEXT NOT NULL,
  daily_token_limit BIGINT,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT,
  UNIQUE (tenant, name)
);

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL REFERENCES persons (id),
  token_hash TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  user_agent TEXT NOT NULL,
  address TEXT NOT NULL
);
CREATE INDEX sessions_of_person ON sessions (person);

CREATE TABLE links (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  kind TEXT NOT NULL,
  token_hash TEXT NOT NULL UNIQUE,
  role TEXT,
  note TEXT NOT NULL,
  person TEXT,
  created_by TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  used_by TEXT
);

CREATE TABLE keys (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL REFERENCES persons (id),
  name TEXT NOT NULL,
  prefix TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  last_used_at BIGINT,
  revoked_at BIGINT
);
CREATE INDEX keys_of_person ON keys (person);

CREATE TABLE conversations (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  title TEXT NOT NULL,
  titled_by TEXT NOT NULL,
  model TEXT,
  system_prompt TEXT,
  sampling TEXT NOT NULL,
  pinned SMALLINT NOT NULL,
  archived SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  head TEXT,
  deleted_at BIGINT
);
CREATE INDEX conversations_of_person ON conversations (tenant, person, updated_at);
CREATE INDEX conversations_by_time ON conversations (updated_at);

CREATE TABLE messages (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  conversation TEXT NOT NULL REFERENCES conversations (id),
  parent TEXT,
  author TEXT NOT NULL,
  text TEXT NOT NULL,
  thought TEXT NOT NULL,
  at BIGINT NOT NULL,
  model TEXT,
  turn TEXT,
  finish TEXT,
  failure_code TEXT,
  failure_message TEXT,
  usage TEXT,
  ttft_ms BIGINT,
  tpot_us BIGINT,
  trimmed_messages BIGINT,
  trimmed_tokens BIGINT,
  deleted_with TEXT,
  UNIQUE (conversation, id),
  FOREIGN KEY (conversation, parent) REFERENCES messages (conversation, id) DEFERRABLE INITIALLY IMMEDIATE
);

-- A kept turn, for as long as its conversation is.
CREATE TABLE turns (
  turn TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  conversation TEXT NOT NULL REFERENCES conversations (id),
  question TEXT NOT NULL,
  answer TEXT NOT NULL,
  ask_id TEXT NOT NULL,
  model TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  UNIQUE (tenant, person, ask_id)
);
CREATE INDEX turns_of_conversation ON turns (conversation);

-- Turns that are open: written at admit, deleted by the commit that writes the usage row. What is left after a crash is what
-- recovery has to settle.
CREATE TABLE started (
  turn TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  via TEXT NOT NULL,
  node TEXT NOT NULL,
  conversation TEXT,
  answer TEXT,
  model TEXT NOT NULL,
  door TEXT NOT NULL,
  at BIGINT NOT NULL
)/* clustered */;

-- What a running answer has said so far; folded into its message and deleted when the turn ends.
CREATE TABLE deltas (
  turn TEXT NOT NULL,
  seq BIGINT NOT NULL,
  text TEXT NOT NULL,
  thought TEXT NOT NULL,
  PRIMARY KEY (turn, seq)
)/* clustered */;

CREATE TABLE usage (
  turn TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  via TEXT NOT NULL,
  conversation TEXT,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  door TEXT NOT NULL,
  finish TEXT NOT NULL,
  failure TEXT,
  prompt BIGINT NOT NULL,
  completion BIGINT NOT NULL,
  cached BIGINT NOT NULL,
  reasoning BIGINT NOT NULL,
  reported SMALLINT NOT NULL,
  started_at BIGINT NOT NULL,
  finished_at BIGINT NOT NULL,
  ttft_ms BIGINT,
  tpot_us BIGINT
)/* clustered */;

CREATE TABLE usage_day (
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  day BIGINT NOT NULL,
  tokens BIGINT NOT NULL,
  turns BIGINT NOT NULL,
  PRIMARY KEY (tenant, person, day)
)/* clustered */;

CREATE TABLE audit (
  node TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  tenant TEXT,
  person TEXT,
  via TEXT,
  verb TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (node, seq)
)/* clustered */;

CREATE TABLE providers (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  title TEXT NOT NULL,
  base_url TEXT NOT NULL,
  sealed_key TEXT,
  models TEXT NOT NULL,
  enabled SMALLINT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (tenant, name)
);

CREATE TABLE settings (
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (tenant, key)
);
