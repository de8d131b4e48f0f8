-- 1 when the person was erased once before, and is in it again because an older
-- backup was restored.

ALTER TABLE erasures ADD COLUMN again INTEGER NOT NULL DEFAULT 0;
