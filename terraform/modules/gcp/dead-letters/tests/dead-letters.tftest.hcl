mock_provider "google" {
  source = "../../mocks/google"

  mock_resource "google_pubsub_topic" {
    defaults = { id = "projects/footage-prod/topics/framepost-probe-dead-letters" }
  }
}

variables {
  project      = "footage-prod"
  region       = "europe-west1"
  name         = "framepost-probe-dead-letters"
  pubsub_agent = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
}

run "what_lands_there_is_kept" {
  assert {
    condition     = google_pubsub_subscription.this.topic == google_pubsub_topic.this.id && google_pubsub_subscription.this.message_retention_duration == "1209600s"
    error_message = "A subscription keeps messages for 14 days; the topic alone would keep nothing."
  }

  assert {
    condition     = google_pubsub_subscription.this.expiration_policy[0].ttl == ""
    error_message = "The subscription would expire after 31 quiet days."
  }

  assert {
    condition     = google_pubsub_topic_iam_member.pubsub_agent.role == "roles/pubsub.publisher" && google_pubsub_topic_iam_member.pubsub_agent.member == var.pubsub_agent
    error_message = "Pub/Sub's agent must be able to park messages."
  }
}

run "encrypted_by_the_key" {
  variables {
    encryption_key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition     = google_pubsub_topic.this.kms_key_name == var.encryption_key
    error_message = "Parked messages are as secret as the others."
  }
}

run "a_name_of_googles_is_refused" {
  command = plan

  variables {
    name = "google-dead-letters"
  }

  expect_failures = [var.name]
}
