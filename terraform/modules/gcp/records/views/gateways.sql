-- Every report of a gateway once. The newest of each site: QUALIFY ROW_NUMBER() OVER (PARTITION BY site ORDER BY reported_at DESC) = 1.
SELECT
  id,
  time,
  data.site,
  data.`at` AS reported_at,
  data.trigger,
  data.gatewayVersion AS gateway_version,
  data.uptimeSeconds AS uptime_seconds,
  data.gatewayClock.synchronized AS clock_synchronized,
  data.gatewayClock.offsetUs AS clock_offset_us,
  data.gatewayClock.sets AS clock_sets,
  data.disk.totalBytes AS disk_total_bytes,
  data.disk.freeBytes AS disk_free_bytes,
  data.spool.objects AS spool_objects,
  data.spool.bytes AS spool_bytes,
  data.spool.oldest AS spool_oldest,
  data.spool.oldestAgeSeconds AS spool_oldest_age_seconds,
  data.quarantinedObjects AS quarantined_objects,
  data.upload.createdObjects AS uploaded_objects,
  data.upload.sentBytes AS sent_bytes,
  data.upload.retries AS upload_retries,
  data.upload.lastError AS upload_last_error,
  data.camerasSilent AS cameras_silent,
  data.integrity.signature,
  subject AS key
FROM `${records}`
WHERE type = 'io.framepost.gateway.reported.v1'
QUALIFY ROW_NUMBER() OVER (PARTITION BY id, time, subject) = 1
