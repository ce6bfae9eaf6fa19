mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { id = "eu-central-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/framepost-probe" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:q", url = "https://sqs/q" }
  }
}

variables {
  name           = "framepost-probe"
  objects        = { bucket = "footage" }
  timeout_s      = 30
  max_deliveries = 8
}

run "every_object_of_the_bucket" {
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this.event_pattern) == { source = ["aws.s3"], detail-type = ["Object Created"], detail = { bucket = { name = ["footage"] } } }
    error_message = "every completed object, whichever way it was put"
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this.event_bus_name == "default"
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
    condition     = aws_cloudwatch_event_target.queue.retry_policy[0].maximum_event_age_in_seconds == 86400 && aws_cloudwatch_event_target.queue.retry_policy[0].maximum_retry_attempts == 185
    error_message = "EventBridge tries for a day"
  }
  assert {
    condition     = length(aws_cloudwatch_event_target.queue.dead_letter_config) == 1
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
      s.sid == "EventsOfThisRule" && s.actions == toset(["sqs:SendMessage"]) &&
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
    objects = { bucket = "footage", prefixes = ["plant-7/", "dock/"] }
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this.event_pattern).detail.object.key == [{ prefix = "plant-7/" }, { prefix = "dock/" }]
    error_message = "any of the prefixes"
  }
}

run "suffixes" {
  variables {
    objects = { bucket = "footage", suffixes = [".mp4"] }
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this.event_pattern).detail.object.key == [{ suffix = ".mp4" }]
    error_message = "any of the suffixes"
  }
}

run "prefixes_and_suffixes" {
  variables {
    objects = { bucket = "footage", prefixes = ["plant-7/", "dock/"], suffixes = [".mp4"] }
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this.event_pattern).detail.object.key == [{ wildcard = "plant-7/*.mp4" }, { wildcard = "dock/*.mp4" }]
    error_message = "both have to fit"
  }
}

run "records_of_a_bus" {
  variables {
    objects = null
    records = { bus_name = "framepost-records", types = ["io.framepost.chunk.probed.v1"] }
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this.event_pattern) == { source = [{ prefix = "framepost." }], detail-type = ["io.framepost.chunk.probed.v1"] }
    error_message = "records of that type, from any function"
  }
  assert {
    condition     = aws_cloudwatch_event_rule.this.event_bus_name == "framepost-records" && aws_cloudwatch_event_target.queue.event_bus_name == "framepost-records"
    error_message = "on the records' bus"
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

run "neither_objects_nor_records" {
  command = plan
  variables {
    objects = null
  }
  expect_failures = [var.objects]
}

run "objects_and_records" {
  command = plan
  variables {
    records = { bus_name = "b", types = ["t"] }
  }
  expect_failures = [var.objects]
}

run "records_without_types" {
  command = plan
  variables {
    objects = null
    records = { bus_name = "b", types = [] }
  }
  expect_failures = [var.records]
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
    objects = { bucket = "footage", prefixes = [for i in range(100) : "a-site-with-a-long-name-${i}/"] }
  }
  expect_failures = [aws_cloudwatch_event_rule.this]
}
