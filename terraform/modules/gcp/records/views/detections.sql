-- Everything that a model saw, a row each. A chunk that two models looked at has rows of both.
WITH inferred AS (
  SELECT *
  FROM `${records}`
  WHERE type = 'io.framepost.chunk.inferred.v1'
  QUALIFY ROW_NUMBER() OVER (PARTITION BY id, time, subject) = 1
)
SELECT
  inferred.id,
  COALESCE(frame.time, inferred.time) AS time,
  inferred.data.site,
  inferred.data.camera,
  detection.label,
  detection.score,
  detection.box.`left` AS box_left,
  detection.box.top AS box_top,
  detection.box.width AS box_width,
  detection.box.height AS box_height,
  detection.zones,
  frame.`offset` AS offset_seconds,
  inferred.data.model.detector,
  inferred.data.model.name AS model,
  inferred.data.model.version AS model_version,
  inferred.data.model.digest AS model_digest,
  inferred.data.model.arm,
  inferred.data.object.bucket,
  inferred.subject AS key
FROM inferred, UNNEST(inferred.data.frames) AS frame, UNNEST(frame.detections) AS detection
