-- How the files of the log become clean of erased persons.

ALTER TABLE erasures ADD COLUMN archive_at INTEGER NOT NULL DEFAULT 0; -- when no file of the archive held the person, 0 until then
ALTER TABLE erasures ADD COLUMN journal_at INTEGER NOT NULL DEFAULT 0; -- the same of the journal
ALTER TABLE erasures ADD COLUMN kept       INTEGER NOT NULL DEFAULT 0; -- entries that had to stay as they are

-- The rewriting that is under way, if one is: up to which position, and the names
-- that it replaces. They go when it is done.
CREATE TABLE blanking (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    upto INTEGER NOT NULL, -- position
    kept INTEGER NOT NULL
) STRICT;

CREATE TABLE blanking_names (
    workspace TEXT NOT NULL,
    value     TEXT NOT NULL,
    token     TEXT NOT NULL,
    PRIMARY KEY (workspace, value)
) STRICT, WITHOUT ROWID;
