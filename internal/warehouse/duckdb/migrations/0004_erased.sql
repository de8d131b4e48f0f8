-- Which entries of the log were of persons who have been erased: all that is known
-- of them.

CREATE TABLE store.erased (
    erasure  UBIGINT NOT NULL, -- position of the command
    position UBIGINT NOT NULL  -- of an event
);
