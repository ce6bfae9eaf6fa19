-- What each report says of each camera, once.
WITH reported AS (
  SELECT *
  FROM `${records}`
  WHERE type = 'io.framepost.gateway.reported.v1'
  QUALIFY ROW_NUMBER() OVER (PARTITION BY id, time, subject) = 1
)
SELECT
  reported.id,
  reported.time,
  reported.data.site,
  reported.data.`at` AS reported_at,
  camera.*
FROM reported, UNNEST(reported.data.cameras) AS camera
