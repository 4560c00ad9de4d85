-- Assistants with their versions, which conversation has which, and the texts that people keep to ask with.

-- `draft` and `unit` are JSON, whatever was stored. `published` is the version that answers; absent: none yet. `revision`
-- counts the changes of the draft.
CREATE TABLE assistants (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  shared TEXT NOT NULL,
  draft TEXT NOT NULL,
  revision BIGINT NOT NULL,
  published BIGINT,
  persona TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  deleted_at BIGINT
);
CREATE INDEX assistants_of_tenant ON assistants (tenant, updated_at);

CREATE TABLE assistant_versions (
  assistant TEXT NOT NULL,
  version BIGINT NOT NULL,
  tenant TEXT NOT NULL,
  unit TEXT NOT NULL,
  note TEXT NOT NULL,
  person TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (assistant, version)
);

-- The version that the last question was asked with.
ALTER TABLE conversations ADD COLUMN assistant TEXT;
ALTER TABLE conversations ADD COLUMN assistant_version BIGINT;

CREATE TABLE prompts (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  name TEXT NOT NULL,
  text TEXT NOT NULL,
  shared SMALLINT NOT NULL,
  updated_at BIGINT NOT NULL
);
CREATE INDEX prompts_of_person ON prompts (tenant, person);
