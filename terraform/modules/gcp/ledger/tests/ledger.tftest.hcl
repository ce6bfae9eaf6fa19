mock_provider "google" {
  source = "../../mocks/google"
}

variables {
  project  = "footage-prod"
  name     = "framepost-ledger-footage-prod"
  location = "europe-west1"
}

run "claims_are_cheap_and_private" {
  assert {
    condition     = google_storage_bucket.ledger.uniform_bucket_level_access && google_storage_bucket.ledger.public_access_prevention == "enforced"
    error_message = "Access is by IAM alone and never public."
  }

  assert {
    condition     = google_storage_bucket.ledger.soft_delete_policy[0].retention_duration_seconds == 0 && length(google_storage_bucket.ledger.versioning) == 0
    error_message = "Every claim that is rewritten would be paid for again."
  }

  assert {
    condition     = one(google_storage_bucket.ledger.lifecycle_rule[0].action).type == "Delete" && one(google_storage_bucket.ledger.lifecycle_rule[0].condition).age == 30
    error_message = "Claims are kept for ever."
  }

  assert {
    condition     = google_storage_bucket.ledger.force_destroy && output.url == "gs://framepost-ledger-footage-prod"
    error_message = "The ledger goes with the stack, and is where it says."
  }
}

run "encrypted_by_the_key" {
  variables {
    encryption_key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition     = google_storage_bucket.ledger.encryption[0].default_kms_key_name == var.encryption_key
    error_message = "The key is not used."
  }
}

run "forgetting_too_early_is_refused" {
  command = plan

  variables {
    keep_days = 14
  }

  expect_failures = [var.keep_days]
}

run "a_name_in_capitals_is_refused" {
  command = plan

  variables {
    name = "Ledger"
  }

  expect_failures = [var.name]
}
