-- A published set never changes: what was decided by it is explained from it.

CREATE TRIGGER definitions_stay BEFORE UPDATE ON definitions
BEGIN
    SELECT RAISE(ABORT, 'the record of sets is only added to');
END;

CREATE TRIGGER definitions_remain BEFORE DELETE ON definitions
BEGIN
    SELECT RAISE(ABORT, 'the record of sets is only added to');
END;
