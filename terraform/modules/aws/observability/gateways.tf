# Alarms for each site from the reports of its gateway. A report adds a point to a metric only while something is wrong, so
# the metrics of healthy sites cost nothing. A gateway that stops reporting also stops uploading: that is `silence`.

locals {
  reports = {
    backlog    = "$.['spool.oldestAgeSeconds'] > ${60 * var.alarms.backlog_minutes}"
    quarantine = "$.quarantinedObjects > 0"
    clock      = "$.['gatewayClock.synchronized'] IS FALSE"
    camera     = "$.camerasSilent > 0"
  }

  reporting = local.chunks_log_group == null ? [] : keys(var.sites)
  gateway_alarms = merge(
    { for site in local.reporting : "${site}-backlog" => {
      meaning    = "Footage of ${site} has been waiting on its gateway for more than ${var.alarms.backlog_minutes} minutes: its uplink is too slow, or was down."
      namespace  = local.namespace
      metric     = one(aws_cloudwatch_log_metric_filter.gateway["backlog"].metric_transformation).name
      dimensions = { Site = site }
      statistic  = "Sum"
      period_s   = 900
    } },
    { for site in local.reporting : "${site}-quarantine" => {
      meaning    = "The bucket refuses objects of ${site} for good. On the gateway, `edge-uploader quarantine` says which and why."
      namespace  = local.namespace
      metric     = one(aws_cloudwatch_log_metric_filter.gateway["quarantine"].metric_transformation).name
      dimensions = { Site = site }
      statistic  = "Sum"
      period_s   = 900
    } },
    { for site in local.reporting : "${site}-clock" => {
      meaning    = "The clock of the gateway of ${site} is not synchronised: the times of its footage may be off."
      namespace  = local.namespace
      metric     = one(aws_cloudwatch_log_metric_filter.gateway["clock"].metric_transformation).name
      dimensions = { Site = site }
      statistic  = "Sum"
      period_s   = 900
    } },
    { for site in local.reporting : "${site}-camera" => {
      meaning    = "A camera of ${site} is silent, and its gateway is not. The saved query cameras says which and why."
      namespace  = local.namespace
      metric     = one(aws_cloudwatch_log_metric_filter.gateway["camera"].metric_transformation).name
      dimensions = { Site = site }
      statistic  = "Sum"
      period_s   = 900
    } },
  )
}

resource "aws_cloudwatch_log_metric_filter" "gateway" {
  for_each       = local.chunks_log_group == null ? {} : local.reports
  name           = "${var.name}-gateway-${each.key}"
  log_group_name = local.chunks_log_group
  pattern        = "{ ($.type = \"io.framepost.gateway.reported.v1\") && (${each.value}) }"

  metric_transformation {
    namespace  = local.namespace
    name       = "Gateway.${each.key}.${var.name}"
    value      = "1"
    dimensions = { Site = "$.site" }
  }
}
