-- The catalogue of models. A provider says which adapter reaches it; what a test of a model's capabilities found is kept.

ALTER TABLE providers ADD COLUMN kind TEXT NOT NULL DEFAULT 'openai';

-- One row per model: the newest test. `matrix` is JSON.
CREATE TABLE capabilities (
  tenant TEXT NOT NULL,
  model TEXT NOT NULL,
  at BIGINT NOT NULL,
  matrix TEXT NOT NULL,
  PRIMARY KEY (tenant, model)
)/* clustered */;
