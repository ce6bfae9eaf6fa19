# A place for messages that were rejected or never succeeded: a topic, and the subscription without which it would keep
# nothing.

locals {
  day_s = 86400
}

resource "google_pubsub_topic" "this" {
  project      = var.project
  name         = var.name
  kms_key_name = var.encryption_key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_pubsub_subscription" "this" {
  project = var.project
  name    = var.name
  topic   = google_pubsub_topic.this.id

  ack_deadline_seconds       = 60
  message_retention_duration = "${14 * local.day_s}s"

  # Else it would be gone after 31 days in which nothing went wrong.
  expiration_policy {
    ttl = ""
  }
}

# Pub/Sub's agent moves a message by publishing it here and acknowledging it there. Without both grants dead-lettering does
# not happen, and nothing says so.
resource "google_pubsub_topic_iam_member" "pubsub_agent" {
  project = var.project
  topic   = google_pubsub_topic.this.name
  role    = "roles/pubsub.publisher"
  member  = var.pubsub_agent
}
