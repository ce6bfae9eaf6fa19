# Alarms for operators, and the logs and metrics to investigate them.
#
# The functions write their metrics to their logs (CloudWatch EMF): namespace Framepost, dimensions Function and
# Site. "No chunk from a site" is the absence of ChunksProbed{Function, Site}. A gateway that is off, an uplink
# that is down and a broken event route all look like this, and none of them can raise an alarm itself. Missing
# data therefore raises the alarm.

data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  namespace = "Framepost"
  region    = data.aws_region.current.id

  emails = toset([for to in var.alarms.notify : to if !startswith(to, "arn:")])
  topics = [for to in var.alarms.notify : to if startswith(to, "arn:")]
  # Creates a topic if none is given, so that there is one to subscribe to.
  own_topic = var.alarms.enabled && (length(local.emails) > 0 || length(local.topics) == 0)
  actions   = concat(local.topics, aws_sns_topic.alarms[*].arn)

  chunks_log_group = var.chunks_function == null ? null : var.functions[var.chunks_function].log_group

  integrity_metric = "IntegrityViolations.${var.name}"

  # With signing, a chunk without a signature or with an unknown key raises the alarm, because a
  # forged chunk looks like that.
  violations = concat(
    ["$.['integrity.signature'] = \"invalid\"", "$.['integrity.content'] = \"mismatch\"", "$.['integrity.chain.state'] = \"broken\""],
    var.signed ? ["$.['integrity.signature'] = \"absent\"", "$.['integrity.signature'] = \"unknown\""] : [],
  )
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

# Each address must confirm first.
resource "aws_sns_topic_subscription" "email" {
  for_each  = local.own_topic ? local.emails : []
  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = each.key
}

# ---- metrics that are only in the logs

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
  # In the log, a record's inner fields are single names with dots.
  pattern = "{ ${join(" || ", [for violation in local.violations : "(${violation})"])} }"

  metric_transformation {
    namespace = local.namespace
    name      = local.integrity_metric
    value     = "1"
  }
}
