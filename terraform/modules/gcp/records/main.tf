# Where records are published, and the table that they are written to, without a program of ours in between.
#
#   functions ─▶ topic ─▶ BigQuery subscription ─▶ table `records` ─▶ views `chunks`, `gaps`, …
#                  └▶ whoever else subscribes
#
# A message is one CloudEvent as JSON. Pub/Sub writes each of its members into the column of the same name: objects into
# RECORDs, RFC 3339 strings (microseconds at most) into TIMESTAMPs. (A JSON column would take its value only as text inside a
# string, which no CloudEvent is.) The topic has no schema of its own: Avro's JSON cannot
# leave a field out, and a schema would refuse a newer function's record at its publisher, where nobody keeps it.
#
# Invariant: no field is lost in silence. A record with a field that the table lacks waits, is tried again for hours
# (a new column becomes known to Pub/Sub minutes after it is there), and is parked whole. Delivery is at least once, so
# the table can hold a record twice; the views give each once.

locals {
  day_s  = 86400
  schema = file(var.schema_file)
  data   = one([for column in jsondecode(local.schema) : column.fields if column.name == "data"])

  # A view is there once the table has what it shows.
  needs = {
    chunks     = "duration"
    gaps       = "cause"
    detections = "frames"
    gateways   = "camerasSilent"
    cameras    = "cameras"
  }
  views = { for view, field in local.needs : view => field if contains(local.data[*].name, field) }
}

resource "google_pubsub_topic" "records" {
  project                    = var.project
  name                       = "${var.name}-records"
  kms_key_name               = var.encryption_key
  message_retention_duration = var.archive_days == 0 ? null : "${var.archive_days * local.day_s}s"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

resource "google_bigquery_dataset" "this" {
  project                    = var.project
  dataset_id                 = replace(var.name, "-", "_")
  location                   = var.region
  description                = "Framepost: what is known of the footage."
  delete_contents_on_destroy = !var.keep_footage

  dynamic "default_encryption_configuration" {
    for_each = var.encryption_key == null ? [] : [var.encryption_key]

    content {
      kms_key_name = default_encryption_configuration.value
    }
  }
}

resource "google_bigquery_table" "records" {
  #checkov:skip=CKV_GCP_121:deletion protection is keep_footage, as for the footage itself
  project             = var.project
  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = "records"
  description         = "Every record as it was published: a CloudEvent a row, some rows more than once. The views give each once."
  schema              = local.schema
  deletion_protection = var.keep_footage

  # subject is the object's key, and begins with site, date and camera.
  clustering = ["type", "subject"]

  time_partitioning {
    type          = "DAY"
    field         = "time"
    expiration_ms = var.expire_days == null ? null : var.expire_days * local.day_s * 1000
  }

  dynamic "encryption_configuration" {
    for_each = var.encryption_key == null ? [] : [var.encryption_key]

    content {
      kms_key_name = encryption_configuration.value
    }
  }
}

resource "google_bigquery_table" "view" {
  #checkov:skip=CKV_GCP_80:a view holds nothing
  #checkov:skip=CKV_GCP_121:a view holds nothing
  for_each            = local.views
  project             = var.project
  dataset_id          = google_bigquery_dataset.this.dataset_id
  table_id            = each.key
  deletion_protection = false

  view {
    query          = templatefile("${path.module}/views/${each.key}.sql", { records = local.table })
    use_legacy_sql = false
  }
}

locals {
  table = "${google_bigquery_table.records.project}.${google_bigquery_table.records.dataset_id}.${google_bigquery_table.records.table_id}"
}

resource "google_bigquery_table_iam_member" "pubsub_agent" {
  project    = var.project
  dataset_id = google_bigquery_dataset.this.dataset_id
  table_id   = google_bigquery_table.records.table_id
  role       = "roles/bigquery.dataEditor"
  member     = var.pubsub_agent
}

resource "google_pubsub_subscription" "bigquery" {
  project = var.project
  name    = "${var.name}-records-bigquery"
  topic   = google_pubsub_topic.records.id

  # What others publish on the topic under names of their own is not for this table.
  filter = "hasPrefix(attributes.\"ce-type\", \"io.framepost.\")"

  ack_deadline_seconds       = 600
  message_retention_duration = "${7 * local.day_s}s"

  bigquery_config {
    table               = local.table
    use_table_schema    = true
    drop_unknown_fields = false
    write_metadata      = false
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = module.dead_letters.topic
    max_delivery_attempts = 30
  }

  expiration_policy {
    ttl = ""
  }

  # Pub/Sub looks at the table when it is told of it.
  depends_on = [google_bigquery_table_iam_member.pubsub_agent]
}

module "dead_letters" {
  source = "../dead-letters"

  project        = var.project
  region         = var.region
  name           = "${var.name}-records-dead-letters"
  pubsub_agent   = var.pubsub_agent
  encryption_key = var.encryption_key
}

resource "google_pubsub_subscription_iam_member" "dead_letters" {
  project      = var.project
  subscription = google_pubsub_subscription.bigquery.name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}
