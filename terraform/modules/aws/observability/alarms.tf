# The alarms, with the same names and meanings as on Google Cloud. Each is an entry in a map; defaults apply to
# everything that the entry does not set.

locals {
  inboxes = { for function, f in var.functions : function => f if f.queue_name != null }

  queue_alarms = merge([for function, f in local.inboxes : {
    "${function}-dead-letters" = {
      meaning    = "Messages of ${function} were rejected or never succeeded. Read framepost-reason, mend the cause, redrive."
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = f.dead_letters_name }
    }
    "${function}-undelivered" = {
      meaning    = "EventBridge could not put events into the queue of ${function} for a day. The queue or its policy was changed."
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = f.undelivered_name }
    }
    "${function}-oldest-message" = {
      meaning    = "Work of ${function} has been waiting for more than ${var.alarms.oldest_message_minutes} minutes: it fails and is retried, or more comes than it can do."
      namespace  = "AWS/SQS"
      metric     = "ApproximateAgeOfOldestMessage"
      dimensions = { QueueName = f.queue_name }
      comparison = "GreaterThanThreshold"
      threshold  = 60 * var.alarms.oldest_message_minutes
      periods    = 3
    }
  }]...)

  function_alarms = merge([for function, f in var.functions : {
    "${function}-errors" = {
      meaning    = "${function} crashed, ran out of time or out of memory. What it retries or rejects itself is no error."
      namespace  = "AWS/Lambda"
      metric     = "Errors"
      dimensions = { FunctionName = f.lambda_name }
      statistic  = "Sum"
      threshold  = var.alarms.errors
      period_s   = 300
    }
    "${function}-throttles" = {
      meaning    = "The account's concurrency is used up: ${function} is held back. Nothing is lost while it lasts."
      namespace  = "AWS/Lambda"
      metric     = "Throttles"
      dimensions = { FunctionName = f.lambda_name }
      statistic  = "Sum"
      threshold  = var.alarms.throttles
      period_s   = 300
    }
  }]...)

  log_alarms = merge(
    local.chunks_log_group == null ? {} : {
      integrity = {
        meaning   = "A chunk is not what its gateway signed or hashed: changed, replaced or taken out of its chain${var.signed ? ", or without a signature by one of the public keys" : ""}."
        namespace = local.namespace
        metric    = local.integrity_metric
        statistic = "Sum"
      }
    },
    # One-minute periods: a single long period is aligned to the clock, and detection could take twice as long.
    var.chunks_function == null ? {} : {
      for site, s in var.sites : "${site}-silence" => {
        meaning    = "No chunk from ${site} for ${s.silence_minutes} minutes."
        namespace  = local.namespace
        metric     = "ChunksProbed"
        dimensions = { Function = var.chunks_function, Site = site }
        statistic  = "Sum"
        comparison = "LessThanThreshold"
        missing    = "breaching"
        periods    = s.silence_minutes
      } if s.silence_minutes > 0
    },
  )

  alarms = merge(local.queue_alarms, local.function_alarms, local.log_alarms, local.gateway_alarms, local.catalogue_alarms, local.records_alarms, local.infer_alarms)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = { for name, alarm in local.alarms : name => alarm if var.alarms.enabled }
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.meaning
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = try(each.value.dimensions, {})
  statistic           = can(each.value.percentile) ? null : try(each.value.statistic, "Maximum")
  extended_statistic  = try(each.value.percentile, null)
  period              = try(each.value.period_s, 60)
  evaluation_periods  = try(each.value.periods, 1)
  datapoints_to_alarm = try(each.value.periods, 1)
  comparison_operator = try(each.value.comparison, "GreaterThanOrEqualToThreshold")
  threshold           = try(each.value.threshold, 1)
  treat_missing_data  = try(each.value.missing, "notBreaching")
  alarm_actions       = local.actions
  ok_actions          = each.key == "integrity" ? [] : local.actions
}

moved {
  from = aws_cloudwatch_metric_alarm.dead_letters["probe"]
  to   = aws_cloudwatch_metric_alarm.this["probe-dead-letters"]
}

moved {
  from = aws_cloudwatch_metric_alarm.undelivered["probe"]
  to   = aws_cloudwatch_metric_alarm.this["probe-undelivered"]
}

moved {
  from = aws_cloudwatch_metric_alarm.oldest_message["probe"]
  to   = aws_cloudwatch_metric_alarm.this["probe-oldest-message"]
}

moved {
  from = aws_cloudwatch_metric_alarm.errors["probe"]
  to   = aws_cloudwatch_metric_alarm.this["probe-errors"]
}

moved {
  from = aws_cloudwatch_metric_alarm.throttles["probe"]
  to   = aws_cloudwatch_metric_alarm.this["probe-throttles"]
}

moved {
  from = aws_cloudwatch_metric_alarm.integrity[0]
  to   = aws_cloudwatch_metric_alarm.this["integrity"]
}
