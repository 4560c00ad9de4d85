-- Files that people upload in the portal. What is in them lies in the data folder under its digest, once however often it was
-- sent; here is a row for each person who sent it. `digest` is NULL until all of it has arrived.

CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  name TEXT NOT NULL,
  media_type TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  digest TEXT,
  created_at BIGINT NOT NULL,
  deleted_at BIGINT
);
CREATE INDEX uploads_of_person ON uploads (tenant, person, id);
CREATE INDEX uploads_of_digest ON uploads (digest);

-- The files of a question, as JSON: they stay named when one is deleted.
ALTER TABLE messages ADD COLUMN files TEXT;
