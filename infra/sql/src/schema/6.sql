-- What a timeline and a calendar need of an hour of a camera, in one row: of each chunk that starts in it, each look, and each
-- sighting.
CREATE TABLE hour (
    camera BIGINT NOT NULL REFERENCES camera (id),
    from_us BIGINT NOT NULL,
    -- When something in it last changed, by the time of its record, give or take a minute.
    changed_us BIGINT NOT NULL,
    -- Sums of its chunks. These and what follows are null until nothing has changed for some minutes: until then, and where an hour
    -- has no row, the other tables are read.
    chunks BIGINT,
    length_us BIGINT,
    bytes BIGINT,
    outlines {bytes},
    looks {bytes},
    sightings {bytes},
    PRIMARY KEY (camera, from_us)
);
CREATE INDEX hour_to_pack ON hour (changed_us) WHERE chunks IS NULL;
INSERT INTO hour (camera, from_us, changed_us)
    SELECT camera, from_us - from_us % 3600000000, MAX(time_us) FROM chunk GROUP BY 1, 2;
DROP INDEX chunk_outline;
