-- Teaching models: what people think of answers, data sets with their versions, training jobs with their losses.

-- JSON; absent where nobody rated the answer.
ALTER TABLE messages ADD COLUMN rating TEXT;
CREATE INDEX messages_rated ON messages (tenant, id) WHERE rating IS NOT NULL;

-- `draft` is the number of the version that is being edited; every lower one is frozen. `revision` counts the changes.
CREATE TABLE datasets (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  name TEXT NOT NULL,
  note TEXT NOT NULL,
  held_out BIGINT NOT NULL,
  seed BIGINT NOT NULL,
  draft BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  person TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (tenant, name)
);

-- A row is in every version from `since` on, up to `until` (without it); one without `until` is in the draft. An edit of what
-- a frozen version holds ends that row and begins another with the same `example`.
CREATE TABLE examples (
  dataset TEXT NOT NULL,
  example TEXT NOT NULL,
  since BIGINT NOT NULL,
  until BIGINT,
  tenant TEXT NOT NULL,
  content TEXT NOT NULL,
  hash TEXT NOT NULL,
  source TEXT NOT NULL,
  origin TEXT NOT NULL,
  included SMALLINT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (dataset, example, since)
);
CREATE INDEX examples_by_hash ON examples (dataset, hash);

CREATE TABLE dataset_versions (
  dataset TEXT NOT NULL,
  version BIGINT NOT NULL,
  tenant TEXT NOT NULL,
  note TEXT NOT NULL,
  trained BIGINT NOT NULL,
  held_out BIGINT NOT NULL,
  share BIGINT NOT NULL,
  seed BIGINT NOT NULL,
  sha256 TEXT NOT NULL,
  person TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (dataset, version)
);

CREATE TABLE training_jobs (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  node TEXT NOT NULL,
  name TEXT NOT NULL,
  model TEXT NOT NULL,
  dataset TEXT NOT NULL,
  version BIGINT NOT NULL,
  recipe TEXT NOT NULL,
  state TEXT NOT NULL,
  progress TEXT NOT NULL,
  failure TEXT,
  result TEXT,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT
);
CREATE INDEX training_jobs_of_tenant ON training_jobs (tenant, id);

-- In millionths of a nat for each token.
CREATE TABLE training_losses (
  job TEXT NOT NULL,
  step BIGINT NOT NULL,
  train BIGINT,
  held_out BIGINT,
  PRIMARY KEY (job, step)
);
