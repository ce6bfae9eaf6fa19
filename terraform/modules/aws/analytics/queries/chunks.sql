-- Every playable object once. `day` is when its record was published: name a span of it in queries.
SELECT
  id,
  from_iso8601_timestamp(time) AS time,
  data.site,
  data.camera,
  from_iso8601_timestamp(data.duration."from") AS from_time,
  from_iso8601_timestamp(data.duration."to") AS to_time,
  data.duration.seconds,
  data.resolution.width,
  data.resolution.height,
  data.resolution.rotation,
  data.resolution.mirrored,
  data.codec,
  data.framerate AS frame_rate,
  data.container,
  data.audio.codec AS audio_codec,
  data.sizebytes AS size_bytes,
  data.medialink AS media_link,
  data.object.bucket,
  subject AS key,
  data.object.version,
  data.startswithrandomaccess AS starts_with_random_access,
  data.initbytes AS init_bytes,
  data.mediaend AS media_end,
  data.timescale,
  data.sampleentrydigest AS sample_entry_digest,
  data.activity.level AS activity,
  data.clock.source AS clock_source,
  data.clock.uncertaintyus AS clock_uncertainty_us,
  data.clock.replaced AS clock_replaced,
  data.clock.rateppm AS clock_rate_ppm,
  data.integrity.sha256,
  data.integrity.content,
  data.integrity.signature,
  data.integrity.chain.state AS chain_state
FROM (
  -- A record is a pure function of its object: rows with one id are alike.
  SELECT *, row_number() OVER (PARTITION BY id ORDER BY day) AS copy
  FROM ${records}
  WHERE type = 'io.framepost.chunk.probed.v1' AND day >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
)
WHERE copy = 1
