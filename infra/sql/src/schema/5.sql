-- What a day's timeline needs of each chunk, in entries of about a quarter of the size of those for a playlist.
CREATE INDEX chunk_outline ON chunk (camera, from_us, key, to_us, newest, size_bytes, activity, signature, content, chain);
-- With the end and the score, so that a sighting that is over, or low, costs no look at its row.
DROP INDEX sighting_of_camera;
CREATE INDEX sighting_of_camera ON sighting (camera, from_us, to_us, score);
-- A server looks at each row that came after the last vacuum, although an index has all that is asked for
-- (https://www.postgresql.org/docs/13/indexes-index-only.html). Unless told, it waits until a fifth of a table is new.
{postgres}ALTER TABLE chunk SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000);
{postgres}ALTER TABLE look SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 20000);
