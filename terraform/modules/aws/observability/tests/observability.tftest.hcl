mock_provider "aws" {
  source = "../../mocks/aws"

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:framepost-alarms" }
  }
}

variables {
  name  = "framepost"
  sites = { plant-7 = {}, dock = { silence_minutes = 5 }, attic = { silence_minutes = 0 } }
  functions = {
    probe = {
      lambda_name       = "framepost-probe"
      log_group         = "/aws/lambda/framepost-probe"
      queue_name        = "framepost-probe"
      dead_letters_name = "framepost-probe-dead-letters"
      undelivered_name  = "framepost-probe-undelivered"
    }
  }
  chunks_function = "probe"
  alarms          = { enabled = true, notify = [], oldest_message_minutes = 15, errors = 1, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
}

run "silence_is_missing_data" {
  assert {
    condition     = [for name in keys(aws_cloudwatch_metric_alarm.this) : name if endswith(name, "-silence")] == ["dock-silence", "plant-7-silence"]
    error_message = "one for each site that is not exempt"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["dock-silence"].treat_missing_data == "breaching"
    error_message = "no data is the alarm"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["dock-silence"].period * aws_cloudwatch_metric_alarm.this["dock-silence"].evaluation_periods == 300 && aws_cloudwatch_metric_alarm.this["dock-silence"].datapoints_to_alarm == 5
    error_message = "five silent minutes on end"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["plant-7-silence"].dimensions == tomap({ Function = "probe", Site = "plant-7" }) && aws_cloudwatch_metric_alarm.this["plant-7-silence"].namespace == "Framepost" && aws_cloudwatch_metric_alarm.this["plant-7-silence"].metric_name == "ChunksProbed"
    error_message = "the metric that the function writes"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["plant-7-silence"].evaluation_periods == 15
    error_message = "a quarter of an hour unless said otherwise"
  }
}

run "every_queue_and_function_is_watched" {
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["probe-dead-letters"].dimensions == tomap({ QueueName = "framepost-probe-dead-letters" }) && aws_cloudwatch_metric_alarm.this["probe-dead-letters"].threshold == 1
    error_message = "one dead letter is an alarm"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["probe-undelivered"].dimensions == tomap({ QueueName = "framepost-probe-undelivered" })
    error_message = "so is one undelivered event"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["probe-oldest-message"].threshold == 900 && aws_cloudwatch_metric_alarm.this["probe-oldest-message"].comparison_operator == "GreaterThanThreshold" && aws_cloudwatch_metric_alarm.this["probe-oldest-message"].evaluation_periods == 3 && aws_cloudwatch_metric_alarm.this["probe-oldest-message"].dimensions == tomap({ QueueName = "framepost-probe" })
    error_message = "a quarter of an hour in the queue"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["probe-errors"].metric_name == "Errors" && aws_cloudwatch_metric_alarm.this["probe-throttles"].metric_name == "Throttles"
    error_message = "errors and throttles"
  }
  assert {
    condition     = alltrue([for a in [aws_cloudwatch_metric_alarm.this["probe-dead-letters"], aws_cloudwatch_metric_alarm.this["dock-silence"], aws_cloudwatch_metric_alarm.this["integrity"]] : a.alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:framepost-alarms"])])
    error_message = "alarms go to the topic of their own"
  }
  assert {
    condition     = length(output.alarm_names) == 20
    error_message = "five of the function, two of sites' silence, four for each of three sites' gateways, one of integrity"
  }
}

run "what_gateways_report" {
  assert {
    condition     = aws_cloudwatch_log_metric_filter.gateway["backlog"].pattern == "{ ($.type = \"io.framepost.gateway.reported.v1\") && ($.['spool.oldestAgeSeconds'] > 1800) }" && aws_cloudwatch_log_metric_filter.gateway["camera"].pattern == "{ ($.type = \"io.framepost.gateway.reported.v1\") && ($.camerasSilent > 0) }"
    error_message = "other lines are counted"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["plant-7-clock"].metric_name == aws_cloudwatch_log_metric_filter.gateway["clock"].metric_transformation[0].name && aws_cloudwatch_metric_alarm.this["plant-7-clock"].dimensions["Site"] == "plant-7"
    error_message = "the alarm watches what the filter counts of its site"
  }
}

run "a_function_without_a_queue_has_no_alarms_of_one" {
  variables {
    functions = {
      probe = { lambda_name = "framepost-probe", log_group = "/aws/lambda/framepost-probe", queue_name = "framepost-probe", dead_letters_name = "d", undelivered_name = "u" }
      api   = { lambda_name = "framepost-api", log_group = "/aws/lambda/framepost-api" }
    }
  }
  assert {
    condition     = [for name in output.alarm_names : name if startswith(name, "framepost-api-")] == ["framepost-api-errors", "framepost-api-throttles"]
    error_message = "only requests: ${jsonencode(output.alarm_names)}"
  }
  assert {
    condition     = !strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "null") && strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "framepost-api")
    error_message = "the dashboard shows what there is"
  }
}

run "what_the_logs_say" {
  assert {
    condition     = aws_cloudwatch_log_metric_filter.errors["probe"].pattern == "{ $.level = \"ERROR\" }"
    error_message = "errors in the log are counted"
  }
  assert {
    condition     = aws_cloudwatch_log_metric_filter.integrity[0].log_group_name == "/aws/lambda/framepost-probe" && aws_cloudwatch_metric_alarm.this["integrity"].metric_name == aws_cloudwatch_log_metric_filter.integrity[0].metric_transformation[0].name
    error_message = "the alarm watches what the filter counts"
  }
  assert {
    condition     = !strcontains(aws_cloudwatch_log_metric_filter.integrity[0].pattern, "absent") && strcontains(aws_cloudwatch_log_metric_filter.integrity[0].pattern, "\"invalid\"")
    error_message = "where nobody signs, no signature is no violation"
  }
}

run "who_signs_is_told_of_what_nobody_signed" {
  variables {
    signed = true
  }
  assert {
    condition     = aws_cloudwatch_log_metric_filter.integrity[0].pattern == "{ ($.['integrity.signature'] = \"invalid\") || ($.['integrity.content'] = \"mismatch\") || ($.['integrity.chain.state'] = \"broken\") || ($.['integrity.signature'] = \"absent\") || ($.['integrity.signature'] = \"unknown\") }"
    error_message = "every state of a signature but valid"
  }
  assert {
    condition     = strcontains(aws_cloudwatch_metric_alarm.this["integrity"].alarm_description, "without a signature")
    error_message = "and the alarm says so"
  }
}

run "the_dashboard_shows_every_site_and_queue" {
  assert {
    condition = alltrue([for needle in ["\"plant-7\"", "\"dock\"", "\"attic\"", "framepost-probe-dead-letters", "framepost-probe-undelivered", "HandleLatency", "Rejects"] :
    strcontains(aws_cloudwatch_dashboard.this.dashboard_body, needle)])
    error_message = "sites, queues and the functions' metrics"
  }
  assert {
    condition = alltrue([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets :
    alltrue([for m in w.properties.metrics : can(m[0]) && can(tostring(m[0]))])])
    error_message = "each metric is a list that starts with its namespace"
  }
  assert {
    condition     = output.dashboard_url == "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#dashboards/dashboard/framepost"
    error_message = "where it is"
  }
}

run "given_topics_and_addresses" {
  variables {
    alarms = { enabled = true, notify = ["arn:aws:sns:eu-central-1:123456789012:ops", "ops@example.com"], oldest_message_minutes = 15, errors = 1, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["probe-errors"].alarm_actions == toset(["arn:aws:sns:eu-central-1:123456789012:ops", "arn:aws:sns:eu-central-1:123456789012:framepost-alarms"])
    error_message = "both"
  }
  assert {
    condition     = aws_sns_topic_subscription.email["ops@example.com"].protocol == "email"
    error_message = "the address is subscribed"
  }
}

run "a_given_topic_is_enough" {
  variables {
    alarms = { enabled = true, notify = ["arn:aws:sns:eu-central-1:123456789012:ops"], oldest_message_minutes = 15, errors = 1, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  }
  assert {
    condition     = length(aws_sns_topic.alarms) == 0 && output.topic_arn == null
    error_message = "no second topic"
  }
}

run "no_alarms" {
  variables {
    alarms = { enabled = false, notify = [], oldest_message_minutes = 15, errors = 1, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  }
  assert {
    condition     = length(output.alarm_names) == 0 && length(aws_sns_topic.alarms) == 0 && length(aws_cloudwatch_log_metric_filter.errors) == 1
    error_message = "no alarms; the dashboard and its filters stay"
  }
}

run "without_the_probe_there_is_no_silence" {
  variables {
    chunks_function = null
  }
  assert {
    condition     = !anytrue([for name in output.alarm_names : endswith(name, "-silence") || endswith(name, "-integrity")])
    error_message = "nobody says that a site is alive"
  }
}

run "a_minute_is_too_short" {
  command = plan
  variables {
    sites = { dock = { silence_minutes = 1 } }
  }
  expect_failures = [var.sites]
}

run "longer_than_a_day" {
  command = plan
  variables {
    sites = { dock = { silence_minutes = 1441 } }
  }
  expect_failures = [var.sites]
}

run "unknown_function" {
  command = plan
  variables {
    chunks_function = "prob"
  }
  expect_failures = [var.chunks_function]
}

run "whom_to_tell" {
  command = plan
  variables {
    alarms = { enabled = true, notify = ["ops"], oldest_message_minutes = 15, errors = 1, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  }
  expect_failures = [var.alarms]
}

run "a_threshold_of_zero" {
  command = plan
  variables {
    alarms = { enabled = true, notify = [], oldest_message_minutes = 15, errors = 0, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  }
  expect_failures = [var.alarms]
}

run "a_catalogue_and_who_answers_from_it" {
  variables {
    functions = {
      probe = { lambda_name = "framepost-probe", log_group = "/aws/lambda/framepost-probe", queue_name = "q", dead_letters_name = "d", undelivered_name = "u" }
      api   = { lambda_name = "framepost-api", log_group = "/aws/lambda/framepost-api", answers_requests = true }
    }
    catalogue = { cluster = "framepost-catalogue", connections_max = 450 }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["catalogue-connections"].threshold == 360 && aws_cloudwatch_metric_alarm.this["catalogue-connections"].dimensions == tomap({ DBClusterIdentifier = "framepost-catalogue" })
    error_message = "four fifths of what the database takes"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["catalogue-storage"].threshold == 50 * 1024 * 1024 * 1024
    error_message = "its size, in bytes"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["api-5xx"].metric_name == "Url5xxCount" && aws_cloudwatch_metric_alarm.this["api-5xx"].dimensions == tomap({ FunctionName = "framepost-api" })
    error_message = "requests that failed"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["api-latency"].extended_statistic == "p90" && aws_cloudwatch_metric_alarm.this["api-latency"].statistic == null && aws_cloudwatch_metric_alarm.this["api-latency"].threshold == 3000
    error_message = "one in ten is slow"
  }
  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "probe-5xx")
    error_message = "a function without requests has none that fail"
  }
  assert {
    condition     = alltrue([for title in ["Catalogue: connections, ACU, and GiB", "Requests, refused (4xx), failed (5xx), and ms (p50, p90)"] : contains([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.properties.title], title)])
    error_message = "both are on the dashboard"
  }
}

run "what_is_seen_skipped_and_spent" {
  variables {
    functions = {
      probe = { lambda_name = "framepost-probe", log_group = "/aws/lambda/framepost-probe", queue_name = "q", dead_letters_name = "d", undelivered_name = "u" }
      infer = { lambda_name = "framepost-infer", log_group = "/aws/lambda/framepost-infer", queue_name = "q2", dead_letters_name = "d2", undelivered_name = "u2" }
    }
    infer_function = "infer"
  }
  assert {
    condition     = keys(aws_cloudwatch_log_metric_filter.infer) == ["dollars", "seen", "skipped"] && alltrue([for f in aws_cloudwatch_log_metric_filter.infer : f.log_group_name == "/aws/lambda/framepost-infer"])
    error_message = "counted from the function's log"
  }
  assert {
    condition     = aws_cloudwatch_log_metric_filter.infer["dollars"].metric_transformation[0].value == "$.dollars" && aws_cloudwatch_log_metric_filter.infer["seen"].metric_transformation[0].dimensions == tomap({ Label = "$.label" })
    error_message = "dollars are added up, labels are told apart"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["infer-budget"].metric_name == aws_cloudwatch_log_metric_filter.infer["skipped"].metric_transformation[0].name && aws_cloudwatch_metric_alarm.this["infer-budget"].dimensions == tomap({ Reason = "budget" })
    error_message = "a budget that is used up is an alarm"
  }
  assert {
    condition     = length([for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w if startswith(w.properties.title, "Seen:") || startswith(w.properties.title, "Not looked at:")]) == 2
    error_message = "a row of the dashboard"
  }
  assert {
    condition = [for w in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : w.properties.metrics[1][0].expression if endswith(w.properties.title, "US dollars today (UTC)")] == [
      "SUM(SEARCH('{${aws_cloudwatch_log_metric_filter.infer["dollars"].metric_transformation[0].namespace},Site} MetricName=\"${aws_cloudwatch_log_metric_filter.infer["dollars"].metric_transformation[0].name}\"', 'Sum', 86400))"
    ]
    error_message = "the dollars of a day, which begins at midnight"
  }
}

run "nobody_looks" {
  assert {
    condition     = length(aws_cloudwatch_log_metric_filter.infer) == 0 && !contains(keys(aws_cloudwatch_metric_alarm.this), "infer-budget")
    error_message = "and nothing is counted"
  }
}

run "a_table_of_records" {
  variables {
    records = { stream_name = "framepost-records", undelivered_name = "framepost-records-undelivered" }
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["records-dead-letters"].metric_name == "FailedConversion.Records" && aws_cloudwatch_metric_alarm.this["records-undelivered"].dimensions == tomap({ QueueName = "framepost-records-undelivered" }) && aws_cloudwatch_metric_alarm.this["records-oldest-message"].threshold == 900
    error_message = "what does not fit it, does not reach it, or waits"
  }
}
