-- Every playable object once. Partitions are of `time`, when the object became complete: name a span of it in queries.
SELECT
  id,
  time,
  data.site,
  data.camera,
  data.duration.`from` AS from_time,
  data.duration.`to` AS to_time,
  data.duration.seconds,
  data.resolution.width,
  data.resolution.height,
  data.resolution.rotation,
  data.resolution.mirrored,
  data.codec,
  data.frameRate AS frame_rate,
  data.container,
  data.audio.codec AS audio_codec,
  data.sizeBytes AS size_bytes,
  data.mediaLink AS media_link,
  data.object.bucket,
  subject AS key,
  data.object.version,
  data.startsWithRandomAccess AS starts_with_random_access,
  data.initBytes AS init_bytes,
  data.mediaEnd AS media_end,
  data.timescale,
  data.sampleEntryDigest AS sample_entry_digest,
  data.activity.level AS activity,
  data.clock.source AS clock_source,
  data.clock.uncertaintyUs AS clock_uncertainty_us,
  data.clock.replaced AS clock_replaced,
  data.clock.ratePpm AS clock_rate_ppm,
  data.integrity.sha256,
  data.integrity.content,
  data.integrity.signature,
  data.integrity.chain.state AS chain_state
FROM `${records}`
WHERE type = 'io.framepost.chunk.probed.v1'
-- A record is a pure function of its object: rows with one id are alike. Partitioning also by `time` and `subject` lets
-- conditions on them reach the table.
QUALIFY ROW_NUMBER() OVER (PARTITION BY id, time, subject) = 1
