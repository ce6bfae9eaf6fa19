mock_provider "google" {
  source = "../../mocks/google"

  mock_resource "google_monitoring_dashboard" {
    defaults = { id = "projects/123456789012/dashboards/d-1" }
  }
  mock_resource "google_monitoring_notification_channel" {
    defaults = { id = "projects/footage-prod/notificationChannels/99" }
  }
}

variables {
  project            = "footage-prod"
  region             = "europe-west1"
  name               = "framepost-eu"
  log_retention_days = 90
  chunks_function    = "probe"
  alarms             = { enabled = true, notify = [], oldest_message_minutes = 15, errors = 1, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  sites              = { plant-7 = { silence_minutes = 10 }, dock-2 = { silence_minutes = 0 } }
  records            = { subscription_name = "framepost-eu-records-bigquery", dead_letters_name = "framepost-eu-records-dead-letters" }

  functions = {
    probe = {
      service_name       = "framepost-eu-probe"
      subscription_names = { object-finalized = "framepost-eu-probe" }
      dead_letters_name  = "framepost-eu-probe-dead-letters"
    }
  }
}

run "every_alarm_is_there" {
  assert {
    condition = output.alarm_names == tolist([
      "framepost-eu-dead-letters",
      "framepost-eu-dock-2-backlog", "framepost-eu-dock-2-camera", "framepost-eu-dock-2-clock", "framepost-eu-dock-2-quarantine",
      "framepost-eu-errors", "framepost-eu-integrity", "framepost-eu-oldest-message",
      "framepost-eu-plant-7-backlog", "framepost-eu-plant-7-camera", "framepost-eu-plant-7-clock", "framepost-eu-plant-7-quarantine",
      "framepost-eu-plant-7-silence", "framepost-eu-throttles",
    ])
    error_message = "Other alarms: ${jsonencode(output.alarm_names)}"
  }

  assert {
    condition     = alltrue([for a in google_monitoring_alert_policy.log : length(a.documentation[0].content) > 40]) && alltrue([for a in google_monitoring_alert_policy.subscription : length(a.documentation[0].content) > 40])
    error_message = "An alarm does not say what it means and what to do."
  }
}

run "what_gateways_report" {
  assert {
    condition     = google_monitoring_alert_policy.log["dock-2-camera"].conditions[0].condition_prometheus_query_language[0].query == "sum(increase(logging_googleapis_com:user_framepost_eu_gateway_camera{monitored_resource=\"cloud_run_revision\",site=\"dock-2\"}[15m])) >= 1"
    error_message = "Another condition: ${google_monitoring_alert_policy.log["dock-2-camera"].conditions[0].condition_prometheus_query_language[0].query}"
  }
  assert {
    condition     = endswith(google_logging_metric.count["gateway_backlog"].filter, "jsonPayload.type=\"io.framepost.gateway.reported.v1\" AND jsonPayload.spool.oldestAgeSeconds>1800") && endswith(google_logging_metric.count["gateway_clock"].filter, "jsonPayload.gatewayClock.synchronized=false")
    error_message = "Other lines are counted: ${google_logging_metric.count["gateway_backlog"].filter}"
  }
}

run "silence_is_an_alarm_also_for_a_site_that_never_sent" {
  assert {
    condition     = google_monitoring_alert_policy.log["plant-7-silence"].conditions[0].condition_prometheus_query_language[0].query == "(sum(increase(logging_googleapis_com:user_framepost_eu_chunks{monitored_resource=\"cloud_run_revision\",site=\"plant-7\"}[10m])) or vector(0)) < 1"
    error_message = "Another condition: ${google_monitoring_alert_policy.log["plant-7-silence"].conditions[0].condition_prometheus_query_language[0].query}"
  }

  assert {
    condition     = alltrue([for a in google_monitoring_alert_policy.log : a.conditions[0].condition_prometheus_query_language[0].disable_metric_validation])
    error_message = "An alarm could not be made before the first line is logged."
  }
}

# Each PromQL name is that of a metric that is there.
run "alarms_ask_for_metrics_that_exist" {
  assert {
    condition = alltrue([for a in google_monitoring_alert_policy.log :
      contains([for m in google_logging_metric.count : "logging_googleapis_com:user_${m.name}"],
    regex("logging_googleapis_com:user_[a-z_]+", a.conditions[0].condition_prometheus_query_language[0].query))])
    error_message = "An alarm asks for a metric that nobody counts."
  }

  assert {
    condition = alltrue([for name in regexall("logging_googleapis_com:user_([a-z_]+)", google_monitoring_dashboard.this.dashboard_json) :
      contains(concat([for m in google_logging_metric.count : m.name], flatten([for m in google_logging_metric.distribution : ["${m.name}_sum", "${m.name}_bucket"]])), name[0])
    ])
    error_message = "The dashboard asks for a metric that nobody counts."
  }
}

run "alarms_about_subscriptions" {
  assert {
    condition = google_monitoring_alert_policy.subscription["dead-letters"].conditions[0].condition_threshold[0].filter == join(" AND ", [
      "resource.type = \"pubsub_subscription\"",
      "metric.type = \"pubsub.googleapis.com/subscription/num_undelivered_messages\"",
      "resource.labels.subscription_id = one_of(\"framepost-eu-probe-dead-letters\", \"framepost-eu-records-dead-letters\")",
    ]) && google_monitoring_alert_policy.subscription["dead-letters"].conditions[0].condition_threshold[0].threshold_value == 0
    error_message = "One parked message is an alarm, of functions and of records."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.subscription["oldest-message"].conditions[0].condition_threshold[0].filter, "one_of(\"framepost-eu-probe\", \"framepost-eu-records-bigquery\")") && google_monitoring_alert_policy.subscription["oldest-message"].conditions[0].condition_threshold[0].threshold_value == 900
    error_message = "A message that waits for 15 minutes is an alarm, of functions and of records."
  }
}

run "every_subscription_of_a_function_is_watched" {
  variables {
    functions = {
      probe = { service_name = "framepost-eu-probe", subscription_names = { object-finalized = "framepost-eu-probe", record = "framepost-eu-probe-record" }, dead_letters_name = "framepost-eu-probe-dead-letters" }
      api   = { service_name = "framepost-eu-api" }
    }
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.subscription["oldest-message"].conditions[0].condition_threshold[0].filter, "one_of(\"framepost-eu-probe\", \"framepost-eu-probe-record\", \"framepost-eu-records-bigquery\")")
    error_message = "Not every subscription: ${google_monitoring_alert_policy.subscription["oldest-message"].conditions[0].condition_threshold[0].filter}"
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.subscription["dead-letters"].conditions[0].condition_threshold[0].filter, "one_of(\"framepost-eu-probe-dead-letters\", \"framepost-eu-records-dead-letters\")")
    error_message = "Dead letters of a function that has none."
  }
}

run "lines_are_counted" {
  assert {
    condition     = strcontains(google_logging_metric.count["chunks"].filter, "resource.labels.service_name=\"framepost-eu-probe\" AND jsonPayload.event=\"handled\" AND jsonPayload.outcome=\"done\" AND jsonPayload.key=~\"[.]mp4$\"") && google_logging_metric.count["chunks"].label_extractors == tomap({ site = "EXTRACT(jsonPayload.site)" })
    error_message = "A gap or the end of a span is no chunk: ${google_logging_metric.count["chunks"].filter}"
  }

  assert {
    condition     = google_logging_metric.distribution["latency_ms"].value_extractor == "EXTRACT(jsonPayload.latency_ms)" && google_logging_metric.distribution["object_bytes"].metric_descriptor[0].value_type == "DISTRIBUTION"
    error_message = "Latency and size are distributions of the line's own fields."
  }

  assert {
    condition = alltrue([for key, m in google_logging_metric.count :
    join(",", sort([for l in m.metric_descriptor[0].labels : l.key])) == join(",", sort(keys(coalesce(m.label_extractors, {}))))])
    error_message = "A label that is taken from a line is not declared, or the other way round."
  }
}

run "where_nobody_signs_no_signature_is_no_violation" {
  assert {
    condition     = !strcontains(google_logging_metric.count["integrity"].filter, "absent") && strcontains(google_logging_metric.count["integrity"].filter, "jsonPayload.integrity.signature=\"invalid\"")
    error_message = "Every chunk would be an alarm: ${google_logging_metric.count["integrity"].filter}"
  }
}

run "who_signs_is_told_of_what_nobody_signed" {
  variables {
    signed = true
  }

  assert {
    condition     = endswith(google_logging_metric.count["integrity"].filter, "(jsonPayload.integrity.signature=\"invalid\" OR jsonPayload.integrity.content=\"mismatch\" OR jsonPayload.integrity.chain.state=\"broken\" OR jsonPayload.integrity.signature=\"absent\" OR jsonPayload.integrity.signature=\"unknown\")")
    error_message = "A forger only has to leave the signature out: ${google_logging_metric.count["integrity"].filter}"
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.log["integrity"].conditions[0].display_name, "without a signature") && google_logging_saved_query.this["integrity"].logging_query[0].filter == google_logging_metric.count["integrity"].filter
    error_message = "The alarm and the query do not say so."
  }
}

run "logs_are_kept_as_long_as_asked_and_once" {
  assert {
    condition     = google_logging_project_bucket_config.this.retention_days == 90
    error_message = "log_retention_days is not followed."
  }

  assert {
    condition     = google_logging_project_sink.this.filter == "${google_logging_project_exclusion.this.filter} AND NOT (log_id(\"run.googleapis.com/requests\") AND httpRequest.status<400)" && google_logging_project_sink.this.destination == "logging.googleapis.com/projects/footage-prod/locations/europe-west1/buckets/framepost-eu"
    error_message = "A line would be kept twice, or not at all: ${google_logging_project_sink.this.filter}"
  }
}

run "everybody_is_told" {
  variables {
    alarms = { enabled = true, notify = ["ops@plant.example", "projects/footage-prod/notificationChannels/7"], oldest_message_minutes = 5, errors = 3, throttles = 30, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  }

  assert {
    condition     = alltrue([for a in google_monitoring_alert_policy.log : toset(a.notification_channels) == toset(["projects/footage-prod/notificationChannels/7", "projects/footage-prod/notificationChannels/99"])])
    error_message = "Somebody is not told."
  }

  assert {
    condition     = google_monitoring_notification_channel.email["ops@plant.example"].labels.email_address == "ops@plant.example"
    error_message = "The mail goes elsewhere."
  }

  assert {
    condition     = google_monitoring_notification_channel.email["ops@plant.example"].force_delete
    error_message = "An address that an alarm names could not be taken out."
  }

  assert {
    condition     = endswith(google_monitoring_alert_policy.log["errors"].conditions[0].condition_prometheus_query_language[0].query, ">= 3") && endswith(google_monitoring_alert_policy.log["throttles"].conditions[0].condition_prometheus_query_language[0].query, ">= 30") && google_monitoring_alert_policy.subscription["oldest-message"].conditions[0].condition_threshold[0].threshold_value == 300
    error_message = "Other thresholds than asked for."
  }
}

run "no_alarms" {
  variables {
    alarms = { enabled = false, notify = [], oldest_message_minutes = 15, errors = 1, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  }

  assert {
    condition     = length(output.alarm_names) == 0 && length(google_logging_metric.count) == 9
    error_message = "Without alarms the metrics are still there for the dashboard."
  }
}

run "without_the_probe_nobody_knows_chunks" {
  variables {
    chunks_function = null
  }

  assert {
    condition     = toset(keys(google_logging_metric.count)) == toset(["handled", "errors", "throttles"]) && length([for name in output.alarm_names : name if endswith(name, "silence")]) == 0
    error_message = "An alarm of silence that nothing could end."
  }
}

run "outputs" {
  assert {
    condition     = output.dashboard_url == "https://console.cloud.google.com/monitoring/dashboards/builder/d-1?project=footage-prod"
    error_message = "Another dashboard: ${output.dashboard_url}"
  }

  assert {
    condition     = toset(keys(output.log_queries)) == toset(["handled", "rejected", "retried", "slow", "errors", "detections", "chunks", "spans", "rejects", "gateways", "cameras", "gaps", "integrity"]) && length(google_logging_saved_query.this) == 13
    error_message = "Other queries: ${jsonencode(keys(output.log_queries))}"
  }
}

run "silence_of_two_days_is_refused" {
  command = plan

  variables {
    sites = { plant-7 = { silence_minutes = 2880 } }
  }

  expect_failures = [var.sites]
}

run "an_unknown_chunks_function_is_refused" {
  command = plan

  variables {
    chunks_function = "prob"
  }

  # What asks for its service cannot be planned either.
  expect_failures = [var.chunks_function]
}

run "an_sns_topic_is_refused" {
  command = plan

  variables {
    alarms = { enabled = true, notify = ["arn:aws:sns:eu-central-1:123456789012:ops"], oldest_message_minutes = 15, errors = 1, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  }

  expect_failures = [var.alarms]
}

run "a_threshold_of_nothing_is_refused" {
  command = plan

  variables {
    alarms = { enabled = true, notify = [], oldest_message_minutes = 15, errors = 0, throttles = 10, backlog_minutes = 30, latency_ms = 3000, catalogue_gib = 50 }
  }

  expect_failures = [var.alarms]
}

run "a_retention_of_eleven_years_is_refused" {
  command = plan

  variables {
    log_retention_days = 4000
  }

  expect_failures = [var.log_retention_days]
}

run "nothing_to_watch_is_refused" {
  command = plan

  variables {
    functions       = {}
    chunks_function = null
  }

  expect_failures = [var.functions]
}

run "a_catalogue_and_who_answers_from_it" {
  variables {
    functions = {
      probe = { service_name = "framepost-probe", subscription_names = { object-finalized = "framepost-probe" }, dead_letters_name = "framepost-probe-dead-letters" }
      api   = { service_name = "framepost-api", answers_requests = true }
    }
    catalogue = { instance = "footage-prod:framepost-catalogue", connections_max = 50 }
  }

  assert {
    condition     = alltrue([for name in ["catalogue-storage", "catalogue-connections", "api-5xx", "api-latency"] : contains(keys(google_monitoring_alert_policy.log), name)]) && !contains(keys(google_monitoring_alert_policy.log), "probe-5xx")
    error_message = "Other alarms: ${jsonencode(keys(google_monitoring_alert_policy.log))}"
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.log["catalogue-connections"].conditions[0].condition_prometheus_query_language[0].query, "database_id=\"footage-prod:framepost-catalogue\"}) >= 40")
    error_message = "Not four fifths of what the database takes."
  }

  assert {
    condition     = alltrue([for title in ["Catalogue: connections, GiB and processors", "Requests' time, ms (p50, p90)"] : contains([for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles : tile.widget.title], title)])
    error_message = "The dashboard has no row of them."
  }
}

run "what_is_seen_skipped_and_spent" {
  variables {
    functions = {
      probe = { service_name = "framepost-probe", subscription_names = { object-finalized = "framepost-probe" }, dead_letters_name = "framepost-probe-dead-letters" }
      infer = { service_name = "framepost-infer", subscription_names = { record = "framepost-infer-record" }, dead_letters_name = "framepost-infer-dead-letters" }
    }
    infer_function = "infer"
  }

  assert {
    condition     = google_logging_metric.count["seen"].label_extractors == tomap({ label = "EXTRACT(jsonPayload.label)" }) && google_logging_metric.distribution["dollars"].value_extractor == "EXTRACT(jsonPayload.dollars)" && strcontains(google_logging_metric.distribution["dollars"].filter, "framepost-infer")
    error_message = "Labels are not counted, or dollars not added up."
  }

  assert {
    condition     = strcontains(google_monitoring_alert_policy.log["infer-budget"].conditions[0].condition_prometheus_query_language[0].query, "reason=\"budget\"") && contains(keys(google_logging_saved_query.this), "budget")
    error_message = "Nobody is told that a budget is used up."
  }

  assert {
    condition     = length([for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles : tile if startswith(tile.widget.title, "Seen:") || startswith(tile.widget.title, "Not looked at:")]) == 2
    error_message = "The dashboard has no row of it."
  }

  assert {
    condition     = anytrue([for tile in jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles : endswith(tile.widget.title, "US dollars of the last 24 hours") && strcontains(jsonencode(tile.widget), "_dollars_sum{") && strcontains(jsonencode(tile.widget), "[1d]))")])
    error_message = "The dollars are not those of the time that the title says."
  }
}
