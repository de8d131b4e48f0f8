-- When the warehouse's file held no bytes of the person's rows any more, 0 until then.

ALTER TABLE erasures ADD COLUMN file_at INTEGER NOT NULL DEFAULT 0;
