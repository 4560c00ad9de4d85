-- Batches: one question asked about every row of a table, or about every file of a pile, with nobody waiting. A row that is done stays
-- done through a restart; what is waiting is gone on with.

-- `columns` and `sampling` are JSON; the figures are kept beside the rows, so that a list of batches counts nothing. `reason_code` and
-- `reason_message` say why it was paused. `updated_at` moves with every row.
CREATE TABLE batches (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  node TEXT NOT NULL,
  name TEXT NOT NULL,
  assistant TEXT,
  assistant_version BIGINT,
  model TEXT NOT NULL,
  instructions TEXT,
  sampling TEXT NOT NULL,
  template TEXT NOT NULL,
  columns TEXT NOT NULL,
  at_once BIGINT NOT NULL,
  state TEXT NOT NULL,
  reason_code TEXT,
  reason_message TEXT,
  total BIGINT NOT NULL,
  done BIGINT NOT NULL,
  failed BIGINT NOT NULL,
  prompt BIGINT NOT NULL,
  completion BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  finished_at BIGINT
);
CREATE INDEX batches_of_person ON batches (tenant, person, id);

-- `cells` is JSON, one text for each column; `upload` the file that a row is about. `left_out` are tokens of it that did not fit.
CREATE TABLE batch_rows (
  batch TEXT NOT NULL,
  seq BIGINT NOT NULL,
  tenant TEXT NOT NULL,
  cells TEXT NOT NULL,
  upload TEXT,
  state TEXT NOT NULL,
  answer TEXT NOT NULL,
  failure_code TEXT,
  failure_message TEXT,
  prompt BIGINT NOT NULL,
  completion BIGINT NOT NULL,
  left_out BIGINT NOT NULL,
  ms BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  PRIMARY KEY (batch, seq)
)/* clustered */;
CREATE INDEX batch_rows_by_state ON batch_rows (batch, state, seq);
