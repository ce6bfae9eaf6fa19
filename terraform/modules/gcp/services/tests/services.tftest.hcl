mock_provider "google" {
  source = "../../mocks/google"
}

variables {
  project = "footage-prod"
}

run "apis_are_enabled_and_stay" {
  assert {
    condition     = length(google_project_service.this) == length(output.apis) && alltrue([for s in google_project_service.this : !s.disable_on_destroy])
    error_message = "An API is not enabled, or would be disabled for everybody on destroy."
  }

  assert {
    condition     = !contains(output.apis, "cloudkms.googleapis.com") && length(google_kms_crypto_key_iam_member.agent) == 0
    error_message = "Without a key there is nothing about keys."
  }

  assert {
    condition = output.agents == {
      storage  = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com"
      pubsub   = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
      bigquery = "serviceAccount:bq-123456789012@bigquery-encryption.iam.gserviceaccount.com"
    }
    error_message = "The service agents are other ones: ${jsonencode(output.agents)}"
  }
}

run "somebody_else_enables_apis" {
  variables {
    enable_apis = false
  }

  assert {
    condition     = length(google_project_service.this) == 0
    error_message = "enable_apis = false enables nothing."
  }
}

run "every_agent_may_use_the_key" {
  variables {
    encryption_key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition     = toset([for g in google_kms_crypto_key_iam_member.agent : g.member]) == toset(values(output.agents))
    error_message = "Each of the three agents needs the key, and nobody else."
  }

  assert {
    condition = alltrue([for g in google_kms_crypto_key_iam_member.agent :
    g.role == "roles/cloudkms.cryptoKeyEncrypterDecrypter" && g.crypto_key_id == "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"])
    error_message = "The agents get to encrypt and decrypt with that one key."
  }
}

run "a_project_number_is_refused" {
  command = plan

  variables {
    project = "123456789012"
  }

  expect_failures = [var.project]
}

run "a_key_version_is_refused" {
  command = plan

  variables {
    encryption_key = "projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"
  }

  expect_failures = [var.encryption_key]
}

run "a_catalogue_takes_more" {
  variables {
    catalogue      = true
    encryption_key = "projects/footage-prod/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }
  assert {
    condition     = length(setintersection(["secretmanager.googleapis.com", "sqladmin.googleapis.com"], keys(google_project_service.this))) == 2
    error_message = "Cloud SQL or Secret Manager is not enabled."
  }
  assert {
    condition     = contains([for g in google_kms_crypto_key_iam_member.agent : g.member], "serviceAccount:service-123456789012@gcp-sa-cloud-sql.iam.gserviceaccount.com") && length(google_kms_crypto_key_iam_member.agent) == 5
    error_message = "An agent cannot use the key."
  }
}
