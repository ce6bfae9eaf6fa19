-- Times are microseconds since 1970. `place` is the bucket: provider/name. `record` is the data of a record as JSON.
CREATE TABLE camera (
    {id},
    site TEXT NOT NULL,
    name TEXT NOT NULL,
    -- No chunk of the camera is longer: how far before a moment a search for what meets it begins.
    longest_us BIGINT NOT NULL,
    UNIQUE (site, name)
);
CREATE TABLE chunk (
    {id},
    camera BIGINT NOT NULL REFERENCES camera (id),
    from_us BIGINT NOT NULL,
    to_us BIGINT NOT NULL,
    key TEXT NOT NULL,
    place TEXT NOT NULL,
    version TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    seconds DOUBLE PRECISION,
    size_bytes BIGINT NOT NULL,
    init_bytes BIGINT,
    media_end BIGINT,
    timescale BIGINT,
    sample_entry TEXT,
    codec TEXT NOT NULL,
    audio_codec TEXT,
    random_access BIGINT,
    activity DOUBLE PRECISION,
    signature TEXT NOT NULL,
    content TEXT,
    chain TEXT NOT NULL,
    -- 1, or 0 where the key has a newer version.
    newest BIGINT NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (key, place, version)
);
CREATE INDEX chunk_of_camera ON chunk (camera, from_us, key, to_us, newest, size_bytes);
CREATE INDEX chunk_by_time ON chunk (from_us, key);
CREATE TABLE gap (
    {id},
    camera BIGINT NOT NULL REFERENCES camera (id),
    from_us BIGINT NOT NULL,
    to_us BIGINT NOT NULL,
    key TEXT NOT NULL,
    place TEXT NOT NULL,
    version TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (key, place, version)
);
CREATE INDEX gap_of_camera ON gap (camera, from_us);
CREATE TABLE span_end (
    {id},
    camera BIGINT NOT NULL REFERENCES camera (id),
    from_us BIGINT NOT NULL,
    to_us BIGINT NOT NULL,
    key TEXT NOT NULL,
    place TEXT NOT NULL,
    version TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (key, place, version)
);
CREATE INDEX span_end_of_camera ON span_end (camera, from_us);
CREATE TABLE reject (
    {id},
    key TEXT NOT NULL,
    place TEXT NOT NULL,
    version TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (key, place, version)
);
CREATE TABLE report (
    site TEXT PRIMARY KEY,
    at_us BIGINT NOT NULL,
    key TEXT NOT NULL,
    record TEXT NOT NULL
);
-- A model with its settings.
CREATE TABLE series (
    {id},
    name TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL,
    -- When the last chunk became complete that it looked at. The later, the newer.
    last_us BIGINT NOT NULL
);
CREATE TABLE look (
    {id},
    camera BIGINT NOT NULL REFERENCES camera (id),
    series BIGINT NOT NULL REFERENCES series (id),
    from_us BIGINT NOT NULL,
    to_us BIGINT NOT NULL,
    key TEXT NOT NULL,
    place TEXT NOT NULL,
    version TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    -- Why the chunk was not looked at; null if it was.
    skipped TEXT,
    record TEXT NOT NULL,
    UNIQUE (key, place, version, series)
);
CREATE INDEX look_of_camera ON look (camera, from_us);
-- How far the sightings of a camera and a model are built.
CREATE TABLE tail (
    camera BIGINT NOT NULL REFERENCES camera (id),
    series BIGINT NOT NULL REFERENCES series (id),
    from_us BIGINT NOT NULL,
    key TEXT NOT NULL,
    fold TEXT NOT NULL,
    PRIMARY KEY (camera, series)
);
CREATE TABLE sighting (
    camera BIGINT NOT NULL REFERENCES camera (id),
    series BIGINT NOT NULL REFERENCES series (id),
    -- The start of the day whose looks it is built of.
    day_us BIGINT NOT NULL,
    label TEXT NOT NULL,
    from_us BIGINT NOT NULL,
    to_us BIGINT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    sighting TEXT NOT NULL,
    PRIMARY KEY (camera, series, day_us, label, from_us)
);
CREATE INDEX sighting_of_label ON sighting (label, from_us);
CREATE INDEX sighting_by_time ON sighting (from_us);
CREATE TABLE removal (
    key TEXT NOT NULL,
    place TEXT NOT NULL,
    sequence TEXT NOT NULL,
    -- Empty: every version that was complete before.
    version TEXT NOT NULL,
    time_us BIGINT NOT NULL,
    PRIMARY KEY (key, place, sequence, version)
);
