-- Persons who were erased. Nothing here tells who they were: ids of customers are
-- made of positions in the log, and names are kept as salted hashes.

CREATE TABLE erasures (
    id        TEXT    PRIMARY KEY,
    workspace TEXT    NOT NULL,
    customers TEXT    NOT NULL, -- ids with commas between, the one it was at last first
    who       TEXT    NOT NULL, -- id of the key
    asked_at  INTEGER NOT NULL,
    position  INTEGER NOT NULL, -- of the command, 0 until it is in the log
    refused   INTEGER NOT NULL, -- samples of refused input that went
    done_at   INTEGER NOT NULL  -- when every store but the log was clean, 0 until then
) STRICT, WITHOUT ROWID;

-- By these the entries of erased persons are known in the log.
CREATE TABLE tombstones (
    hash     BLOB    NOT NULL, -- SHA-256 of salt, workspace, namespace and value
    erasure  TEXT    NOT NULL,
    PRIMARY KEY (hash, erasure)
) STRICT, WITHOUT ROWID;

CREATE TABLE salt (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    salt BLOB    NOT NULL
) STRICT;

INSERT INTO salt VALUES (1, randomblob(32));
