-- Every report of a gateway once, the newest first.
SELECT
  id,
  from_iso8601_timestamp(time) AS time,
  data.site,
  from_iso8601_timestamp(data.at) AS reported_at,
  data.trigger,
  data.gatewayversion AS gateway_version,
  data.uptimeseconds AS uptime_seconds,
  data.gatewayclock.synchronized AS clock_synchronized,
  data.gatewayclock.offsetus AS clock_offset_us,
  data.gatewayclock.sets AS clock_sets,
  data.disk.totalbytes AS disk_total_bytes,
  data.disk.freebytes AS disk_free_bytes,
  data.spool.objects AS spool_objects,
  data.spool.bytes AS spool_bytes,
  from_iso8601_timestamp(data.spool.oldest) AS spool_oldest,
  data.spool.oldestageseconds AS spool_oldest_age_seconds,
  data.quarantinedobjects AS quarantined_objects,
  data.upload.createdobjects AS uploaded_objects,
  data.upload.sentbytes AS sent_bytes,
  data.upload.retries AS upload_retries,
  data.upload.lasterror AS upload_last_error,
  data.camerassilent AS cameras_silent,
  data.integrity.signature,
  subject AS key
FROM (
  SELECT *, row_number() OVER (PARTITION BY id ORDER BY day) AS copy
  FROM ${records}
  WHERE type = 'io.framepost.gateway.reported.v1' AND day >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
)
WHERE copy = 1
ORDER BY reported_at DESC
