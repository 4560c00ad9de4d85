-- Evaluations: the held-out questions of a frozen version asked of several models, side by side. The questions are copied, so that
-- one that was interrupted goes on with the same; they go with their data set, and with the job whose teaching was measured.

-- `variants` is JSON: whom each question is asked of. `updated_at` moves with every answer.
CREATE TABLE evaluations (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  node TEXT NOT NULL,
  job TEXT,
  dataset TEXT NOT NULL,
  version BIGINT NOT NULL,
  variants TEXT NOT NULL,
  max_tokens BIGINT NOT NULL,
  state TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  finished_at BIGINT
);
CREATE INDEX evaluations_of_dataset ON evaluations (tenant, dataset, id);

-- `messages` is JSON: everything before the answer that was held out, which is `expected`.
CREATE TABLE evaluation_questions (
  evaluation TEXT NOT NULL,
  seq BIGINT NOT NULL,
  tenant TEXT NOT NULL,
  messages TEXT NOT NULL,
  expected TEXT NOT NULL,
  PRIMARY KEY (evaluation, seq)
)/* clustered */;

-- `variant` is a place in `variants`, from 0; `similarity` is per mille, absent like `exact` where nothing was answered.
CREATE TABLE evaluation_answers (
  evaluation TEXT NOT NULL,
  seq BIGINT NOT NULL,
  variant BIGINT NOT NULL,
  tenant TEXT NOT NULL,
  text TEXT NOT NULL,
  finish TEXT NOT NULL,
  failure_code TEXT,
  failure_message TEXT,
  prompt BIGINT NOT NULL,
  completion BIGINT NOT NULL,
  ttft_ms BIGINT,
  ms BIGINT NOT NULL,
  exact SMALLINT,
  similarity BIGINT,
  PRIMARY KEY (evaluation, seq, variant)
)/* clustered */;
