-- What tools did in a turn is read by the person whose turn it was.
CREATE INDEX plugin_calls_of_turn ON plugin_calls (tenant, turn, id);
