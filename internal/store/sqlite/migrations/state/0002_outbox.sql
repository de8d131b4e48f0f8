-- What was decided to be sent and whose fate is not known as of the checkpoint.
-- How far each has come stands in deliver.db.

DROP TABLE outbox;

CREATE TABLE outbox (
    key         BLOB    PRIMARY KEY, -- 16 bytes, the same for every attempt
    position    INTEGER NOT NULL,    -- of the entry that was judged
    at          INTEGER NOT NULL,    -- log time there, microseconds since 1970
    workspace   TEXT    NOT NULL,
    customer    INTEGER NOT NULL,
    decision    INTEGER NOT NULL,
    action      TEXT    NOT NULL,
    purpose     TEXT    NOT NULL,
    channel     TEXT    NOT NULL,
    destination TEXT    NOT NULL,
    payload     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_position ON outbox (position);
