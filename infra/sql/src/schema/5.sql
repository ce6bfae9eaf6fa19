-- What a day's timeline needs of each chunk, in entries of about a quarter of the size of those for a playlist.
CREATE INDEX chunk_outline ON chunk (camera, from_us, key, to_us, newest, size_bytes, activity, signature, content, chain);
-- With the end and the score, so that a sighting that is over, or low, costs no look at its row.
DROP INDEX sighting_of_camera;
CREATE INDEX sighting_of_camera ON sighting (camera, from_us, to_us, score);
