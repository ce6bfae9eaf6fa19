# A function's schedules: EventBridge Scheduler puts a message into its queue.

locals {
  # EventBridge counts a day of the month or of the week, marks the other one with ?, and knows */n as an increment from
  # the first.
  fields = { for key, trigger in local.schedules : key => [for n, field in split(" ", trigger.cron) : replace(field, "*/", n < 2 ? "0/" : "1/")] }
  crons = { for key, fields in local.fields : key =>
    "cron(${fields[0]} ${fields[1]} ${fields[4] == "*" ? fields[2] : "?"} ${fields[3]} ${fields[4] == "*" ? "?" : fields[4]} *)"
  }
}

# The message is one of our CloudEvents. EventBridge Scheduler replaces the parts in angle brackets.
resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:a schedule holds its name and nothing else
  for_each                     = local.schedules
  name                         = "${var.name}-${each.value.name}"
  description                  = var.description
  schedule_expression          = local.crons[each.key]
  schedule_expression_timezone = "UTC"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_sqs_queue.queue.arn
    role_arn = aws_iam_role.schedule[0].arn
    # jsonencode would escape the angle brackets.
    input = "{\"specversion\":\"1.0\",\"id\":\"<aws.scheduler.execution-id>\",\"source\":\"framepost/schedule\",\"type\":\"io.framepost.schedule.due.v1\",\"time\":\"<aws.scheduler.scheduled-time>\",\"datacontenttype\":\"application/json\",\"data\":{\"name\":\"${each.value.name}\"}}"

    retry_policy {
      maximum_event_age_in_seconds = local.day_s
      maximum_retry_attempts       = 185
    }

    dead_letter_config {
      arn = aws_sqs_queue.undelivered.arn
    }
  }
}

# The role with which EventBridge Scheduler sends.
resource "aws_iam_role" "schedule" {
  count              = length(local.schedules) > 0 ? 1 : 0
  name               = "${var.name}-schedule"
  description        = "Lets schedules put messages into the queue ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.schedule["trust"].json
}

resource "aws_iam_role_policy" "schedule" {
  count  = length(local.schedules) > 0 ? 1 : 0
  name   = "send"
  role   = aws_iam_role.schedule[0].id
  policy = data.aws_iam_policy_document.schedule["send"].json
}

data "aws_iam_policy_document" "schedule" {
  for_each = length(local.schedules) > 0 ? toset(["trust", "send"]) : []

  statement {
    actions   = [each.key == "trust" ? "sts:AssumeRole" : "sqs:SendMessage"]
    resources = each.key == "trust" ? null : [for name in ["queue", "undelivered"] : "${local.arn_prefix}${local.names[name]}"]

    dynamic "principals" {
      for_each = each.key == "trust" ? [1] : []

      content {
        type        = "Service"
        identifiers = ["scheduler.amazonaws.com"]
      }
    }

    # Excludes schedules of other accounts.
    dynamic "condition" {
      for_each = each.key == "trust" ? [1] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [data.aws_caller_identity.current.account_id]
      }
    }
  }
}
