# The way of events to one function: a rule, its queue, and the two places where what cannot be delivered is kept.
#
#   bus ─rule─▶ queue ─▶ function          max_deliveries without success, or rejected ─▶ dead-letters
#          └─▶ undelivered                 what EventBridge could not put into the queue in a day
#
# Numbers that bite: a message stays hidden for at least 6 × the function's timeout, or it is delivered twice while it is
# being worked on; a standard queue keeps a message's age when it moves it, so the dead-letter queue keeps for longer
# than the queue.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  day_s = 86400

  # A queue's policies are part of it and name it, so the ARNs are written out.
  arn_prefix = "arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:"
  names      = { queue = var.name, dead_letters = "${var.name}-dead-letters", undelivered = "${var.name}-undelivered" }

  # Prefix and suffix of one field can only be asked for together as a wildcard.
  keys = var.objects == null ? [] : (
    length(var.objects.prefixes) == 0 ? [for suffix in var.objects.suffixes : { suffix = suffix }] :
    length(var.objects.suffixes) == 0 ? [for prefix in var.objects.prefixes : { prefix = prefix }] :
    [for pair in setproduct(var.objects.prefixes, var.objects.suffixes) : { wildcard = "${pair[0]}*${pair[1]}" }]
  )

  pattern = var.objects != null ? jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = merge(
      { bucket = { name = [var.objects.bucket] } },
      length(local.keys) == 0 ? {} : { object = { key = local.keys } },
    )
    }) : jsonencode({
    source      = [{ prefix = "framepost." }]
    detail-type = var.records.types
  })
}

resource "aws_cloudwatch_event_rule" "this" {
  name           = var.name
  description    = var.description
  event_bus_name = var.objects != null ? "default" : var.records.bus_name
  event_pattern  = local.pattern

  lifecycle {
    precondition {
      condition     = length(local.pattern) <= 2048
      error_message = "The rule's pattern names ${length(local.keys)} kinds of key and is longer than EventBridge's 2048 characters: set events.keys = \"all\", or deploy some sites under another name."
    }
  }
}

resource "aws_cloudwatch_event_target" "queue" {
  rule           = aws_cloudwatch_event_rule.this.name
  event_bus_name = aws_cloudwatch_event_rule.this.event_bus_name
  target_id      = "queue"
  arn            = aws_sqs_queue.queue.arn

  retry_policy {
    maximum_event_age_in_seconds = local.day_s
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }
}

resource "aws_sqs_queue" "queue" {
  name                       = local.names.queue
  visibility_timeout_seconds = max(30, 6 * var.timeout_s + var.batching_window_s)
  message_retention_seconds  = 4 * local.day_s
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true
  policy                     = data.aws_iam_policy_document.queue["queue"].json

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_deliveries
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                       = local.names.dead_letters
  visibility_timeout_seconds = 30
  message_retention_seconds  = 14 * local.day_s
  sqs_managed_sse_enabled    = true
  policy                     = data.aws_iam_policy_document.queue["dead_letters"].json

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["${local.arn_prefix}${local.names.queue}"]
  })
}

resource "aws_sqs_queue" "undelivered" {
  name                       = local.names.undelivered
  visibility_timeout_seconds = 30
  message_retention_seconds  = 14 * local.day_s
  sqs_managed_sse_enabled    = true
  policy                     = data.aws_iam_policy_document.queue["undelivered"].json
}

data "aws_iam_policy_document" "queue" {
  for_each = local.names

  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = ["${local.arn_prefix}${each.value}"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # The dead-letter queue is written by the queue's redrive and by the function's role, which its own policy allows.
  dynamic "statement" {
    for_each = each.key == "dead_letters" ? [] : [1]

    content {
      sid       = "EventsOfThisRule"
      actions   = ["sqs:SendMessage"]
      resources = ["${local.arn_prefix}${each.value}"]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [aws_cloudwatch_event_rule.this.arn]
      }
    }
  }
}
