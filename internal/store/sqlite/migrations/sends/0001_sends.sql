-- How far deliveries have come. Instants are microseconds since 1970.

CREATE TABLE head (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    released INTEGER NOT NULL -- position up to which deliveries were taken, 0 for never
) STRICT;

INSERT INTO head VALUES (1, 0);

CREATE TABLE paused (
    workspace TEXT PRIMARY KEY -- '*' is all of them
) STRICT, WITHOUT ROWID;

CREATE TABLE sends (
    key         BLOB    PRIMARY KEY,
    position    INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    workspace   TEXT    NOT NULL,
    customer    INTEGER NOT NULL,
    decision    INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    purpose     TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    destination TEXT    NOT NULL,
    payload     BLOB    NOT NULL,
    state       INTEGER NOT NULL,
    attempts    INTEGER NOT NULL,
    due         INTEGER NOT NULL,
    doubt       INTEGER NOT NULL, -- 1 when an earlier attempt may have arrived
    reason      TEXT    NOT NULL,
    settled_at  INTEGER NOT NULL, -- 0 until it is settled
    told        INTEGER NOT NULL  -- position by which its fate is in the journal, 0 until it is
) STRICT;

CREATE INDEX sends_due ON sends (workspace, channel, destination, due, position) WHERE state = 1;
CREATE INDEX sends_trying ON sends (key) WHERE state = 2;
CREATE INDEX sends_untold ON sends (key) WHERE state > 2 AND told = 0;
CREATE INDEX sends_told ON sends (told) WHERE told > 0;
