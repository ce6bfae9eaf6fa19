-- Everything that a model saw, a row each, with the model's own fields.
WITH inferred AS (
  SELECT *
  FROM `${records}`
  WHERE type = 'io.framepost.chunk.inferred.v1'
  QUALIFY ROW_NUMBER() OVER (PARTITION BY id, time, subject) = 1
)
SELECT
  inferred.id,
  inferred.time,
  inferred.data.site,
  inferred.data.camera,
  inferred.subject AS key,
  detection
FROM inferred, UNNEST(inferred.data.detections) AS detection
