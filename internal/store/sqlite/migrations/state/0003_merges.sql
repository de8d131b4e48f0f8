-- Merges as they were made, with both customers just before, so that they can be
-- undone. They are kept for a while.

CREATE TABLE merges (
    position  INTEGER NOT NULL,
    loser     INTEGER NOT NULL,
    winner    INTEGER NOT NULL,
    ordinal   INTEGER NOT NULL, -- among the merges at the position
    at        INTEGER NOT NULL, -- log time, microseconds since 1970
    workspace TEXT    NOT NULL,
    undone    INTEGER NOT NULL, -- position of the un-merge, 0 for none
    link      BLOB    NOT NULL, -- what led to it
    states    BLOB    NOT NULL, -- the winner and the loser
    PRIMARY KEY (position, loser, winner)
) STRICT, WITHOUT ROWID;

CREATE INDEX merges_winner ON merges (winner);
CREATE INDEX merges_loser ON merges (loser);
CREATE INDEX merges_at ON merges (at);

CREATE INDEX merged_winner ON merged (winner);
