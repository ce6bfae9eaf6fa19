# What the function that looks at pictures saw, skipped and spent, from its records and the lines of their labels.
#
# A metric is paid for while it has points: one for each label, reason and site.

locals {
  inferring   = var.infer_function == null ? {} : { infer = var.functions[var.infer_function] }
  is_inferred = "$.type = \"io.framepost.chunk.inferred.v1\""
  infer_counts = length(local.inferring) == 0 ? {} : {
    seen    = { name = "Seen.${var.name}", pattern = "{ $.event = \"seen\" }", value = "1", dimensions = { Label = "$.label" } }
    skipped = { name = "Skipped.${var.name}", pattern = "{ (${local.is_inferred}) && ($.skipped = *) }", value = "1", dimensions = { Reason = "$.skipped" } }
    dollars = { name = "Dollars.${var.name}", pattern = "{ (${local.is_inferred}) && ($.dollars > 0) }", value = "$.dollars", dimensions = { Site = "$.site" } }
  }

  infer_alarms = merge([for function in keys(local.inferring) : {
    "${function}-budget" = {
      meaning    = "A site's budget for today is used up: its chunks are not looked at until midnight, UTC. The saved query budget says whose."
      namespace  = local.namespace
      metric     = "Skipped.${var.name}"
      dimensions = { Reason = "budget" }
      statistic  = "Sum"
      period_s   = 300
    }
  }]...)

  infer_widgets = length(local.inferring) == 0 ? [] : [
    merge(local.half, {
      type = "metric"
      properties = {
        title   = "Seen: chunks a minute, by label", region = local.region, stat = "Sum", period = 60
        metrics = [[{ expression = "SEARCH('{${local.namespace},Label} MetricName=\"Seen.${var.name}\"', 'Sum', 60)", label = "" }]]
      }
    }),
    merge(local.half, {
      type = "metric"
      properties = {
        # CloudWatch begins periods of a day at midnight, UTC.
        title = "Not looked at: chunks a minute, by reason; and US dollars today (UTC)", region = local.region, stat = "Sum", period = 60
        metrics = [
          [{ expression = "SEARCH('{${local.namespace},Reason} MetricName=\"Skipped.${var.name}\"', 'Sum', 60)", label = "" }],
          [{ expression = "SUM(SEARCH('{${local.namespace},Site} MetricName=\"Dollars.${var.name}\"', 'Sum', 86400))", label = "dollars today", yAxis = "right" }],
        ]
      }
    }),
  ]
}

resource "aws_cloudwatch_log_metric_filter" "infer" {
  for_each       = local.infer_counts
  name           = "${var.name}-infer-${each.key}"
  log_group_name = local.inferring["infer"].log_group
  pattern        = each.value.pattern

  metric_transformation {
    namespace  = local.namespace
    name       = each.value.name
    value      = each.value.value
    dimensions = each.value.dimensions
  }
}
