mock_provider "aws" {
  source = "../../mocks/aws"

  mock_resource "aws_cloudwatch_event_bus" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:event-bus/framepost-records" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/framepost-records/log" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:records" }
  }
}

variables {
  name               = "framepost-records"
  log_retention_days = 30
}

run "a_bus_and_nothing_to_pay_for" {
  assert {
    condition     = aws_cloudwatch_event_bus.this.name == "framepost-records"
    error_message = "the bus"
  }
  assert {
    condition     = length(aws_cloudwatch_event_archive.this) + length(aws_cloudwatch_log_group.records) + length(aws_cloudwatch_event_rule.log) == 0
    error_message = "no archive and no log unless asked for"
  }
  assert {
    condition     = output.log_group == null
    error_message = "no log group"
  }
}

run "archive" {
  variables {
    archive_days = 14
  }
  assert {
    condition     = aws_cloudwatch_event_archive.this[0].retention_days == 14
    error_message = "two weeks of replay"
  }
}

run "log" {
  variables {
    log = true
  }
  assert {
    condition     = aws_cloudwatch_log_group.records[0].name == "/aws/events/framepost-records" && aws_cloudwatch_log_group.records[0].retention_in_days == 30
    error_message = "EventBridge writes below /aws/events/ alone; kept for 30 days"
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.log[0].event_pattern) == { source = [{ prefix = "framepost." }] }
    error_message = "every record"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.log[0].statement : one(s.condition).values if s.actions == toset(["logs:PutLogEvents"])]) == tolist(["arn:aws:events:eu-central-1:123456789012:rule/framepost-records/log"])
    error_message = "only that rule may write"
  }
  assert {
    condition = one([for s in data.aws_iam_policy_document.log[0].statement : s.condition if s.actions == toset(["logs:CreateLogStream"])]) == toset([
    { test = "ArnEqualsIfExists", variable = "aws:SourceArn", values = tolist(["arn:aws:events:eu-central-1:123456789012:rule/framepost-records/log"]) }])
    error_message = "EventBridge may make its streams without naming the rule, and for no other"
  }
  assert {
    condition     = output.log_group == "/aws/events/framepost-records"
    error_message = "the log group is told"
  }
}

run "the_default_bus_is_aws_s" {
  command = plan
  variables {
    name = "default"
  }
  expect_failures = [var.name]
}

run "half_a_day" {
  command = plan
  variables {
    archive_days = 0.5
  }
  expect_failures = [var.archive_days]
}
