-- How what was sent by other channels than the page ended, once for each.

CREATE TABLE store.deliveries (
    position    UBIGINT   NOT NULL,
    workspace   VARCHAR   NOT NULL,
    customer    VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    customer_id UBIGINT   NOT NULL,
    time        TIMESTAMP NOT NULL,
    delivery    VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    decision    VARCHAR   NOT NULL USING COMPRESSION uncompressed,
    action      VARCHAR   NOT NULL,
    channel     VARCHAR   NOT NULL,
    destination VARCHAR   NOT NULL,
    fate        UTINYINT  NOT NULL,
    attempts    UINTEGER  NOT NULL,
    reason      VARCHAR
);

CREATE VIEW deliveries AS
SELECT time, workspace, customer, delivery, decision, action, channel, destination,
       ['queued', 'trying', 'sent', 'failed', 'unknown', 'withheld'][fate] AS fate, attempts, reason, position
FROM store.deliveries
WHERE getvariable('workspace') = '*' OR workspace = getvariable('workspace');
