-- Who answered a question, who was asked before, how long it waited, and what of the request did not reach the model: JSON,
-- absent where nobody answered and in answers of before.
ALTER TABLE messages ADD COLUMN provenance TEXT;
