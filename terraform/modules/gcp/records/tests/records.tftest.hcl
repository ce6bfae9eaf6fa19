mock_provider "google" {
  source = "../../mocks/google"
}

variables {
  project      = "footage-prod"
  region       = "europe-west1"
  name         = "framepost-eu"
  schema_file  = "../../../../events/schemas/bigquery/records.json"
  pubsub_agent = "serviceAccount:service-1@gcp-sa-pubsub.iam.gserviceaccount.com"
}

run "records_become_rows" {
  assert {
    condition     = google_pubsub_subscription.bigquery.bigquery_config[0].table == "footage-prod.framepost_eu.records" && google_pubsub_subscription.bigquery.bigquery_config[0].use_table_schema
    error_message = "Members of the JSON go into the columns of their names."
  }

  assert {
    condition     = !google_pubsub_subscription.bigquery.bigquery_config[0].drop_unknown_fields && google_pubsub_subscription.bigquery.dead_letter_policy[0].max_delivery_attempts == 30
    error_message = "A field that the table lacks must not be lost in silence."
  }

  assert {
    condition     = google_pubsub_subscription.bigquery.expiration_policy[0].ttl == "" && google_pubsub_subscription.bigquery.filter == "hasPrefix(attributes.\"ce-type\", \"io.framepost.\")"
    error_message = "It expires, or takes what is not ours."
  }

  assert {
    condition     = google_bigquery_table_iam_member.pubsub_agent.role == "roles/bigquery.dataEditor" && google_bigquery_table_iam_member.pubsub_agent.table_id == "records" && google_bigquery_table_iam_member.pubsub_agent.member == var.pubsub_agent
    error_message = "Pub/Sub's agent writes this one table."
  }

  assert {
    condition     = google_pubsub_subscription_iam_member.dead_letters.role == "roles/pubsub.subscriber"
    error_message = "Without this grant nothing is ever dead-lettered."
  }
}

run "the_table_is_partitioned_and_clustered" {
  assert {
    condition     = google_bigquery_table.records.time_partitioning[0].type == "DAY" && google_bigquery_table.records.time_partitioning[0].field == "time" && google_bigquery_table.records.clustering == tolist(["type", "subject"])
    error_message = "By day of the event; by type, then by key, which begins with the site."
  }

  assert {
    condition     = google_bigquery_table.records.deletion_protection && !google_bigquery_dataset.this.delete_contents_on_destroy
    error_message = "What is known of the footage must not go with the stack."
  }

  assert {
    condition = alltrue([for c in jsondecode(google_bigquery_table.records.schema) : contains(["STRING", "TIMESTAMP", "INTEGER", "FLOAT", "BOOLEAN", "RECORD"], c.type)
    && (c.name == "data") == (c.type == "RECORD") && (c.name == "time") == (c.type == "TIMESTAMP")])
    error_message = "The envelope's members are plain columns, time is a timestamp and data is a record."
  }

  assert {
    condition     = alltrue([for f in one([for c in jsondecode(google_bigquery_table.records.schema) : c.fields if c.name == "data"]) : contains(["NULLABLE", "REPEATED"], f.mode)])
    error_message = "A field that is required would refuse all records of other types."
  }
}

run "views_for_people" {
  assert {
    condition     = toset(keys(output.views)) == toset(["chunks", "gaps", "gateways", "cameras", "detections"])
    error_message = "There are other views: ${jsonencode(output.views)}"
  }

  assert {
    condition     = alltrue([for v in google_bigquery_table.view : strcontains(v.view[0].query, "FROM `footage-prod.framepost_eu.records`") && strcontains(v.view[0].query, "QUALIFY ROW_NUMBER() OVER (PARTITION BY id, time, subject) = 1") && !v.view[0].use_legacy_sql])
    error_message = "A view reads another table, or gives a record twice."
  }

  assert {
    condition = alltrue(flatten([for v in google_bigquery_table.view : [for path in regexall("data\\.[A-Za-z0-9`.]+", v.view[0].query) :
      contains(flatten([for f in one([for c in jsondecode(google_bigquery_table.records.schema) : c.fields if c.name == "data"]) : concat(
        ["data.${f.name}"],
        [for g in try(f.fields, []) : "data.${f.name}.${g.name}"],
        flatten([for g in try(f.fields, []) : [for h in try(g.fields, []) : "data.${f.name}.${g.name}.${h.name}"]]),
      )]), replace(path, "`", ""))
    ]]))
    error_message = "A view names a field that the table does not have."
  }
}

run "detections_are_shown_once_there_are_some" {
  variables {
    schema_file = "tests/with-detections.json"
  }

  assert {
    condition     = keys(output.views) == ["detections"] && strcontains(google_bigquery_table.view["detections"].view[0].query, "UNNEST(inferred.data.frames)")
    error_message = "The table has detections and nobody shows them."
  }
}

run "choices" {
  variables {
    archive_days   = 7
    expire_days    = 400
    keep_footage   = false
    encryption_key = "projects/p/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }

  assert {
    condition     = google_pubsub_topic.records.message_retention_duration == "604800s" && google_bigquery_table.records.time_partitioning[0].expiration_ms == 34560000000
    error_message = "archive_days and expire_days are not followed."
  }

  assert {
    condition     = !google_bigquery_table.records.deletion_protection && google_bigquery_dataset.this.delete_contents_on_destroy
    error_message = "keep_footage = false is a clean destroy."
  }

  assert {
    condition     = google_pubsub_topic.records.kms_key_name == var.encryption_key && google_bigquery_table.records.encryption_configuration[0].kms_key_name == var.encryption_key && google_bigquery_dataset.this.default_encryption_configuration[0].kms_key_name == var.encryption_key
    error_message = "The key is not used everywhere."
  }
}

run "a_name_in_capitals_is_refused" {
  command = plan

  variables {
    name = "Framepost"
  }

  expect_failures = [var.name]
}

run "a_schema_that_is_not_there_is_refused" {
  command = plan

  variables {
    schema_file = "tests/nowhere.json"
  }

  expect_failures = [var.schema_file]
}

run "a_schema_without_the_envelope_is_refused" {
  command = plan

  variables {
    schema_file = "tests/without-time.json"
  }

  expect_failures = [var.schema_file]
}

run "an_archive_of_two_months_is_refused" {
  command = plan

  variables {
    archive_days = 60
  }

  expect_failures = [var.archive_days]
}

run "no_days_are_refused" {
  command = plan

  variables {
    expire_days = 0
  }

  expect_failures = [var.expire_days]
}
