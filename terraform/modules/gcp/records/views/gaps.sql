-- Every interval without video once, with its cause.
SELECT
  id,
  time,
  data.site,
  data.camera,
  data.`from` AS from_time,
  data.`to` AS to_time,
  TIMESTAMP_DIFF(data.`to`, data.`from`, MILLISECOND) / 1000 AS seconds,
  data.cause,
  data.detail,
  data.framesDropped AS frames_dropped,
  data.chunksDropped AS chunks_dropped,
  data.sourceBytes.start AS source_bytes_start,
  data.sourceBytes.`end` AS source_bytes_end,
  data.object.bucket,
  subject AS key
FROM `${records}`
WHERE type = 'io.framepost.gap.recorded.v1'
QUALIFY ROW_NUMBER() OVER (PARTITION BY id, time, subject) = 1
