-- What each report says of each camera, once.
SELECT
  reported.id,
  from_iso8601_timestamp(reported.time) AS time,
  reported.data.site,
  from_iso8601_timestamp(reported.data.at) AS reported_at,
  camera.*
FROM (
  SELECT *, row_number() OVER (PARTITION BY id ORDER BY day) AS copy
  FROM ${records}
  WHERE type = 'io.framepost.gateway.reported.v1' AND day >= date_format(current_date - INTERVAL '7' DAY, '%Y-%m-%d')
) AS reported
CROSS JOIN UNNEST(reported.data.cameras) AS camera
WHERE reported.copy = 1
