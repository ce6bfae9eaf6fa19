# The way of events to one function: a push subscription for each trigger, and as whom they push.
#
#   topics ─▶ subscriptions ─push─▶ Cloud Run      max_deliveries without success, or rejected ─▶ dead-letters
#   clock ───────────────────POST─▶ Cloud Run      comes again for an hour, then at its next time
#   framepost replay ─▶ a topic of the function's own ─push─▶ Cloud Run      the others hear nothing of it
#
# Numbers that bite: a push is given up at the acknowledgement deadline, which therefore lies above the function's timeout;
# a subscription is deleted after 31 idle days unless it is told never to expire; the attributes of a message can be
# filtered, but a filter can never be changed (Terraform replaces the subscription, and with it the backlog).

locals {
  day_s = 86400

  topics = { object-finalized = var.finalized_topic, object-removed = var.removed_topic, record = var.records_topic }

  # Prefixes, types and fields are sorted out by Pub/Sub's own filter, which costs nothing. It knows no suffixes.
  choices = { for key, trigger in local.messages : key => concat(
    trigger.event == "record" ? [[for type in trigger.types : "attributes.\"ce-type\" = \"${type}\""]] : [],
    trigger.event == "record" ? [for field, values in trigger.filters : [
      for value in values : "attributes.\"data-${field}\" = ${jsonencode(tostring(jsondecode(value)))}"
    ]] : [],
    length(trigger.prefixes) == 0 ? [] : [[for prefix in trigger.prefixes : "hasPrefix(attributes.objectId, \"${prefix}\")"]],
  ) }
  filters = { for key, choices in local.choices : key => join(" AND ", [
    for choice in choices : length(choices) > 1 && length(choice) > 1 ? "(${join(" OR ", choice)})" : join(" OR ", choice)
  ]) }

  messages  = { for key, trigger in var.triggers : key => trigger if contains(keys(local.topics), trigger.event) }
  schedules = { for key, trigger in var.triggers : key => trigger if trigger.event == "schedule" }

  # A service account's id has 30 characters at most.
  account_id = length(var.name) <= 25 ? "${var.name}-push" : "${substr(var.name, 0, 16)}-${substr(sha256(var.name), 0, 8)}-push"
}

resource "google_pubsub_subscription" "this" {
  for_each = local.messages
  project  = var.project
  name     = each.key == "object-finalized" ? var.name : "${var.name}-${each.key}"
  topic    = local.topics[each.value.event]
  filter   = local.filters[each.key] == "" ? null : local.filters[each.key]

  ack_deadline_seconds       = min(600, var.timeout_s + 30)
  message_retention_duration = "${7 * local.day_s}s"

  # Of what has one of the suffixes nothing is lost; the rest is acknowledged without a push.
  dynamic "message_transforms" {
    for_each = length(each.value.suffixes) == 0 ? [] : [each.value.suffixes]

    content {
      javascript_udf {
        function_name = "has_suffix"
        code          = <<-JS
          function has_suffix(message, metadata) {
            const key = (message.attributes || {}).objectId || "";
            return ${jsonencode(message_transforms.value)}.some((suffix) => key.endsWith(suffix)) ? message : null;
          }
        JS
      }
    }
  }

  push_config {
    push_endpoint = var.service.url

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = var.service.url
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = var.dead_letters
    max_delivery_attempts = var.max_deliveries
  }

  expiration_policy {
    ttl = ""
  }

  # Else the first pushes would be refused and count as deliveries.
  depends_on = [google_cloud_run_v2_service_iam_member.push, google_service_account_iam_member.push_token]

  lifecycle {
    precondition {
      condition     = length(local.filters[each.key]) <= 256
      error_message = "The trigger ${each.key} of ${var.name} makes a filter longer than Pub/Sub's 256 characters: use fewer or shorter prefixes, types or values, or split it into two triggers."
    }

    precondition {
      condition     = local.topics[each.value.event] != null
      error_message = "There is no topic for ${each.value.event}."
    }
  }
}

moved {
  from = google_pubsub_subscription.this
  to   = google_pubsub_subscription.this["object-finalized"]
}

# What `framepost replay` gives to this function alone. A topic without messages costs nothing.
resource "google_pubsub_topic" "replay" {
  count        = length(local.messages) == 0 ? 0 : 1
  project      = var.project
  name         = "${var.name}-replay"
  kms_key_name = var.encryption_key

  # Keys of footage stay where the footage is processed.
  message_storage_policy {
    allowed_persistence_regions = [var.service.location]
  }
}

resource "google_pubsub_subscription" "replay" {
  count   = length(local.messages) == 0 ? 0 : 1
  project = var.project
  name    = "${var.name}-replay"
  topic   = google_pubsub_topic.replay[0].id

  ack_deadline_seconds       = min(600, var.timeout_s + 30)
  message_retention_duration = "${7 * local.day_s}s"

  push_config {
    push_endpoint = var.service.url

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = var.service.url
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = var.dead_letters
    max_delivery_attempts = var.max_deliveries
  }

  expiration_policy {
    ttl = ""
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push, google_service_account_iam_member.push_token]
}

# A POST of a CloudEvent of ours; Cloud Scheduler adds the time as a header.
resource "google_cloud_scheduler_job" "this" {
  for_each         = local.schedules
  project          = var.project
  region           = var.service.location
  name             = "${var.name}-${each.value.name}"
  description      = "Calls the function ${var.service.name}."
  schedule         = each.value.cron
  time_zone        = "Etc/UTC"
  attempt_deadline = "${max(15, min(1800, var.timeout_s + 30))}s"

  http_target {
    http_method = "POST"
    uri         = var.service.url
    headers     = { "Content-Type" = "application/cloudevents+json" }
    body = base64encode(jsonencode({
      specversion     = "1.0"
      id              = each.value.name
      source          = "framepost/schedule"
      type            = "io.framepost.schedule.due.v1"
      datacontenttype = "application/json"
      data            = { name = each.value.name }
    }))

    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = var.service.url
    }
  }

  retry_config {
    retry_count          = 5
    max_retry_duration   = "3600s"
    min_backoff_duration = "10s"
    max_backoff_duration = "600s"
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push]
}

# Nobody but this may call the function.
resource "google_service_account" "push" {
  project      = var.project
  account_id   = local.account_id
  display_name = "${var.name}: push"
  description  = "As whom Pub/Sub and schedules call the function ${var.service.name}."
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  project  = var.project
  location = var.service.location
  name     = var.service.name
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

# In projects older than April 2021 the agent may not do so by itself.
resource "google_service_account_iam_member" "push_token" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = var.pubsub_agent
}

# The other half of what dead-lettering needs; the topic's half is in the module dead-letters.
resource "google_pubsub_subscription_iam_member" "dead_letters" {
  for_each     = merge(google_pubsub_subscription.this, { for subscription in google_pubsub_subscription.replay : "replay" => subscription })
  project      = var.project
  subscription = each.value.name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}

moved {
  from = google_pubsub_subscription_iam_member.dead_letters
  to   = google_pubsub_subscription_iam_member.dead_letters["object-finalized"]
}
