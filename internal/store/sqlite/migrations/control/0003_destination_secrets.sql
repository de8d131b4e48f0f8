-- With what deliveries to destinations are signed. An earlier secret signs beside
-- the current one until it expires.

CREATE TABLE destination_secrets (
    workspace   TEXT    NOT NULL,
    destination TEXT    NOT NULL,
    number      INTEGER NOT NULL, -- 1, 2, 3 …
    secret      BLOB    NOT NULL,
    created_at  INTEGER NOT NULL,
    expires     INTEGER NOT NULL, -- 0 for the current one
    PRIMARY KEY (workspace, destination, number)
) STRICT, WITHOUT ROWID;
