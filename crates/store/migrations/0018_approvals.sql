-- Calls of tools that somebody has to agree to, and the turns that wait for them. A turn that waits has ended: what is needed to go on
-- with it is here and nowhere in memory, so that neither a restart nor another portal loses it.

-- `approver` is JSON, who may agree; `arguments` what the tool would be called with. `position` is the call's place in its round.
CREATE TABLE approvals (
  id TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  turn TEXT NOT NULL,
  conversation TEXT NOT NULL,
  position BIGINT NOT NULL,
  plugin TEXT NOT NULL,
  title TEXT NOT NULL,
  tool TEXT NOT NULL,
  arguments TEXT NOT NULL,
  approver TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  decided_by TEXT,
  decided_at BIGINT,
  reason TEXT
);
CREATE INDEX approvals_of_turn ON approvals (turn, position);
CREATE INDEX approvals_by_state ON approvals (tenant, state, created_at);

-- `rest` is JSON: what the model had said and called, and what its calls were answered.
CREATE TABLE waiting_turns (
  turn TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  person TEXT NOT NULL,
  conversation TEXT NOT NULL,
  question TEXT NOT NULL,
  answer TEXT NOT NULL,
  model TEXT NOT NULL,
  utc_offset BIGINT NOT NULL,
  rest TEXT NOT NULL,
  at BIGINT NOT NULL
);
