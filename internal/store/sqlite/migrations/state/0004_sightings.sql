-- On which users a value was seen that belongs to one of them.

CREATE TABLE sightings (
    workspace TEXT    NOT NULL,
    namespace INTEGER NOT NULL,
    value     TEXT    NOT NULL,
    seen      BLOB    NOT NULL, -- ids, 8 bytes each
    since     INTEGER NOT NULL, -- position of the event that put it in quarantine, 0 while it is not
    own       INTEGER NOT NULL, -- the customer of its own
    linked    INTEGER NOT NULL, -- when it was put there, microseconds since 1970
    PRIMARY KEY (workspace, namespace, value)
) STRICT, WITHOUT ROWID;
