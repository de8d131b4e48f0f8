-- The machine's state as of the last checkpoint. Ids of customers and marks of
-- messages are unsigned 64-bit numbers, stored with the top bit flipped so that
-- SQLite's signed order is theirs.

CREATE TABLE head (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    epoch       INTEGER NOT NULL, -- of the last program that recovered
    position    INTEGER NOT NULL, -- of the last checkpoint, 0 for none
    time        INTEGER NOT NULL, -- log time there, microseconds since 1970
    shared      BLOB,             -- state shared between customers
    spill_floor INTEGER NOT NULL  -- marks received before this second do not count
) STRICT;

INSERT INTO head VALUES (1, 0, 0, 0, NULL, 0);

-- The blob stands last: a scan for due times does not read it.
CREATE TABLE customers (
    id        INTEGER PRIMARY KEY,
    due       INTEGER NOT NULL, -- earliest due time of its timers, 0 for none
    workspace TEXT    NOT NULL,
    blob      BLOB    NOT NULL
) STRICT;

CREATE TABLE identities (
    workspace TEXT    NOT NULL,
    namespace INTEGER NOT NULL,
    value     TEXT    NOT NULL,
    customer  INTEGER NOT NULL,
    since     INTEGER NOT NULL,
    PRIMARY KEY (workspace, namespace, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE merged (
    loser  INTEGER PRIMARY KEY,
    winner INTEGER NOT NULL
) STRICT;

-- Marks of received messages that no longer fit in memory.
CREATE TABLE spilled (
    customer INTEGER NOT NULL,
    message  INTEGER NOT NULL,
    at       INTEGER NOT NULL, -- seconds since 1970
    PRIMARY KEY (customer, message)
) STRICT, WITHOUT ROWID;

CREATE INDEX spilled_at ON spilled (at);

-- Sends that were decided and not yet settled. Rows come with a checkpoint.
CREATE TABLE outbox (
    key       TEXT    PRIMARY KEY, -- the same for every attempt
    workspace TEXT    NOT NULL,
    customer  INTEGER NOT NULL,
    channel   TEXT    NOT NULL,
    decision  INTEGER NOT NULL,
    payload   BLOB    NOT NULL,
    state     INTEGER NOT NULL,
    attempts  INTEGER NOT NULL,
    next_at   INTEGER NOT NULL -- microseconds since 1970
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_next ON outbox (state, next_at);
