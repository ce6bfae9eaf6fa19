-- What is known of a chunk that was removed, as far as its key names a camera and a time, so that a timeline can show where video was.
ALTER TABLE removal ADD COLUMN camera BIGINT REFERENCES camera (id);
ALTER TABLE removal ADD COLUMN from_us BIGINT;
-- Null until a record of the chunk has said it.
ALTER TABLE removal ADD COLUMN to_us BIGINT;
-- 0: not said; 1: somebody asked for it; 2: the bucket's lifecycle; 3: another object was written under its key.
ALTER TABLE removal ADD COLUMN cause BIGINT;
-- All that a timeline asks for: a day that is gone may have thousands of rows.
CREATE INDEX removal_of_camera ON removal (camera, from_us, key, to_us, time_us, cause);
