mock_provider "google" {
  source = "../../mocks/google"

  mock_resource "google_service_account" {
    defaults = {
      name   = "projects/footage-prod/serviceAccounts/framepost-probe-push@footage-prod.iam.gserviceaccount.com"
      email  = "framepost-probe-push@footage-prod.iam.gserviceaccount.com"
      member = "serviceAccount:framepost-probe-push@footage-prod.iam.gserviceaccount.com"
    }
  }
}

variables {
  project         = "footage-prod"
  name            = "framepost-probe"
  triggers        = { object-finalized = { event = "object-finalized" } }
  finalized_topic = "projects/footage-prod/topics/framepost-finalized"
  removed_topic   = "projects/footage-prod/topics/framepost-removed"
  records_topic   = "projects/footage-prod/topics/framepost-records"
  service         = { name = "framepost-probe", location = "europe-west1", url = "https://framepost-probe-abc-ew.a.run.app" }
  dead_letters    = "projects/footage-prod/topics/framepost-probe-dead-letters"
  timeout_s       = 30
  max_deliveries  = 8
  pubsub_agent    = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
}

run "pushes_as_itself" {
  assert {
    condition     = google_pubsub_subscription.this["object-finalized"].push_config[0].push_endpoint == var.service.url
    error_message = "Messages are pushed elsewhere."
  }

  assert {
    condition = google_pubsub_subscription.this["object-finalized"].push_config[0].oidc_token[0] == {
      service_account_email = "framepost-probe-push@footage-prod.iam.gserviceaccount.com"
      audience              = "https://framepost-probe-abc-ew.a.run.app"
    }
    error_message = "A push carries the token of the push identity, for this service."
  }

  assert {
    condition = (google_cloud_run_v2_service_iam_member.push.role == "roles/run.invoker"
      && google_cloud_run_v2_service_iam_member.push.member == google_service_account.push.member
    && google_cloud_run_v2_service_iam_member.push.name == "framepost-probe")
    error_message = "The push identity, and only that, may call this one service."
  }

  assert {
    condition     = google_service_account_iam_member.push_token.service_account_id == google_service_account.push.name && google_service_account_iam_member.push_token.member == var.pubsub_agent
    error_message = "Pub/Sub's agent makes tokens of this one identity."
  }
}

run "replays_reach_this_function_alone" {
  assert {
    condition     = google_pubsub_topic.replay[0].name == "framepost-probe-replay" && output.replay_topic == google_pubsub_topic.replay[0].id
    error_message = "framepost replay looks for the topic framepost-FUNCTION-replay."
  }

  assert {
    condition = (google_pubsub_subscription.replay[0].topic == google_pubsub_topic.replay[0].id
      && google_pubsub_subscription.replay[0].push_config[0] == google_pubsub_subscription.this["object-finalized"].push_config[0]
      && google_pubsub_subscription.replay[0].dead_letter_policy[0] == google_pubsub_subscription.this["object-finalized"].dead_letter_policy[0]
    && google_pubsub_subscription.replay[0].ack_deadline_seconds == 60)
    error_message = "What is replayed is delivered like everything else."
  }

  assert {
    condition     = contains(keys(google_pubsub_subscription_iam_member.dead_letters), "replay")
    error_message = "What is replayed could not be dead-lettered."
  }
}

run "schedules_are_not_replayed" {
  variables {
    triggers = { schedule-sweep = { event = "schedule", name = "sweep", cron = "0 * * * *" } }
  }

  assert {
    condition     = length(google_pubsub_topic.replay) == 0 && length(google_pubsub_subscription.replay) == 0 && output.replay_topic == null
    error_message = "There is nothing to replay for a function that only schedules call."
  }
}

run "numbers_that_bite" {
  assert {
    condition     = google_pubsub_subscription.this["object-finalized"].ack_deadline_seconds == 60 && google_pubsub_subscription.this["object-finalized"].ack_deadline_seconds > var.timeout_s
    error_message = "A push would be given up while the function still works on it."
  }

  assert {
    condition     = google_pubsub_subscription.this["object-finalized"].expiration_policy[0].ttl == ""
    error_message = "The subscription would expire in a quiet month."
  }

  assert {
    condition     = google_pubsub_subscription.this["object-finalized"].retry_policy[0].minimum_backoff == "10s" && google_pubsub_subscription.this["object-finalized"].retry_policy[0].maximum_backoff == "600s"
    error_message = "Retries have no back-off."
  }

  assert {
    condition     = google_pubsub_subscription.this["object-finalized"].dead_letter_policy[0].dead_letter_topic == var.dead_letters && google_pubsub_subscription.this["object-finalized"].dead_letter_policy[0].max_delivery_attempts == 8
    error_message = "What never succeeds is parked after max_deliveries."
  }

  assert {
    condition     = google_pubsub_subscription_iam_member.dead_letters["object-finalized"].role == "roles/pubsub.subscriber" && google_pubsub_subscription_iam_member.dead_letters["object-finalized"].member == var.pubsub_agent
    error_message = "Without this grant nothing is ever dead-lettered."
  }

  assert {
    condition     = google_pubsub_subscription.this["object-finalized"].filter == null && length(google_pubsub_subscription.this["object-finalized"].message_transforms) == 0
    error_message = "Nothing is filtered that nobody asked to filter."
  }
}

run "the_longest_timeout_has_its_deadline" {
  variables {
    timeout_s = 570
  }

  assert {
    condition     = google_pubsub_subscription.this["object-finalized"].ack_deadline_seconds == 600
    error_message = "600 seconds are Pub/Sub's limit."
  }
}

run "prefixes_and_suffixes" {
  variables {
    triggers = { object-finalized = {
      event    = "object-finalized"
      prefixes = ["plant-7/", "dock-2/"]
      suffixes = [".mp4", ".webm"]
    } }
  }

  assert {
    condition     = google_pubsub_subscription.this["object-finalized"].filter == "hasPrefix(attributes.objectId, \"plant-7/\") OR hasPrefix(attributes.objectId, \"dock-2/\")"
    error_message = "Prefixes are Pub/Sub's own filter: ${google_pubsub_subscription.this["object-finalized"].filter}"
  }

  assert {
    condition     = strcontains(google_pubsub_subscription.this["object-finalized"].message_transforms[0].javascript_udf[0].code, "[\".mp4\",\".webm\"].some((suffix) => key.endsWith(suffix)) ? message : null")
    error_message = "Suffixes are not sorted out: ${google_pubsub_subscription.this["object-finalized"].message_transforms[0].javascript_udf[0].code}"
  }

  assert {
    condition     = strcontains(google_pubsub_subscription.this["object-finalized"].message_transforms[0].javascript_udf[0].code, "function ${google_pubsub_subscription.this["object-finalized"].message_transforms[0].javascript_udf[0].function_name}(")
    error_message = "The function that is named is not the one that is there."
  }
}

run "each_trigger_has_a_subscription" {
  variables {
    triggers = {
      object-removed = { event = "object-removed", prefixes = ["plant-7/"] }
      record         = { event = "record", types = ["io.framepost.chunk.probed.v1", "io.framepost.gap.recorded.v1"] }
      record-2 = {
        event   = "record", types = ["io.framepost.chunk.probed.v1"]
        filters = { site = ["\"plant-7\"", "\"dock-2\""], startsWithRandomAccess = ["true"] }
      }
    }
  }

  assert {
    condition = { for key, s in google_pubsub_subscription.this : key => "${s.name} ${basename(s.topic)}" } == {
      object-removed = "framepost-probe-object-removed framepost-removed"
      record         = "framepost-probe-record framepost-records"
      record-2       = "framepost-probe-record-2 framepost-records"
    }
    error_message = "Each from its topic."
  }

  assert {
    condition     = google_pubsub_subscription.this["record"].filter == "attributes.\"ce-type\" = \"io.framepost.chunk.probed.v1\" OR attributes.\"ce-type\" = \"io.framepost.gap.recorded.v1\""
    error_message = "A name with a hyphen has to be quoted in a filter: ${google_pubsub_subscription.this["record"].filter}"
  }

  assert {
    condition     = google_pubsub_subscription.this["record-2"].filter == "attributes.\"ce-type\" = \"io.framepost.chunk.probed.v1\" AND (attributes.\"data-site\" = \"plant-7\" OR attributes.\"data-site\" = \"dock-2\") AND attributes.\"data-startsWithRandomAccess\" = \"true\""
    error_message = "Every field has one of its values: ${google_pubsub_subscription.this["record-2"].filter}"
  }

  assert {
    condition     = google_pubsub_subscription.this["object-removed"].filter == "hasPrefix(attributes.objectId, \"plant-7/\")" && keys(google_pubsub_subscription_iam_member.dead_letters) == ["object-removed", "record", "record-2", "replay"]
    error_message = "Each with its dead letters."
  }
}

run "schedules" {
  variables {
    triggers = { schedule-sweep = { event = "schedule", name = "sweep", cron = "*/15 * * * *" } }
  }

  assert {
    condition     = google_cloud_scheduler_job.this["schedule-sweep"].name == "framepost-probe-sweep" && google_cloud_scheduler_job.this["schedule-sweep"].schedule == "*/15 * * * *" && google_cloud_scheduler_job.this["schedule-sweep"].time_zone == "Etc/UTC"
    error_message = "At those minutes, in UTC."
  }

  assert {
    condition     = jsondecode(base64decode(google_cloud_scheduler_job.this["schedule-sweep"].http_target[0].body)).data.name == "sweep" && google_cloud_scheduler_job.this["schedule-sweep"].http_target[0].oidc_token[0].audience == var.service.url
    error_message = "A CloudEvent that says which schedule it is, with the push identity's token."
  }

  assert {
    condition     = length(google_pubsub_subscription.this) == 0
    error_message = "A schedule needs no subscription."
  }
}

run "a_long_name_still_has_an_identity" {
  variables {
    name = "framepost-production-transcode"
  }

  assert {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", google_service_account.push.account_id)) && endswith(google_service_account.push.account_id, "-push")
    error_message = "Not an account id: ${google_service_account.push.account_id}"
  }
}

run "a_topic_that_is_not_there_is_refused" {
  command = plan

  variables {
    triggers      = { object-removed = { event = "object-removed" } }
    removed_topic = null
  }

  expect_failures = [google_pubsub_subscription.this["object-removed"]]
}

run "requests_need_no_route" {
  command = plan

  variables {
    triggers = { http = { event = "http" } }
  }

  expect_failures = [var.triggers]
}

run "a_quote_in_a_prefix_is_refused" {
  command = plan

  variables {
    triggers = { object-finalized = { event = "object-finalized", prefixes = ["a\") OR hasPrefix(attributes.objectId, \""] } }
  }

  expect_failures = [var.triggers]
}

run "prefixes_too_long_are_refused" {
  command = plan

  variables {
    triggers = { object-finalized = { event = "object-finalized", prefixes = [for n in range(8) : "a-rather-long-site-${n}/"] } }
  }

  expect_failures = [google_pubsub_subscription.this["object-finalized"]]
}

run "records_without_types_are_refused" {
  command = plan

  variables {
    triggers = { record = { event = "record" } }
  }

  expect_failures = [var.triggers]
}

run "a_type_that_is_none_is_refused" {
  command = plan

  variables {
    triggers = { record = { event = "record", types = ["Chunk Probed\""] } }
  }

  expect_failures = [var.triggers]
}

run "a_field_that_is_none_is_refused" {
  command = plan

  variables {
    triggers = { record = { event = "record", types = ["io.framepost.chunk.probed.v1"], filters = { "a\"" = ["\"b\""] } } }
  }

  expect_failures = [var.triggers]
}

run "a_filter_too_long_is_refused" {
  command = plan

  variables {
    triggers = { record = { event = "record", types = [for n in range(6) : "io.framepost.chunk.probed.v${n}"] } }
  }

  expect_failures = [google_pubsub_subscription.this["record"]]
}

run "a_timeout_beyond_a_push_is_refused" {
  command = plan

  variables {
    timeout_s = 571
  }

  expect_failures = [var.timeout_s]
}

run "four_deliveries_are_refused" {
  command = plan

  variables {
    max_deliveries = 4
  }

  expect_failures = [var.max_deliveries]
}

run "a_name_in_capitals_is_refused" {
  command = plan

  variables {
    name = "Framepost"
  }

  expect_failures = [var.name]
}

run "half_a_second_is_refused" {
  command = plan

  variables {
    timeout_s = 30.5
  }

  expect_failures = [var.timeout_s]
}

run "half_a_delivery_is_refused" {
  command = plan

  variables {
    max_deliveries = 5.5
  }

  expect_failures = [var.max_deliveries]
}
