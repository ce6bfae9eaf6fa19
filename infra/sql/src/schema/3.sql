-- What is not removed. A hold names its camera: it may be there before the camera has a row, and after its last is gone.
CREATE TABLE hold (
    id TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    name TEXT NOT NULL,
    from_us BIGINT NOT NULL,
    to_us BIGINT NOT NULL,
    reason TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    created_by TEXT
);
CREATE INDEX hold_of_camera ON hold (site, name, from_us);
CREATE INDEX hold_by_creation ON hold (created_us, id);
-- What a timeline, a playlist or a clip needs of each chunk, and what a timeline needs of each look, in the order of a camera's
-- time: rows lie in the order in which they came, those of all cameras mixed, so that each would be a page of its own to read.
CREATE INDEX chunk_brief ON chunk (camera, from_us, key, to_us, newest, size_bytes, place, version, time_us, seconds,
    init_bytes, media_end, timescale, sample_entry, codec, audio_codec, random_access, activity, signature, content, chain);
DROP INDEX chunk_of_camera;
CREATE INDEX look_brief ON look (camera, from_us, to_us, key, place, version, series, skipped);
DROP INDEX look_of_camera;
-- The newest sightings of a label, of a camera, and of both; with the score, so that a low one costs no look at the row.
DROP INDEX sighting_of_label;
CREATE INDEX sighting_of_label ON sighting (label, from_us, score);
CREATE INDEX sighting_of_camera ON sighting (camera, from_us);
CREATE INDEX sighting_of_camera_and_label ON sighting (camera, label, from_us);
