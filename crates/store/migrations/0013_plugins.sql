-- Plugins: what each says of itself, what it was granted, its secrets (sealed by whoever stored them), and a line for each call.

-- `manifest` as it was written, `settings` as the gateway keeps them, `grants` a list of permissions: JSON.
CREATE TABLE plugins (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  manifest TEXT NOT NULL,
  settings TEXT NOT NULL,
  grants TEXT NOT NULL,
  sealed TEXT,
  enabled SMALLINT NOT NULL,
  person TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (tenant, name)
);

-- `sent` and `received` are masked and cut by whoever stored them. `outcome` is `done` or why it failed.
CREATE TABLE plugin_calls (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  plugin TEXT NOT NULL,
  tool TEXT NOT NULL,
  turn TEXT,
  at BIGINT NOT NULL,
  ms BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  sent TEXT NOT NULL,
  received TEXT NOT NULL
);
CREATE INDEX plugin_calls_of_plugin ON plugin_calls (tenant, plugin, id);
