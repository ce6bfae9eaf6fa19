# Alarms for each site from the reports of its gateway. A report adds a point to a metric only while something is wrong, so
# the metrics of healthy sites cost nothing. A gateway that stops reporting also stops uploading: that is `silence`.

locals {
  reports = {
    backlog    = "$.['spool.oldestAgeSeconds'] > ${60 * var.alarms.backlog_minutes}"
    quarantine = "$.quarantinedObjects > 0"
    clock      = "$.['gatewayClock.synchronized'] IS FALSE"
    camera     = "$.camerasSilent > 0"
  }

  report_metrics = { for report in keys(local.reports) : report => "Gateway.${report}.${var.name}" }

  reporting = local.chunks_log_group == null ? [] : keys(var.sites)
  gateway_alarms = merge(
    { for site in local.reporting : "${site}-backlog" => {
      meaning    = "Footage of ${site} has been waiting on its gateway for more than ${var.alarms.backlog_minutes} minutes: its uplink is too slow, or was down."
      namespace  = local.namespace
      metric     = local.report_metrics.backlog
      dimensions = { Site = site }
      statistic  = "Sum"
      period_s   = 900
    } },
    { for site in local.reporting : "${site}-quarantine" => {
      meaning    = "The bucket refuses objects of ${site} for good. On the gateway, `edge-uploader quarantine` says which and why."
      namespace  = local.namespace
      metric     = local.report_metrics.quarantine
      dimensions = { Site = site }
      statistic  = "Sum"
      period_s   = 900
    } },
    { for site in local.reporting : "${site}-clock" => {
      meaning    = "The clock of the gateway of ${site} is not synchronised: the times of its footage may be off."
      namespace  = local.namespace
      metric     = local.report_metrics.clock
      dimensions = { Site = site }
      statistic  = "Sum"
      period_s   = 900
    } },
    { for site in local.reporting : "${site}-camera" => {
      meaning    = "A camera of ${site} is silent, and its gateway is not. The saved query cameras says which and why."
      namespace  = local.namespace
      metric     = local.report_metrics.camera
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
    name       = local.report_metrics[each.key]
    value      = "1"
    dimensions = { Site = "$.site" }
  }
}
