mock_provider "google" {
  source = "../../mocks/google"

  mock_resource "google_pubsub_topic" {
    defaults = { id = "projects/footage-prod/topics/framepost-finalized" }
  }
}

variables {
  project       = "footage-prod"
  region        = "europe-west1"
  location      = "EU"
  name          = "framepost-footage-prod"
  topic_name    = "framepost-finalized"
  storage_agent = "serviceAccount:service-1@gs-project-accounts.iam.gserviceaccount.com"
}

run "footage_is_private_and_kept" {
  assert {
    condition     = google_storage_bucket.footage[0].uniform_bucket_level_access && google_storage_bucket.footage[0].public_access_prevention == "enforced"
    error_message = "Access is by IAM alone and never public."
  }

  assert {
    condition     = !google_storage_bucket.footage[0].force_destroy
    error_message = "A bucket with footage must not go with the stack."
  }

  assert {
    condition     = google_storage_bucket.footage[0].versioning[0].enabled && google_storage_bucket.footage[0].soft_delete_policy[0].retention_duration_seconds == 604800
    error_message = "A deletion can be undone for a week."
  }

  assert {
    condition     = length(google_storage_bucket.footage[0].encryption) == 0
    error_message = "Without a key it is Google's."
  }

  assert {
    condition     = length([for r in google_storage_bucket.footage[0].lifecycle_rule : one(r.condition).matches_suffix if one(r.condition).with_state == "LIVE"]) == 1 && one([for r in google_storage_bucket.footage[0].lifecycle_rule : one(r.condition).matches_suffix if one(r.condition).with_state == "LIVE"]) == tolist([".report.json"])
    error_message = "Nothing live but reports is deleted unless expire_days says so."
  }
}

run "what_is_no_footage_stays_where_footage_expires" {
  variables {
    transitions      = [{ days = 30, class = "NEARLINE" }]
    expire_days      = 365
    footage_prefixes = [for n in range(60) : format("site-%02d/", n)]
    exports          = true
  }

  assert {
    condition = [for r in google_storage_bucket.footage[0].lifecycle_rule : "${one(r.action).type} ${one(r.condition).age} ${length(one(r.condition).matches_prefix)}" if try(length(one(r.condition).matches_prefix), 0) > 0] == [
      "SetStorageClass 30 50", "SetStorageClass 30 10", "Delete 365 50", "Delete 365 10",
    ]
    error_message = "Exports are under a rule: ${jsonencode(google_storage_bucket.footage[0].lifecycle_rule)}"
  }

  assert {
    condition     = alltrue([for r in google_storage_bucket.footage[0].lifecycle_rule : try(length(one(r.condition).matches_prefix), 0) > 0 || one(r.condition).matches_suffix == tolist([".report.json"]) if one(r.condition).with_state == "LIVE"])
    error_message = "Something live is deleted wherever it lies."
  }

  assert {
    condition     = google_storage_managed_folder.exports[0].name == "exports/" && google_storage_managed_folder.exports[0].force_destroy && output.exports == "exports/"
    error_message = "Exports have a folder, which does not keep the bucket from changing."
  }
}

run "more_prefixes_than_cloud_storage_takes" {
  command = plan

  variables {
    expire_days      = 365
    footage_prefixes = [for n in range(1001) : "site-${n}/"]
  }

  expect_failures = [var.footage_prefixes]
}

run "completed_objects_are_announced" {
  assert {
    condition     = one(values(google_storage_notification.this)).event_types == toset(["OBJECT_FINALIZE"])
    error_message = "Only completed objects are announced: not deletions, not changed metadata."
  }

  assert {
    condition     = one(values(google_storage_notification.this)).payload_format == "JSON_API_V1" && one(values(google_storage_notification.this)).object_name_prefix == null
    error_message = "The announcement carries the object's metadata, for every key."
  }

  assert {
    condition     = google_pubsub_topic_iam_member.storage_agent["finalized"].role == "roles/pubsub.publisher" && google_pubsub_topic_iam_member.storage_agent["finalized"].member == var.storage_agent
    error_message = "Cloud Storage's agent must be able to publish."
  }

  assert {
    condition     = google_pubsub_topic.this["finalized"].message_storage_policy[0].allowed_persistence_regions == toset(["europe-west1"])
    error_message = "Keys of footage leave the region."
  }

  assert {
    condition     = output.url == "gs://framepost-footage-prod" && output.topic == "projects/footage-prod/topics/framepost-finalized" && output.removed_topic == null
    error_message = "The outputs name another bucket or topic."
  }
}

run "removed_objects_are_announced_where_somebody_wants_to_know" {
  variables {
    removed_topic_name = "framepost-removed"
    prefixes           = ["plant-7/"]
  }

  assert {
    condition     = { for key, n in google_storage_notification.this : key => n.event_types } == { "finalized:plant-7/" = toset(["OBJECT_FINALIZE"]), "removed:plant-7/" = toset(["OBJECT_DELETE", "OBJECT_ARCHIVE"]) }
    error_message = "On a topic of their own: deletions, and versions that are no longer live."
  }

  assert {
    condition     = google_pubsub_topic.this["removed"].name == "framepost-removed" && google_pubsub_topic_iam_member.storage_agent["removed"].member == var.storage_agent && output.removed_topic != null
    error_message = "Cloud Storage's agent must be able to publish there too."
  }
}

run "one_topic_for_both_is_refused" {
  command = plan

  variables {
    removed_topic_name = "framepost-finalized"
  }

  expect_failures = [var.removed_topic_name]
}

run "lifecycle_by_age_and_class" {
  variables {
    transitions      = [{ days = 30, class = "NEARLINE" }, { days = 90, class = "COLDLINE" }]
    expire_days      = 365
    noncurrent_days  = 3
    soft_delete_days = 0
    keep_footage     = false
    encryption_key   = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition = [for r in google_storage_bucket.footage[0].lifecycle_rule : "${one(r.action).type} ${coalesce(one(r.action).storage_class, "-")} ${coalesce(one(r.condition).age, 0)} ${coalesce(one(r.condition).days_since_noncurrent_time, 0)}"] == [
      "SetStorageClass NEARLINE 30 0", "SetStorageClass COLDLINE 90 0", "Delete - 30 0", "Delete - 365 0", "Delete - 0 3", "AbortIncompleteMultipartUpload - 1 0",
    ]
    error_message = "Not the rules that were asked for: ${jsonencode(google_storage_bucket.footage[0].lifecycle_rule)}"
  }

  assert {
    condition     = contains(one(google_storage_bucket.footage[0].lifecycle_rule[1].condition).matches_storage_class, "NEARLINE") && !contains(one(google_storage_bucket.footage[0].lifecycle_rule[0].condition).matches_storage_class, "COLDLINE")
    error_message = "An object only goes to a colder class."
  }

  assert {
    condition     = google_storage_bucket.footage[0].force_destroy && google_storage_bucket.footage[0].soft_delete_policy[0].retention_duration_seconds == 0
    error_message = "keep_footage = false and soft_delete_days = 0 are what they say."
  }

  assert {
    condition     = google_storage_bucket.footage[0].encryption[0].default_kms_key_name == var.encryption_key && google_pubsub_topic.this["finalized"].kms_key_name == var.encryption_key
    error_message = "The key encrypts objects and messages."
  }
}

run "an_existing_bucket_is_only_told_to_announce" {
  variables {
    existing = true
    name     = "footage.plant.example"
    prefixes = ["plant-7/", "dock-2/"]
  }

  assert {
    condition     = length(google_storage_bucket.footage) == 0 && output.name == "footage.plant.example"
    error_message = "Nothing of an existing bucket is created."
  }

  assert {
    condition     = toset([for n in google_storage_notification.this : n.object_name_prefix]) == toset(["plant-7/", "dock-2/"])
    error_message = "Only the sites' objects are announced."
  }
}

run "an_existing_bucket_with_acls_is_refused" {
  command = plan

  variables {
    existing = true
  }

  override_data {
    target = data.google_storage_bucket.existing
    values = { uniform_bucket_level_access = false }
  }

  expect_failures = [data.google_storage_bucket.existing]
}

run "a_name_with_google_is_refused" {
  command = plan

  variables {
    name = "my-google-footage"
  }

  expect_failures = [var.name]
}

run "soft_delete_of_three_days_is_refused" {
  command = plan

  variables {
    soft_delete_days = 3
  }

  expect_failures = [var.soft_delete_days]
}

run "no_noncurrent_days_is_refused" {
  command = plan

  variables {
    noncurrent_days = 0
  }

  expect_failures = [var.noncurrent_days]
}

run "half_a_day_is_refused" {
  command = plan

  variables {
    expire_days = 0.5
  }

  expect_failures = [var.expire_days]
}

run "a_class_of_the_other_cloud_is_refused" {
  command = plan

  variables {
    transitions = [{ days = 30, class = "GLACIER" }]
  }

  expect_failures = [var.transitions]
}

run "a_later_transition_first_is_refused" {
  command = plan

  variables {
    transitions = [{ days = 90, class = "NEARLINE" }, { days = 30, class = "COLDLINE" }]
  }

  expect_failures = [var.transitions]
}

run "a_warmer_class_later_is_refused" {
  command = plan

  variables {
    transitions = [{ days = 30, class = "COLDLINE" }, { days = 90, class = "NEARLINE" }]
  }

  expect_failures = [var.transitions]
}

run "a_transition_after_the_end_is_refused" {
  command = plan

  variables {
    transitions = [{ days = 30, class = "NEARLINE" }]
    expire_days = 30
  }

  expect_failures = [var.transitions]
}

run "a_topic_of_googles_is_refused" {
  command = plan

  variables {
    topic_name = "goog-topic"
  }

  expect_failures = [var.topic_name]
}

run "eleven_prefixes_are_refused" {
  command = plan

  variables {
    prefixes = [for n in range(11) : "site-${n}/"]
  }

  expect_failures = [var.prefixes]
}

run "no_page_reads_unless_it_may" {
  assert {
    condition     = length(google_storage_bucket.footage[0].cors) == 0
    error_message = "Nobody asked for it."
  }
}

run "a_page_reads_and_does_nothing_else" {
  variables {
    pages_read = true
  }

  assert {
    condition     = google_storage_bucket.footage[0].cors[0].method == tolist(["GET"]) && contains(google_storage_bucket.footage[0].cors[0].response_header, "Content-Range")
    error_message = "A page may write, or cannot read ranges."
  }
}
