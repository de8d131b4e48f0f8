-- What a report taught about its action, also when its person has been erased.
-- Rows from before this version do not say it.

ALTER TABLE store.exposures ADD COLUMN exposed BOOLEAN;
ALTER TABLE store.exposures ADD COLUMN responded BOOLEAN;

ALTER TABLE store.erased ADD COLUMN action VARCHAR;
ALTER TABLE store.erased ADD COLUMN exposed BOOLEAN;
ALTER TABLE store.erased ADD COLUMN responded BOOLEAN;
ALTER TABLE store.erased ADD COLUMN told BOOLEAN; -- whether the three before are known
