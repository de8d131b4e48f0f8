-- What people did. Instants are microseconds since 1970.

CREATE TABLE workspaces (
    slug           TEXT    PRIMARY KEY,
    name           TEXT    NOT NULL,
    signing_secret BLOB    NOT NULL,
    created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    id         TEXT    PRIMARY KEY,
    workspace  TEXT    NOT NULL,
    kind       INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    hash       BLOB    NOT NULL UNIQUE, -- SHA-256 of the key's text, which is not kept
    created_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL -- 0 while the key is good
) STRICT, WITHOUT ROWID;

-- The record of changes is only added to.
CREATE TABLE changes (
    number    INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    workspace TEXT    NOT NULL,
    who       TEXT    NOT NULL,
    why       TEXT    NOT NULL,
    what      TEXT    NOT NULL
) STRICT;

CREATE INDEX changes_workspace ON changes (workspace, number);

CREATE TRIGGER changes_stay BEFORE UPDATE ON changes
BEGIN
    SELECT RAISE(ABORT, 'the record of changes is only added to');
END;

CREATE TRIGGER changes_remain BEFORE DELETE ON changes
BEGIN
    SELECT RAISE(ABORT, 'the record of changes is only added to');
END;

CREATE TABLE answers (
    caller  TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    request BLOB    NOT NULL, -- SHA-256 of method, path and body
    status  INTEGER NOT NULL,
    body    BLOB    NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX answers_expires ON answers (expires);

CREATE TABLE refused (
    number    INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    workspace TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    altered   INTEGER NOT NULL,
    reason    TEXT    NOT NULL,
    item      INTEGER NOT NULL, -- index of the event in its request, -1 for the whole
    type      TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    excerpt   TEXT    NOT NULL
) STRICT;

CREATE INDEX refused_key ON refused (key, number);
CREATE INDEX refused_workspace ON refused (workspace, number);
CREATE INDEX refused_at ON refused (at);

CREATE TABLE definitions (
    workspace TEXT    NOT NULL,
    sequence  INTEGER NOT NULL,
    position  INTEGER NOT NULL, -- of the entry that put the set in force
    at        INTEGER NOT NULL,
    who       TEXT    NOT NULL,
    why       TEXT    NOT NULL,
    blob      BLOB    NOT NULL,
    PRIMARY KEY (workspace, sequence)
) STRICT, WITHOUT ROWID;
