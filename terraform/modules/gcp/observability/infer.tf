# What the function that looks at pictures saw, skipped and spent, from its records and the lines of their labels.

locals {
  infer_alarms = merge([for function in var.infer_function == null ? [] : ["infer"] : {
    "${function}-budget" = {
      condition  = "sum(increase(${local.promql}_skipped{monitored_resource=\"cloud_run_revision\",reason=\"budget\"}[5m])) >= 1"
      meaning    = "A site's budget for today is used up: its chunks are not looked at until midnight, UTC."
      what_to_do = "Saved query `budget` says whose. Raise FRAMEPOST_BUDGET, or find out what moves: the gate lets more through than it did."
      severity   = "WARNING"
    }
  }]...)

  infer_charts = var.infer_function == null ? [] : [
    { title = "Seen: chunks a minute, by label", queries = { "" = "sum by (label) (increase(${local.promql}_seen{${local.of_logs}}[1m]))" } },
    { title = "Not looked at: chunks a minute, by reason; and US dollars of the last 24 hours", queries = {
      skipped = "sum by (reason) (increase(${local.promql}_skipped{${local.of_logs}}[1m]))"
      dollars = "sum(increase(${local.promql}_dollars_sum{${local.of_logs}}[1d]))"
    } },
  ]
}
