# A dashboard that shows whether video arrives, whether it can be probed, and whether anything is stuck.

locals {
  functions = sort(keys(var.functions))
  queued    = sort(keys(local.inboxes))
  sites     = sort(keys(var.sites))
  half      = { width = 12, height = 6 }

  widgets = concat(
    var.chunks_function == null ? [] : [
      merge(local.half, {
        type = "metric"
        properties = {
          title = "Chunks a minute, by site", region = local.region, stat = "Sum", period = 60
          metrics = [for site in local.sites :
          [local.namespace, "ChunksProbed", "Function", var.chunks_function, "Site", site, { label = site }]]
        }
      }),
      merge(local.half, {
        type = "metric"
        properties = {
          title = "Bytes a minute, by site", region = local.region, stat = "Sum", period = 60
          metrics = [for site in local.sites :
          [local.namespace, "ObjectBytes", "Function", var.chunks_function, "Site", site, { label = site }]]
        }
      }),
    ],
    [
      merge(local.half, {
        type = "metric"
        properties = {
          title = "Rejected and retried", region = local.region, stat = "Sum", period = 60
          metrics = concat([], [for function in local.functions : [for metric in ["Rejects", "Retries"] :
          [local.namespace, metric, "Function", function, { label = "${function} ${metric}" }]]]...)
        }
      }),
      merge(local.half, {
        type = "metric"
        properties = {
          title = "Time for an object, ms (p50, p99)", region = local.region, period = 60
          metrics = concat([], [for function in local.functions : [for stat in ["p50", "p99"] :
          [local.namespace, "HandleLatency", "Function", function, { label = "${function} ${stat}", stat = stat }]]]...)
        }
      }),
      merge(local.half, {
        type = "metric"
        properties = {
          title = "Waiting: messages, and the oldest's age in s", region = local.region, stat = "Maximum", period = 60
          metrics = concat([], [for function in local.queued : [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.functions[function].queue_name, { label = function }],
            ["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", var.functions[function].queue_name, { label = "${function} age", yAxis = "right" }],
          ]]...)
        }
      }),
      merge(local.half, {
        type = "metric"
        properties = {
          title = "Parked: dead letters and undelivered", region = local.region, stat = "Maximum", period = 60
          metrics = concat([], [for function in local.queued : [
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.functions[function].dead_letters_name, { label = "${function} dead letters" }],
            ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.functions[function].undelivered_name, { label = "${function} undelivered" }],
          ]]...)
        }
      }),
      merge(local.half, {
        type = "metric"
        properties = {
          title = "Lambda: invocations, errors, throttles", region = local.region, stat = "Sum", period = 60
          metrics = concat([], [for function in local.functions : [for metric in ["Invocations", "Errors", "Throttles"] :
          ["AWS/Lambda", metric, "FunctionName", var.functions[function].lambda_name, { label = "${function} ${metric}" }]]]...)
        }
      }),
      merge(local.half, {
        type = "metric"
        properties = {
          title = "Errors in the logs", region = local.region, stat = "Sum", period = 60
          metrics = [for function in local.functions :
          [local.namespace, "LogErrors.${var.functions[function].lambda_name}", { label = function }]]
        }
      }),
    ],
    local.infer_widgets,
    local.catalogue_widgets,
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({ widgets = local.widgets })
}
