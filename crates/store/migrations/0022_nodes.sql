-- Portals that share this database: who is alive, and which turns somebody wants stopped at a portal that is not theirs.
CREATE TABLE nodes (
  node TEXT PRIMARY KEY,
  address TEXT NOT NULL,
  version TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  -- Who settles what a portal left that is gone, and since when.
  claimed_by TEXT,
  claimed_at BIGINT
);

CREATE TABLE stops (
  turn TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  at BIGINT NOT NULL
);
