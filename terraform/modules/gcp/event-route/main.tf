# The way of events to one function: a push subscription, and as whom it pushes.
#
#   topic ─▶ subscription ─push─▶ Cloud Run        max_deliveries without success, or rejected ─▶ dead-letters
#
# Numbers that bite: a push is given up at the acknowledgement deadline, which therefore lies above the function's timeout;
# a subscription is deleted after 31 idle days unless it is told never to expire; the attributes of a message can be
# filtered, but a filter can never be changed (Terraform replaces the subscription, and with it the backlog).

locals {
  day_s = 86400

  # Prefixes and types are sorted out by Pub/Sub's own filter, which costs nothing. It knows no suffixes.
  filter = var.records != null ? join(" OR ", [for t in var.records.types : "attributes.\"ce-type\" = \"${t}\""]) : (
    join(" OR ", [for p in var.objects.prefixes : "hasPrefix(attributes.objectId, \"${p}\")"])
  )
  topic    = var.records != null ? var.records.topic : var.objects.topic
  suffixes = var.records != null ? [] : var.objects.suffixes

  # A service account's id has 30 characters at most.
  account_id = length(var.name) <= 25 ? "${var.name}-push" : "${substr(var.name, 0, 16)}-${substr(sha256(var.name), 0, 8)}-push"
}

resource "google_pubsub_subscription" "this" {
  project = var.project
  name    = var.name
  topic   = local.topic
  filter  = local.filter == "" ? null : local.filter

  ack_deadline_seconds       = min(600, var.timeout_s + 30)
  message_retention_duration = "${7 * local.day_s}s"

  # Of what has one of the suffixes nothing is lost; the rest is acknowledged without a push.
  dynamic "message_transforms" {
    for_each = length(local.suffixes) == 0 ? [] : [local.suffixes]

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
}

# Nobody but this may call the function.
resource "google_service_account" "push" {
  project      = var.project
  account_id   = local.account_id
  display_name = "${var.name}: push"
  description  = "As whom Pub/Sub calls the function ${var.service.name}."
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
  project      = var.project
  subscription = google_pubsub_subscription.this.name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}
