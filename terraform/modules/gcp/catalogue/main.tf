# The catalogue's database: Cloud SQL for PostgreSQL, and the secret that paths for players are signed with.
#
# Invariants: no network is let in, and the instance takes connections of Google's connectors alone, which ask IAM first;
# functions log in as their service accounts, and no user has a password. Each function's own module makes its user.
#
# A database that is there already (`existing`) is only connected to, by the URL in its secret.

locals {
  created = var.existing == null ? 1 : 0

  # Cloud SQL's default by memory, in GiB, of the instance. Those of shared processors have numbers of their own.
  connections_max = lookup({ "db-f1-micro" = 25, "db-g1-small" = 50 }, var.tier,
    try(local.connections_by_memory[index([for step in local.connections_by_memory : local.memory_gib < step.below], true)].connections, 1000),
  )
  memory_gib = try(tonumber(regex("^db-custom-[0-9]+-([0-9]+)$", var.tier)[0]) / 1024, 64)
  connections_by_memory = [
    { below = 3.75, connections = 50 }, { below = 6, connections = 100 }, { below = 7.5, connections = 200 },
    { below = 15, connections = 400 }, { below = 30, connections = 500 }, { below = 60, connections = 600 },
    { below = 120, connections = 800 },
  ]
}

resource "google_sql_database_instance" "this" {
  #checkov:skip=CKV_GCP_60:its public address takes no network; the connectors that it does take ask IAM
  #checkov:skip=CKV_GCP_79:the newest version that the catalogue is tested with
  #checkov:skip=CKV_GCP_109:the log of statements costs by its bytes; what was asked is in the api's log
  #checkov:skip=CKV_GCP_110:audits of statements cost by their bytes; what was asked is in the api's log
  #checkov:skip=CKV_GCP_111:statements hold no secrets, and their log costs by its bytes
  #checkov:skip=CKV2_GCP_13:statements that take long are logged with their time
  #checkov:skip=CKV2_GCP_20:point-in-time recovery is on
  count               = local.created
  project             = var.project
  region              = var.region
  name                = var.name
  database_version    = "POSTGRES_16"
  encryption_key_name = var.encryption_key
  deletion_protection = var.keep

  settings {
    tier                        = var.tier
    edition                     = "ENTERPRISE"
    availability_type           = "ZONAL"
    disk_type                   = "PD_SSD"
    disk_size                   = 10
    disk_autoresize             = true
    connector_enforcement       = "REQUIRED"
    deletion_protection_enabled = var.keep
    retain_backups_on_delete    = var.keep

    ip_configuration {
      ipv4_enabled = true
      ssl_mode     = "ENCRYPTED_ONLY"
    }

    backup_configuration {
      enabled                        = true
      start_time                     = "02:00"
      point_in_time_recovery_enabled = true
      transaction_log_retention_days = min(var.backup_days, 7)

      backup_retention_settings {
        retained_backups = var.backup_days
        retention_unit   = "COUNT"
      }
    }

    dynamic "database_flags" {
      for_each = {
        "cloudsql.iam_authentication" = "on"
        "log_checkpoints"             = "on"
        "log_connections"             = "on"
        "log_disconnections"          = "on"
        "log_lock_waits"              = "on"
        "log_min_duration_statement"  = "1000"
        "log_temp_files"              = "0"
      }

      content {
        name  = database_flags.key
        value = database_flags.value
      }
    }
  }

  lifecycle {
    # It grows by itself.
    ignore_changes = [settings[0].disk_size]

    precondition {
      condition     = var.connections_wanted <= local.connections_max
      error_message = "The functions may open ${var.connections_wanted} connections to the catalogue, and ${var.tier} takes ${local.connections_max}: choose a larger catalogue.tier, or lower max_concurrency of api and catalog in functions.overrides."
    }
  }
}

resource "google_sql_database" "this" {
  count    = local.created
  project  = var.project
  instance = google_sql_database_instance.this[0].name
  name     = "framepost"

  # Tables belong to their users, who would be in the way; all of it goes with the instance.
  deletion_policy = "ABANDON"
}

# Two random UUIDs have 244 random bits; Terraform's own provider has no other random number.
resource "terraform_data" "key" {
  input = "${uuid()}${uuid()}"

  lifecycle {
    ignore_changes = [input]
  }
}

resource "google_secret_manager_secret" "key" {
  project   = var.project
  secret_id = "${var.name}-key"

  replication {
    user_managed {
      replicas {
        location = var.region

        dynamic "customer_managed_encryption" {
          for_each = var.encryption_key == null ? [] : [var.encryption_key]

          content {
            kms_key_name = customer_managed_encryption.value
          }
        }
      }
    }
  }
}

resource "google_secret_manager_secret_version" "key" {
  secret      = google_secret_manager_secret.key.id
  secret_data = replace(terraform_data.key.output, "-", "")
}
