# Routes events to one function: a rule for each trigger, the function's queue, and two queues for
# messages that cannot be delivered.
#
#   bus ─rules─▶ queue ─▶ function         max_deliveries without success, or rejected ─▶ dead-letters
#   clock ─────▶ queue
#          └──▶ undelivered                what EventBridge could not put into the queue in a day
#
# A message must stay hidden for at least 6 × the function's timeout, otherwise it is delivered twice while it
# is being handled. A standard queue preserves a message's age when it moves it, so the dead-letter queue must
# keep messages for longer than the queue.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  day_s = 86400

  # The queues' policies contain their own ARNs, so these are composed from the names.
  arn_prefix = "arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:"
  names      = { queue = var.name, dead_letters = "${var.name}-dead-letters", undelivered = "${var.name}-undelivered" }

  detail_types = { object-finalized = ["Object Created"], object-removed = ["Object Deleted"] }

  objects   = { for key, trigger in var.triggers : key => trigger if contains(keys(local.detail_types), trigger.event) }
  records   = { for key, trigger in var.triggers : key => trigger if trigger.event == "record" }
  schedules = { for key, trigger in var.triggers : key => trigger if trigger.event == "schedule" }

  # A key must match both prefixes: of each pair, use the longer one if it begins with the other.
  prefixes = { for key, trigger in local.objects : key =>
    length(var.key_prefixes) == 0 ? trigger.prefixes :
    length(trigger.prefixes) == 0 ? var.key_prefixes :
    distinct(flatten([for one in var.key_prefixes : [for other in trigger.prefixes :
      startswith(other, one) ? [other] : startswith(one, other) ? [one] : []
    ]]))
  }

  # EventBridge can combine prefix and suffix of one field only as a wildcard.
  keys = { for key, trigger in local.objects : key =>
    length(local.prefixes[key]) == 0 ? [for suffix in trigger.suffixes : { suffix = suffix }] :
    length(trigger.suffixes) == 0 ? [for prefix in local.prefixes[key] : { prefix = prefix }] :
    [for pair in setproduct(local.prefixes[key], trigger.suffixes) : { wildcard = "${pair[0]}*${pair[1]}" }]
  }

  rules = merge(
    { for key, trigger in local.objects : key => {
      bus_name = "default"
      pattern = jsonencode({
        source      = ["aws.s3"]
        detail-type = local.detail_types[trigger.event]
        detail = merge(
          { bucket = { name = [var.bucket] } },
          length(local.keys[key]) == 0 ? {} : { object = { key = local.keys[key] } },
        )
      })
    } },
    { for key, trigger in local.records : key => {
      bus_name = var.bus_name
      pattern = jsonencode(merge(
        { source = [{ prefix = "framepost." }], detail-type = trigger.types },
        # The detail is the CloudEvent; the record's fields are in its data.
        length(trigger.filters) == 0 ? {} : { detail = { data = {
          for field, values in trigger.filters : field => [for value in values : jsondecode(value)]
        } } },
      ))
    } },
  )
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each       = local.rules
  name           = each.key == "object-finalized" ? var.name : "${var.name}-${each.key}"
  description    = var.description
  event_bus_name = each.value.bus_name
  event_pattern  = each.value.pattern

  lifecycle {
    precondition {
      condition     = length(each.value.pattern) <= 2048
      error_message = "The rule's pattern names ${length(try(local.keys[each.key], []))} kinds of key and is longer than EventBridge's 2048 characters: set events.keys = \"all\", or deploy some sites under another name."
    }

    precondition {
      condition     = length(try(local.prefixes[each.key], [""])) > 0 || (length(var.key_prefixes) == 0 && length(try(var.triggers[each.key].prefixes, [])) == 0)
      error_message = "None of the prefixes ${join(", ", var.triggers[each.key].prefixes)} is below one of ${join(", ", var.key_prefixes)}: the function would never be called. Set events.keys = \"all\", or change triggers[].prefixes."
    }
  }
}

moved {
  from = aws_cloudwatch_event_rule.this
  to   = aws_cloudwatch_event_rule.this["object-finalized"]
}

resource "aws_cloudwatch_event_target" "queue" {
  for_each       = aws_cloudwatch_event_rule.this
  rule           = each.value.name
  event_bus_name = each.value.event_bus_name
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

moved {
  from = aws_cloudwatch_event_target.queue
  to   = aws_cloudwatch_event_target.queue["object-finalized"]
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

  # The queue's redrive writes to the dead-letter queue, and so does the function with its own policy. Schedules
  # send with a role of their own.
  dynamic "statement" {
    for_each = each.key == "dead_letters" || length(local.rules) == 0 ? [] : [1]

    content {
      sid       = "EventsOfTheseRules"
      actions   = ["sqs:SendMessage"]
      resources = ["${local.arn_prefix}${each.value}"]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = sort([for rule in aws_cloudwatch_event_rule.this : rule.arn])
      }
    }
  }
}
