# The bus for records. Each subscriber is a rule on it; adding one changes nothing else.

resource "aws_cloudwatch_event_bus" "this" {
  name        = var.name
  description = "Framepost's records, as CloudEvents in detail"
}

resource "aws_cloudwatch_event_archive" "this" {
  count            = var.archive_days > 0 ? 1 : 0
  name             = var.name
  event_source_arn = aws_cloudwatch_event_bus.this.arn
  retention_days   = var.archive_days
  event_pattern    = local.every_record
}

locals {
  every_record = jsonencode({ source = [{ prefix = "framepost." }] })
}

resource "aws_cloudwatch_log_group" "records" {
  #checkov:skip=CKV_AWS_158:records name objects and measurements, no footage; CloudWatch encrypts them with its own keys
  #checkov:skip=CKV_AWS_338:how long records are kept is log_retention_days; a year of them is a choice
  count             = var.log ? 1 : 0
  name              = "/aws/events/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_cloudwatch_event_rule" "log" {
  count          = var.log ? 1 : 0
  name           = "${var.name}-log"
  description    = "Every record into one log group"
  event_bus_name = aws_cloudwatch_event_bus.this.name
  event_pattern  = local.every_record
}

resource "aws_cloudwatch_event_target" "log" {
  count          = var.log ? 1 : 0
  rule           = aws_cloudwatch_event_rule.log[0].name
  event_bus_name = aws_cloudwatch_event_bus.this.name
  target_id      = "log"
  arn            = aws_cloudwatch_log_group.records[0].arn

  depends_on = [aws_cloudwatch_log_resource_policy.records]
}

data "aws_iam_policy_document" "log" {
  count = var.log ? 1 : 0

  # AWS documents this request without a rule name and without conditions. If a rule is named,
  # it must be this one.
  statement {
    actions   = ["logs:CreateLogStream"]
    resources = ["${aws_cloudwatch_log_group.records[0].arn}:*"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
    }

    condition {
      test     = "ArnEqualsIfExists"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.log[0].arn]
    }
  }

  statement {
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.records[0].arn}:*:*"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.log[0].arn]
    }
  }
}

# EventBridge writes to a log group by a resource policy for logs. A region allows ten of these.
resource "aws_cloudwatch_log_resource_policy" "records" {
  count           = var.log ? 1 : 0
  policy_name     = var.name
  policy_document = data.aws_iam_policy_document.log[0].json
}
