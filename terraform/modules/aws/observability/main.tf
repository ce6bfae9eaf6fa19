# What tells a person that something is wrong, and where they look then.
#
# The functions write their metrics into their logs (CloudWatch EMF): namespace Framepost, dimensions Function and Site.
# "No chunk from a site" is the absence of ChunksProbed{Function, Site}: a gateway that is off, an uplink that is down and
# a broken event route all look like this, and none of them can raise an alarm itself. So missing data is the alarm.

data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  namespace = "Framepost"
  region    = data.aws_region.current.id

  emails = toset([for to in var.alarms.notify : to if !startswith(to, "arn:")])
  topics = [for to in var.alarms.notify : to if startswith(to, "arn:")]
  # One of our own, unless there is one to use: something must be there to subscribe to.
  own_topic = var.alarms.enabled && (length(local.emails) > 0 || length(local.topics) == 0)
  actions   = concat(local.topics, aws_sns_topic.alarms[*].arn)

  chunks_log_group = var.chunks_function == null ? null : var.functions[var.chunks_function].log_group

  watched = var.alarms.enabled ? var.functions : {}
  # Who signs its chunks is told of one that nobody signed, or whose key is not known: that is what a forger's looks like.
  violations = concat(
    ["$.['integrity.signature'] = \"invalid\"", "$.['integrity.content'] = \"mismatch\"", "$.['integrity.chain.state'] = \"broken\""],
    var.signed ? ["$.['integrity.signature'] = \"absent\"", "$.['integrity.signature'] = \"unknown\""] : [],
  )
  silence = var.alarms.enabled && var.chunks_function != null ? { for site, s in var.sites : site => s.silence_minutes if s.silence_minutes > 0 } : {}
}

resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:CloudWatch cannot publish through the key that SNS would use by itself; alarms name queues and sites, no footage
  count = local.own_topic ? 1 : 0
  name  = "${var.name}-alarms"
}

data "aws_iam_policy_document" "topic" {
  count = local.own_topic ? 1 : 0

  statement {
    sid       = "AlarmsOfThisAccount"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms[0].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  count  = local.own_topic ? 1 : 0
  arn    = aws_sns_topic.alarms[0].arn
  policy = data.aws_iam_policy_document.topic[0].json
}

# Each address is asked to confirm first.
resource "aws_sns_topic_subscription" "email" {
  for_each  = local.own_topic ? local.emails : []
  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = each.key
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each            = local.watched
  alarm_name          = "${var.name}-${each.key}-dead-letters"
  alarm_description   = "Messages of ${each.key} were rejected or never succeeded. Read framepost-reason, mend the cause, redrive."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.dead_letters_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  for_each            = local.watched
  alarm_name          = "${var.name}-${each.key}-undelivered"
  alarm_description   = "EventBridge could not put events into the queue of ${each.key} for a day. The queue or its policy was changed."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value.undelivered_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "oldest_message" {
  for_each            = local.watched
  alarm_name          = "${var.name}-${each.key}-oldest-message"
  alarm_description   = "Work of ${each.key} has been waiting for more than ${var.alarms.oldest_message_minutes} minutes: it fails and is retried, or more comes than it can do."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = each.value.queue_name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 60 * var.alarms.oldest_message_minutes
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each            = local.watched
  alarm_name          = "${var.name}-${each.key}-errors"
  alarm_description   = "${each.key} crashed, ran out of time or out of memory. What it retries or rejects itself is no error."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = each.value.lambda_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarms.errors
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  for_each            = local.watched
  alarm_name          = "${var.name}-${each.key}-throttles"
  alarm_description   = "The account's concurrency is used up: ${each.key} is held back. Nothing is lost while it lasts."
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  dimensions          = { FunctionName = each.value.lambda_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.alarms.throttles
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

# Minutes, not one long period: a period is aligned to the clock, and could take twice as long to notice.
resource "aws_cloudwatch_metric_alarm" "silence" {
  for_each            = local.silence
  alarm_name          = "${var.name}-${each.key}-silence"
  alarm_description   = "No chunk from ${each.key} for ${each.value} minutes."
  namespace           = local.namespace
  metric_name         = "ChunksProbed"
  dimensions          = { Function = var.chunks_function, Site = each.key }
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = each.value
  datapoints_to_alarm = each.value
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = local.actions
  ok_actions          = local.actions
}

# ---- what only the logs say

resource "aws_cloudwatch_log_metric_filter" "errors" {
  for_each       = var.functions
  name           = "${var.name}-${each.key}-log-errors"
  log_group_name = each.value.log_group
  pattern        = "{ $.level = \"ERROR\" }"

  metric_transformation {
    namespace = local.namespace
    name      = "LogErrors.${each.value.lambda_name}"
    value     = "1"
  }
}

resource "aws_cloudwatch_log_metric_filter" "integrity" {
  count          = local.chunks_log_group == null ? 0 : 1
  name           = "${var.name}-integrity"
  log_group_name = local.chunks_log_group
  # The record's inner fields are single names with dots in the log.
  pattern = "{ ${join(" || ", [for violation in local.violations : "(${violation})"])} }"

  metric_transformation {
    namespace = local.namespace
    name      = "IntegrityViolations.${var.name}"
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "integrity" {
  count               = var.alarms.enabled && local.chunks_log_group != null ? 1 : 0
  alarm_name          = "${var.name}-integrity"
  alarm_description   = "A chunk is not what its gateway signed or hashed: changed, replaced or taken out of its chain${var.signed ? ", or without a signature by one of the public keys" : ""}."
  namespace           = local.namespace
  metric_name         = aws_cloudwatch_log_metric_filter.integrity[0].metric_transformation[0].name
  statistic           = "Sum"
  period              = 60
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = local.actions
}
