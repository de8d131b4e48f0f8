-- A merge may be undone: a row of its own says which one, by the position where
-- it was made, and the events since stand with whom they are of.

ALTER TABLE store.merges ADD COLUMN undoes UBIGINT;

CREATE OR REPLACE VIEW merges AS
SELECT time, workspace, if(undoes IS NULL, 'merge', 'unmerge') AS kind, winner, loser, reason, undoes, position
FROM store.merges
WHERE getvariable('workspace') = '*' OR workspace = getvariable('workspace');
