-- Every interval without video once, with its cause.
SELECT
  id,
  from_iso8601_timestamp(time) AS time,
  data.site,
  data.camera,
  from_iso8601_timestamp(data."from") AS from_time,
  from_iso8601_timestamp(data."to") AS to_time,
  date_diff('millisecond', from_iso8601_timestamp(data."from"), from_iso8601_timestamp(data."to")) / 1e3 AS seconds,
  data.cause,
  data.detail,
  data.framesdropped AS frames_dropped,
  data.chunksdropped AS chunks_dropped,
  data.sourcebytes.start AS source_bytes_start,
  data.sourcebytes."end" AS source_bytes_end,
  data.object.bucket,
  subject AS key
FROM (
  SELECT *, row_number() OVER (PARTITION BY id ORDER BY day) AS copy
  FROM ${records}
  WHERE type = 'io.framepost.gap.recorded.v1' AND day >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
)
WHERE copy = 1
