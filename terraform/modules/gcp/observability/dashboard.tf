# One dashboard: is video arriving, is it understood, is anything stuck. The charts are those of AWS.

locals {
  subscription_series = "pubsub_googleapis_com:subscription"
  one_of              = { for kind, names in { waiting = local.subscriptions, parked = local.dead_letters } : kind => join("|", sort(values(names))) }
  # A metric from logs could be of any resource, and PromQL wants to know which.
  of_logs = "monitored_resource=\"cloud_run_revision\""
  of_run  = "monitored_resource=\"cloud_run_revision\",service_name=~\"${join("|", sort(values(local.services)))}\""

  charts = concat(
    var.chunks_function == null ? [] : [
      { title = "Chunks a minute, by site", queries = { "" = "sum by (site) (increase(${local.promql}_chunks{${local.of_logs}}[1m]))" } },
      { title = "Bytes a minute, by site", queries = { "" = "sum by (site) (increase(${local.promql}_object_bytes_sum{${local.of_logs}}[1m]))" } },
    ],
    [
      { title = "Rejected and retried", queries = { "" = "sum by (function, outcome) (increase(${local.promql}_handled{${local.of_logs},outcome=~\"reject|retry\"}[1m]))" } },
      { title = "Time for an object, ms (p50, p99)", queries = {
        p50 = "histogram_quantile(0.5, sum by (function, le) (increase(${local.promql}_latency_ms_bucket{${local.of_logs}}[1m])))"
        p99 = "histogram_quantile(0.99, sum by (function, le) (increase(${local.promql}_latency_ms_bucket{${local.of_logs}}[1m])))"
      } },
      { title = "Waiting: messages, and the oldest's age in s", queries = {
        messages = "max by (subscription_id) (${local.subscription_series}_num_undelivered_messages{subscription_id=~\"${local.one_of.waiting}\"})"
        age      = "max by (subscription_id) (${local.subscription_series}_oldest_unacked_message_age{subscription_id=~\"${local.one_of.waiting}\"})"
      } },
      { title = "Parked: dead letters", queries = { "" = "max by (subscription_id) (${local.subscription_series}_num_undelivered_messages{subscription_id=~\"${local.one_of.parked}\"})" } },
      { title = "Cloud Run: requests, by answer", queries = { "" = "sum by (service_name, response_code) (increase(run_googleapis_com:request_count{${local.of_run}}[1m]))" } },
      { title = "Errors and throttles", queries = {
        errors    = "sum by (service_name) (increase(${local.promql}_errors{${local.of_logs}}[1m]))"
        throttles = "sum by (service_name) (increase(${local.promql}_throttles{${local.of_logs}}[1m]))"
      } },
    ],
    local.infer_charts,
    local.catalogue_charts,
  )
}

resource "google_monitoring_dashboard" "this" {
  project = var.project

  dashboard_json = jsonencode({
    displayName = var.name
    mosaicLayout = {
      columns = 12
      # Google leaves a zero out, and every plan would put it back.
      tiles = [for i, chart in local.charts : merge({ for axis, at in { xPos = (i % 2) * 6, yPos = floor(i / 2) * 4 } : axis => at if at > 0 }, {
        width  = 6
        height = 4
        widget = {
          title = chart.title
          xyChart = {
            dataSets = [for legend in sort(keys(chart.queries)) : merge(
              { plotType = "LINE", targetAxis = "Y1", timeSeriesQuery = { prometheusQuery = chart.queries[legend] } },
              legend == "" ? {} : { legendTemplate = legend },
            )]
          }
        }
      })]
    }
  })

  depends_on = [google_logging_metric.count, google_logging_metric.distribution]
}
