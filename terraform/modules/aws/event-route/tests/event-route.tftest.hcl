mock_provider "aws" {
  source = "../../mocks/aws"

  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/framepost-probe" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:q", url = "https://sqs/q" }
  }
}

variables {
  name           = "framepost-probe"
  bucket         = "footage"
  bus_name       = "framepost-records"
  triggers       = { object-finalized = { event = "object-finalized" } }
  timeout_s      = 30
  max_deliveries = 8
}

run "every_object_of_the_bucket" {
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["object-finalized"].event_pattern) == { source = ["aws.s3"], detail-type = ["Object Created"], detail = { bucket = { name = ["footage"] } } }
    error_message = "every completed object, whichever way it was put"
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this["object-finalized"].event_bus_name == "default"
    error_message = "S3 sends to the default bus"
  }
}

run "numbers_that_bite" {
  assert {
    condition     = aws_sqs_queue.queue.visibility_timeout_seconds >= 6 * var.timeout_s
    error_message = "visibility is at least 6 × the timeout"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.queue.redrive_policy).maxReceiveCount == 8
    error_message = "max_deliveries is the queue's maxReceiveCount"
  }
  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds > aws_sqs_queue.queue.message_retention_seconds
    error_message = "a message keeps its age when it is parked"
  }
  assert {
    condition     = alltrue([for q in [aws_sqs_queue.queue, aws_sqs_queue.dead_letters, aws_sqs_queue.undelivered] : q.sqs_managed_sse_enabled])
    error_message = "queues are encrypted"
  }
  assert {
    condition     = aws_cloudwatch_event_target.queue["object-finalized"].retry_policy[0].maximum_event_age_in_seconds == 86400 && aws_cloudwatch_event_target.queue["object-finalized"].retry_policy[0].maximum_retry_attempts == 185
    error_message = "EventBridge tries for a day"
  }
  assert {
    condition     = length(aws_cloudwatch_event_target.queue["object-finalized"].dead_letter_config) == 1
    error_message = "what EventBridge gives up is kept"
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.dead_letters.redrive_allow_policy) == { redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:eu-central-1:123456789012:framepost-probe"] }
    error_message = "the dead-letter queue is this queue's alone"
  }
}

run "only_this_rule_may_send" {
  assert {
    condition = alltrue([for name in ["queue", "undelivered"] : anytrue([for s in data.aws_iam_policy_document.queue[name].statement :
      s.sid == "EventsOfTheseRules" && s.actions == toset(["sqs:SendMessage"]) &&
      s.condition == toset([{ test = "ArnEquals", variable = "aws:SourceArn", values = tolist(["arn:aws:events:eu-central-1:123456789012:rule/framepost-probe"]) }])
    ])])
    error_message = "EventBridge may send for this rule alone"
  }
  assert {
    condition     = [for s in data.aws_iam_policy_document.queue["dead_letters"].statement : s.sid] == ["OnlyTls"]
    error_message = "nobody is let into the dead-letter queue by its policy"
  }
}

run "prefixes" {
  variables {
    triggers = { object-finalized = { event = "object-finalized", prefixes = ["plant-7/", "dock/"] } }
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["object-finalized"].event_pattern).detail.object.key == [{ prefix = "plant-7/" }, { prefix = "dock/" }]
    error_message = "any of the prefixes"
  }
}

run "suffixes" {
  variables {
    triggers = { object-finalized = { event = "object-finalized", suffixes = [".mp4"] } }
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["object-finalized"].event_pattern).detail.object.key == [{ suffix = ".mp4" }]
    error_message = "any of the suffixes"
  }
}

run "prefixes_and_suffixes" {
  variables {
    triggers = { object-finalized = { event = "object-finalized", prefixes = ["plant-7/", "dock/"], suffixes = [".mp4"] } }
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["object-finalized"].event_pattern).detail.object.key == [{ wildcard = "plant-7/*.mp4" }, { wildcard = "dock/*.mp4" }]
    error_message = "both have to fit"
  }
}

run "below_the_sites_alone" {
  variables {
    key_prefixes = ["plant-7/", "dock/"]
    triggers = {
      object-finalized   = { event = "object-finalized" }
      object-finalized-2 = { event = "object-finalized", prefixes = ["plant-7/2026", "plant-70/"], suffixes = [".mp4"] }
      object-removed     = { event = "object-removed", prefixes = ["d"] }
    }
  }
  assert {
    condition = { for key, rule in aws_cloudwatch_event_rule.this : key => jsondecode(rule.event_pattern).detail.object.key } == {
      object-finalized   = [{ prefix = "plant-7/" }, { prefix = "dock/" }]
      object-finalized-2 = [{ wildcard = "plant-7/2026*.mp4" }]
      object-removed     = [{ prefix = "dock/" }]
    }
    error_message = "both kinds of prefix have to fit: ${jsonencode([for rule in aws_cloudwatch_event_rule.this : rule.event_pattern])}"
  }
}

run "prefixes_outside_the_sites" {
  command = plan
  variables {
    key_prefixes = ["plant-7/"]
    triggers     = { object-removed = { event = "object-removed", prefixes = ["dock/"] } }
  }
  expect_failures = [aws_cloudwatch_event_rule.this["object-removed"]]
}

run "several_triggers_fill_one_queue" {
  variables {
    triggers = {
      object-removed = { event = "object-removed", suffixes = [".mp4"] }
      record         = { event = "record", types = ["io.framepost.chunk.probed.v1"] }
      record-2 = {
        event   = "record", types = ["io.framepost.object.rejected.v1", "io.framepost.gap.recorded.v1"]
        filters = { site = ["\"plant-7\"", "\"dock\""], startsWithRandomAccess = ["true"] }
      }
    }
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["object-removed"].event_pattern) == { source = ["aws.s3"], detail-type = ["Object Deleted"], detail = { bucket = { name = ["footage"] }, object = { key = [{ suffix = ".mp4" }] } } }
    error_message = "removed objects, by whomever"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["record"].event_pattern) == { source = [{ prefix = "framepost." }], detail-type = ["io.framepost.chunk.probed.v1"] }
    error_message = "records of that type, from any function"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["record-2"].event_pattern).detail == { data = { site = ["plant-7", "dock"], startsWithRandomAccess = [true] } }
    error_message = "a text is a text and a flag is a flag: ${aws_cloudwatch_event_rule.this["record-2"].event_pattern}"
  }
  assert {
    condition     = { for key, rule in aws_cloudwatch_event_rule.this : key => "${rule.event_bus_name}/${rule.name}" } == { object-removed = "default/framepost-probe-object-removed", record = "framepost-records/framepost-probe-record", record-2 = "framepost-records/framepost-probe-record-2" }
    error_message = "objects on the default bus, records on theirs"
  }
  assert {
    condition     = toset([for target in aws_cloudwatch_event_target.queue : target.arn]) == toset([aws_sqs_queue.queue.arn]) && length(aws_cloudwatch_event_target.queue) == 3
    error_message = "one queue"
  }
}

run "schedules" {
  variables {
    triggers = {
      schedule-sweep   = { event = "schedule", name = "sweep", cron = "*/15 * * * *" }
      schedule-workday = { event = "schedule", name = "workday", cron = "30 6 * * MON-FRI" }
      schedule-monthly = { event = "schedule", name = "monthly", cron = "0 */8 1 */3 *" }
    }
  }
  assert {
    condition = { for key, schedule in aws_scheduler_schedule.this : schedule.name => schedule.schedule_expression } == {
      framepost-probe-sweep   = "cron(0/15 * * * ? *)"
      framepost-probe-workday = "cron(30 6 ? * MON-FRI *)"
      framepost-probe-monthly = "cron(0 0/8 1 1/3 ? *)"
    }
    error_message = "cron as AWS writes it: ${jsonencode([for schedule in aws_scheduler_schedule.this : schedule.schedule_expression])}"
  }
  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : schedule.schedule_expression_timezone == "UTC" && one(schedule.flexible_time_window).mode == "OFF" && one(schedule.target).arn == aws_sqs_queue.queue.arn])
    error_message = "at that minute, into the queue"
  }
  assert {
    condition     = jsondecode(one(aws_scheduler_schedule.this["schedule-sweep"].target).input) == { specversion = "1.0", id = "<aws.scheduler.execution-id>", source = "framepost/schedule", type = "io.framepost.schedule.due.v1", time = "<aws.scheduler.scheduled-time>", datacontenttype = "application/json", data = { name = "sweep" } }
    error_message = "a CloudEvent that says which schedule it is"
  }
  assert {
    condition     = [for s in data.aws_iam_policy_document.schedule["send"].statement : s.actions] == [toset(["sqs:SendMessage"])] && length(aws_iam_role.schedule) == 1 && length(aws_cloudwatch_event_rule.this) == 0
    error_message = "under a role that can send and nothing else"
  }
}

run "a_short_timeout_still_hides_messages" {
  variables {
    timeout_s = 1
  }
  assert {
    condition     = aws_sqs_queue.queue.visibility_timeout_seconds == 30
    error_message = "30 s at the least"
  }
}

run "a_batching_window_counts" {
  variables {
    batching_window_s = 60
  }
  assert {
    condition     = aws_sqs_queue.queue.visibility_timeout_seconds == 240
    error_message = "6 × 30 s and the window"
  }
}

run "bad_name" {
  command = plan
  variables {
    name = "framepost probe"
  }
  expect_failures = [var.name]
}

run "no_triggers" {
  command = plan
  variables {
    triggers = {}
  }
  expect_failures = [var.triggers]
}

run "requests_need_no_route" {
  command = plan
  variables {
    triggers = { http = { event = "http" } }
  }
  expect_failures = [var.triggers]
}

run "records_without_types" {
  command = plan
  variables {
    triggers = { record = { event = "record" } }
  }
  expect_failures = [var.triggers]
}

run "a_wildcard_in_a_prefix" {
  command = plan
  variables {
    triggers = { object-removed = { event = "object-removed", prefixes = ["a*"] } }
  }
  expect_failures = [var.triggers]
}

run "days_by_number" {
  command = plan
  variables {
    triggers = { schedule-a = { event = "schedule", name = "a", cron = "0 0 * * 1" } }
  }
  expect_failures = [var.triggers]
}

run "timeout_beyond_lambda" {
  command = plan
  variables {
    timeout_s = 901
  }
  expect_failures = [var.timeout_s]
}

run "window_beyond_lambda" {
  command = plan
  variables {
    batching_window_s = 301
  }
  expect_failures = [var.batching_window_s]
}

run "too_few_deliveries" {
  command = plan
  variables {
    max_deliveries = 4
  }
  expect_failures = [var.max_deliveries]
}

run "too_many_sites_for_one_rule" {
  command = plan
  variables {
    key_prefixes = [for i in range(100) : "a-site-with-a-long-name-${i}/"]
  }
  expect_failures = [aws_cloudwatch_event_rule.this["object-finalized"]]
}
