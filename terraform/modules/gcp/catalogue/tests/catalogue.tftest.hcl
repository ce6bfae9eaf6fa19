mock_provider "google" {
  source = "../../mocks/google"
}

variables {
  project            = "footage-prod"
  region             = "europe-west1"
  name               = "framepost-catalogue"
  tier               = "db-g1-small"
  connections_wanted = 32
}

run "a_database_that_no_network_reaches" {
  assert {
    condition     = length(google_sql_database_instance.this[0].settings[0].ip_configuration[0].authorized_networks) == 0 && google_sql_database_instance.this[0].settings[0].connector_enforcement == "REQUIRED"
    error_message = "Something else than Google's connectors can connect."
  }
  assert {
    condition     = contains([for flag in google_sql_database_instance.this[0].settings[0].database_flags : "${flag.name}=${flag.value}"], "cloudsql.iam_authentication=on")
    error_message = "Service accounts cannot log in."
  }
}

run "a_database_that_is_kept" {
  assert {
    condition     = google_sql_database_instance.this[0].deletion_protection && google_sql_database_instance.this[0].settings[0].deletion_protection_enabled && google_sql_database_instance.this[0].settings[0].retain_backups_on_delete
    error_message = "It could be deleted by mistake."
  }
  assert {
    condition     = google_sql_database_instance.this[0].settings[0].backup_configuration[0].point_in_time_recovery_enabled && google_sql_database_instance.this[0].settings[0].backup_configuration[0].backup_retention_settings[0].retained_backups == 7
    error_message = "It cannot be put back."
  }
}

run "a_database_that_may_go" {
  variables {
    keep        = false
    backup_days = 30
  }
  assert {
    condition     = !google_sql_database_instance.this[0].deletion_protection && !google_sql_database_instance.this[0].settings[0].deletion_protection_enabled
    error_message = "Something is in the way of a destroy."
  }
  assert {
    condition     = google_sql_database_instance.this[0].settings[0].backup_configuration[0].transaction_log_retention_days == 7
    error_message = "Logs are kept for longer than Google keeps them."
  }
}

run "a_key_for_paths" {
  assert {
    condition     = can(regex("^[0-9a-f]{64}$", google_secret_manager_secret_version.key.secret_data)) && output.key_secret == "framepost-catalogue-key"
    error_message = "The secret is not 64 hexadecimal digits."
  }
}

run "as_many_connections_as_its_memory_allows" {
  variables {
    tier = "db-custom-2-7680"
  }
  assert {
    condition     = output.connections_max == 400
    error_message = "7.5 GiB take ${output.connections_max}."
  }
}

run "more_connections_than_there_are" {
  command = plan
  variables {
    connections_wanted = 51
  }
  expect_failures = [google_sql_database_instance.this]
}

run "a_database_of_somebody_else" {
  variables {
    existing = { url_secret = "theirs" }
  }
  assert {
    condition     = length(google_sql_database_instance.this) == 0 && output.database == null && output.url_secret == "theirs" && output.connections_max == null
    error_message = "Something of it is made here."
  }
}

run "a_tier_that_is_none" {
  command = plan
  variables {
    tier = "large"
  }
  expect_failures = [var.tier]
}
