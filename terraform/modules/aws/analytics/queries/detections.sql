-- Everything that a model saw, a row each. A chunk that two models looked at has rows of both.
SELECT
  inferred.id,
  from_iso8601_timestamp(coalesce(frame.time, inferred.time)) AS time,
  inferred.data.site,
  inferred.data.camera,
  detection.label,
  detection.score,
  detection.box."left" AS box_left,
  detection.box.top AS box_top,
  detection.box.width AS box_width,
  detection.box.height AS box_height,
  detection.zones,
  frame."offset" AS offset_seconds,
  inferred.data.model.detector,
  inferred.data.model.name AS model,
  inferred.data.model.version AS model_version,
  inferred.data.model.digest AS model_digest,
  inferred.data.model.arm,
  inferred.data.object.bucket,
  inferred.subject AS key
FROM (
  SELECT *, row_number() OVER (PARTITION BY id ORDER BY day) AS copy
  FROM ${records}
  WHERE type = 'io.framepost.chunk.inferred.v1' AND day >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
) AS inferred
-- Rows would be taken apart into their fields; a row in a row is not.
CROSS JOIN UNNEST(transform(inferred.data.frames, f -> ROW(f))) AS frames (frame)
CROSS JOIN UNNEST(transform(frame.detections, d -> ROW(d))) AS detections (detection)
WHERE inferred.copy = 1
