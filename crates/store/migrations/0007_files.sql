-- Files that programs upload. What is in them lies here too, in pieces: a backup has it, and every portal on this database.
-- `complete` is 0 until the last piece is there.

CREATE TABLE files (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  name TEXT NOT NULL,
  purpose TEXT NOT NULL,
  bytes BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  complete SMALLINT NOT NULL
);
CREATE INDEX files_of_person ON files (tenant, person, id);

-- `data` is base64: BLOB and BYTEA are not one word for both databases.
CREATE TABLE file_pieces (
  file TEXT NOT NULL,
  seq BIGINT NOT NULL,
  data TEXT NOT NULL,
  PRIMARY KEY (file, seq)
);
