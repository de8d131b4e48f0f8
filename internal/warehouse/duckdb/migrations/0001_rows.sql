-- What the machine put out, one table a kind of row. People query the views
-- below; the tables are out of their reach. Rows stand in order of position, so
-- a position narrows a scan to a few row groups. Customers are kept twice: as
-- the text that people see and as the number, by which they are found ten times
-- as fast.
--
-- Long texts are compressed by zstd and scattered ones not at all: both cost a
-- fraction of what DuckDB's own choice costs when rows are written, and zstd
-- takes half the space.

CREATE SCHEMA store;

CREATE TABLE store.meta (
    schema_version INTEGER NOT NULL,
    position       UBIGINT NOT NULL
);

INSERT INTO store.meta VALUES (0, 0);

CREATE TABLE store.events (
    position     UBIGINT   NOT NULL,
    workspace    VARCHAR   NOT NULL,
    customer     VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    customer_id  UBIGINT   NOT NULL,
    recorded     TIMESTAMP NOT NULL,
    time         TIMESTAMP,
    received     TIMESTAMP,
    original     TIMESTAMP,
    type         UTINYINT  NOT NULL,
    name         VARCHAR   NOT NULL,
    session      UINTEGER  NOT NULL,
    late         BOOLEAN   NOT NULL,
    flags        USMALLINT NOT NULL,
    key          VARCHAR   NOT NULL,
    key_kind     UTINYINT  NOT NULL,
    message_id   VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    anonymous_id VARCHAR USING COMPRESSION uncompressed,
    user_id      VARCHAR USING COMPRESSION uncompressed,
    group_id     VARCHAR,
    previous_id  VARCHAR,
    locale       VARCHAR,
    consent      JSON USING COMPRESSION zstd,
    properties   JSON USING COMPRESSION zstd,
    context      JSON USING COMPRESSION zstd
);

CREATE TABLE store.decisions (
    position    UBIGINT   NOT NULL,
    workspace   VARCHAR   NOT NULL,
    customer    VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    customer_id UBIGINT   NOT NULL,
    time        TIMESTAMP NOT NULL,
    decision    VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    event       VARCHAR   NOT NULL,
    definitions UBIGINT   NOT NULL,
    winners     JSON      NOT NULL USING COMPRESSION zstd,
    trace       BLOB      NOT NULL USING COMPRESSION zstd,
    input       BLOB      NOT NULL USING COMPRESSION zstd
);

CREATE TABLE store.exposures (
    position    UBIGINT   NOT NULL,
    workspace   VARCHAR   NOT NULL,
    customer    VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    customer_id UBIGINT   NOT NULL,
    time        TIMESTAMP NOT NULL,
    decision    VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    action      VARCHAR   NOT NULL,
    place       VARCHAR   NOT NULL,
    fate        UTINYINT  NOT NULL
);

-- One row for all that one step of a customer changed: "+cart,-visitor".
CREATE TABLE store.moves (
    position    UBIGINT   NOT NULL,
    workspace   VARCHAR   NOT NULL,
    customer    VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    customer_id UBIGINT   NOT NULL,
    time        TIMESTAMP NOT NULL,
    by_time     BOOLEAN   NOT NULL,
    segments    VARCHAR   NOT NULL
);

CREATE VIEW store.segment_moves AS
SELECT position, workspace, customer, customer_id, time, by_time, move[2:] AS segment, move[1] = '+' AS entered
FROM (SELECT * EXCLUDE segments, unnest(string_split(segments, ',')) AS move FROM store.moves);

CREATE TABLE store.merges (
    position  UBIGINT   NOT NULL,
    workspace VARCHAR   NOT NULL,
    winner    VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    winner_id UBIGINT   NOT NULL,
    loser     VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    loser_id  UBIGINT   NOT NULL,
    time      TIMESTAMP NOT NULL,
    reason    VARCHAR   NOT NULL
);

-- The views show the workspace that the connection's variable "workspace" names,
-- all of them when it is '*', and nothing when it is not set.

CREATE MACRO store.fate(n) AS ['reserved', 'shown', 'clicked', 'dismissed', 'released', 'withdrawn'][n];

CREATE VIEW events AS
SELECT time, recorded, received, workspace, customer, session, name,
       ['track', 'identify', 'page', 'screen', 'group', 'alias'][type] AS type,
       properties, anonymous_id, user_id, group_id, previous_id, locale, consent, context,
       late, flags & 1 <> 0 AS verified, flags & 2 <> 0 AS historical, flags & 4 <> 0 AS bot,
       key, ['browser', 'server', 'admin', 'read'][key_kind] AS key_kind, message_id, original, position
FROM store.events
WHERE getvariable('workspace') = '*' OR workspace = getvariable('workspace');

CREATE VIEW decisions AS
SELECT time, workspace, customer, decision, event, definitions,
       from_json(winners, '[{"action":"VARCHAR","place":"VARCHAR","channel":"VARCHAR","content":"JSON"}]') AS winners,
       position
FROM store.decisions
WHERE getvariable('workspace') = '*' OR workspace = getvariable('workspace');

CREATE VIEW exposures AS
SELECT time, workspace, customer, decision, action, place, store.fate(fate) AS fate, position
FROM store.exposures
WHERE getvariable('workspace') = '*' OR workspace = getvariable('workspace');

CREATE VIEW segment_moves AS
SELECT time, workspace, customer, segment, entered, by_time, position
FROM store.segment_moves
WHERE getvariable('workspace') = '*' OR workspace = getvariable('workspace');

CREATE VIEW merges AS
SELECT time, workspace, winner, loser, reason, position
FROM store.merges
WHERE getvariable('workspace') = '*' OR workspace = getvariable('workspace');
