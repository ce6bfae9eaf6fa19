# One function as a Cloud Run service: its identity, and exactly what its grants name.
#
# Invariants: reachable from inside the project's perimeter only, unless requests trigger it, and only for who is granted
# run.invoker (its route is), unless it checks requests itself; no access to anything that the list of grants does not name; at most `max_concurrency` events in hand at once.

locals {
  instances = ceil(var.runtime.max_concurrency / local.concurrency)
  # A smaller number where fewer events may be in hand at all.
  concurrency = min(var.runtime.instance_concurrency, var.runtime.max_concurrency)

  # A service account's id has 6 to 30 characters.
  account_id = length(var.name) >= 6 && length(var.name) <= 30 ? var.name : "${substr(var.name, 0, 21)}-${substr(sha256(var.name), 0, 8)}"

  environment = merge(
    var.environment,
    { FRAMEPOST_RECORDS = contains(var.grants, "records:publish") ? "pubsub:${var.records}" : "log:" },
    var.dead_letters == null ? {} : { FRAMEPOST_DEAD_LETTERS = "pubsub:${var.dead_letters.topic}" },
    contains(var.grants, "ledger:claim") ? { FRAMEPOST_LEDGER = "${var.ledger.url}/${var.function}" } : {},
    var.catalogue == null ? {} : { FRAMEPOST_CATALOG = join("&", [
      "postgres:///${var.catalogue.name}?host=/cloudsql/${var.catalogue.connection_name}",
      "user=${urlencode(local.database_user)}", "login=gcp",
      # The socket's other end encrypts.
      "sslmode=disable",
      # Whichever writer makes a table first, it belongs to all of them.
      local.reads ? "tables=awaited" : "reader=public&options=-c%20role%3D${local.database_role}",
    ]) },
  )

  # PostgreSQL's names are short, so that of a service account leaves out its end.
  database_user = trimsuffix(google_service_account.this.email, ".gserviceaccount.com")
  # May make tables, and is a superuser in no other way. The instance has nothing but the catalogue.
  database_role = "cloudsqlsuperuser"
  reads         = var.catalogue_access == "read"
}

resource "google_service_account" "this" {
  project      = var.project
  account_id   = local.account_id
  display_name = var.name
  description  = substr(var.description, 0, 256)
}

resource "google_cloud_run_v2_service" "this" {
  project             = var.project
  location            = var.region
  name                = var.name
  description         = substr(var.description, 0, 512)
  ingress             = var.http == null ? "INGRESS_TRAFFIC_INTERNAL_ONLY" : "INGRESS_TRAFFIC_ALL"
  deletion_protection = false

  # For all revisions together. Cloud Run fills the block in where it is left out, and each plan would take it out again.
  scaling {
    max_instance_count = local.instances
  }

  template {
    service_account = google_service_account.this.email
    timeout         = "${var.runtime.timeout_s}s"

    # The one with the shorter cold start, and the one that takes less than 512 MiB.
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN1"
    max_instance_request_concurrency = local.concurrency

    scaling {
      min_instance_count = 0
      max_instance_count = local.instances
    }

    # The built-in socket, below /cloudsql.
    dynamic "volumes" {
      for_each = var.catalogue == null ? [] : [var.catalogue]

      content {
        name = "cloudsql"

        cloud_sql_instance {
          instances = [volumes.value.connection_name]
        }
      }
    }

    containers {
      image = var.image

      dynamic "volume_mounts" {
        for_each = var.catalogue == null ? [] : [1]

        content {
          name       = "cloudsql"
          mount_path = "/cloudsql"
        }
      }

      resources {
        limits = {
          cpu    = tostring(var.runtime.cpu)
          memory = "${var.runtime.memory_mib}Mi"
        }
        # Paid for while an event is in hand, and not in between.
        cpu_idle          = true
        startup_cpu_boost = true
      }

      # An empty setting is one that is not there; sent as empty it would differ in every plan.
      dynamic "env" {
        for_each = { for name, value in local.environment : name => value if value != "" }

        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = var.secrets

        content {
          name = env.key

          value_source {
            secret_key_ref {
              secret  = env.value
              version = "latest"
            }
          }
        }
      }
    }
  }

  # What it needs to work is there before the first event is.
  depends_on = [
    google_storage_bucket_iam_member.footage,
    google_storage_bucket_iam_member.list,
    google_service_account_iam_member.sign,
    google_storage_managed_folder_iam_member.exports,
    google_storage_bucket_iam_member.ledger_claim,
    google_pubsub_topic_iam_member.records_publish,
    google_pubsub_topic_iam_member.dead_letters,
    google_project_iam_member.detect,
    google_storage_bucket_iam_member.models,
    google_project_iam_member.catalogue,
    google_sql_user.catalogue,
    google_secret_manager_secret_iam_member.read,
  ]
}

locals {
  # A condition holds up to twelve operators, and a role up to twenty conditions for one identity.
  sites = { for n, prefixes in chunklist(sort(var.prefixes), 10) : tostring(n) => join(" || ", [
    for prefix in prefixes : "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/${prefix}\")"
  ]) }
  # Of the whole bucket, without a condition, where it is for footage alone.
  places = length(var.prefixes) == 0 ? { all = null } : local.sites

  # Reading includes listing: without it Cloud Storage answers "denied" where an object was deleted, and a function could not
  # tell the one from the other. In a bucket that others use too the condition leaves it out: it would name their objects.
  # Writing is for new objects only: nothing that is there can be changed or deleted.
  roles = { "footage:read" = "roles/storage.objectViewer", "footage:write" = "roles/storage.objectCreator" }

  footage = merge([for grant, role in local.roles : {
    for place, expression in local.places : "${grant}:${place}" => { role = role, place = place, expression = expression }
  } if contains(var.grants, grant)]...)
}

resource "google_storage_bucket_iam_member" "footage" {
  for_each = local.footage
  bucket   = var.bucket
  role     = each.value.role
  member   = google_service_account.this.member

  dynamic "condition" {
    for_each = each.value.expression == null ? [] : [each.value]

    content {
      title      = "below-the-sites-${condition.value.place}"
      expression = condition.value.expression
    }
  }
}

# Names and sizes of objects, and the bucket's own settings. In a bucket that others use too it would name their objects.
resource "google_storage_bucket_iam_member" "list" {
  count  = contains(var.grants, "footage:list") && length(var.prefixes) == 0 ? 1 : 0
  bucket = var.bucket
  role   = "roles/storage.legacyBucketReader"
  member = google_service_account.this.member
}

# Writes, reads, lists and deletes in that folder alone. The program puts nothing over what is there.
resource "google_storage_managed_folder_iam_member" "exports" {
  count          = contains(var.grants, "exports:write") ? 1 : 0
  bucket         = var.bucket
  managed_folder = var.exports
  role           = "roles/storage.objectUser"
  member         = google_service_account.this.member
}

moved {
  from = google_storage_bucket_iam_member.footage_read["all"]
  to   = google_storage_bucket_iam_member.footage["footage:read:all"]
}

moved {
  from = google_storage_bucket_iam_member.footage_read["0"]
  to   = google_storage_bucket_iam_member.footage["footage:read:0"]
}

moved {
  from = google_storage_bucket_iam_member.footage_write["all"]
  to   = google_storage_bucket_iam_member.footage["footage:write:all"]
}

# IAM signs URLs in its name. Its own tokens, which the role is for too, it has from the metadata server anyway.
resource "google_service_account_iam_member" "sign" {
  count              = var.signs_urls ? 1 : 0
  service_account_id = google_service_account.this.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = google_service_account.this.member
}

resource "google_pubsub_topic_iam_member" "records_publish" {
  count   = contains(var.grants, "records:publish") ? 1 : 0
  project = var.project
  topic   = var.records
  role    = "roles/pubsub.publisher"
  member  = google_service_account.this.member
}

# A claim is written, replaced and read, each on the condition of its generation. Only below the function's own name.
resource "google_storage_bucket_iam_member" "ledger_claim" {
  count  = contains(var.grants, "ledger:claim") ? 1 : 0
  bucket = var.ledger.bucket
  role   = "roles/storage.objectUser"
  member = google_service_account.this.member

  condition {
    title      = "own-claims"
    expression = "resource.name.startsWith(\"projects/_/buckets/${var.ledger.bucket}/objects/${var.function}/\")"
  }
}

locals {
  # The detectors that the function chooses among are in one setting: motion:, or a=onnx:gs://models/yolox@50,b=vision:@50.
  detectors = !contains(var.grants, "pictures:detect") ? "" : lookup(var.environment, "FRAMEPOST_DETECTOR", "")
  # Models in buckets, by where each one's directory is.
  models = { for place in regexall("onnx:gs://([a-z0-9][a-z0-9._-]+)/([A-Za-z0-9_./-]+)", local.detectors) :
  "${place[0]}/${trimsuffix(place[1], "/")}" => { bucket = place[0], prefix = trimsuffix(place[1], "/") } }
}

# Cloud Vision has no rights of its own: whoever may use the project's services may call it.
resource "google_project_iam_member" "detect" {
  count   = strcontains(local.detectors, "vision:") ? 1 : 0
  project = var.project
  role    = "roles/serviceusage.serviceUsageConsumer"
  member  = google_service_account.this.member
}

resource "google_storage_bucket_iam_member" "models" {
  for_each = local.models
  bucket   = each.value.bucket
  role     = "roles/storage.objectViewer"
  member   = google_service_account.this.member

  condition {
    title      = "below-the-model"
    expression = "resource.name.startsWith(\"projects/_/buckets/${each.value.bucket}/objects/${each.value.prefix}/\")"
  }
}

# Opens connections to the catalogue's instance, and logs in to it, to no other one of the project.
resource "google_project_iam_member" "catalogue" {
  for_each = var.catalogue == null ? toset([]) : toset(["roles/cloudsql.client", "roles/cloudsql.instanceUser"])
  project  = var.project
  role     = each.key
  member   = google_service_account.this.member

  condition {
    title      = "the-catalogue"
    expression = "resource.name == \"projects/${var.project}/instances/${var.catalogue.instance}\" && resource.service == \"sqladmin.googleapis.com\""
  }
}

# Has no password: it logs in with an access token.
resource "google_sql_user" "catalogue" {
  count          = var.catalogue == null ? 0 : 1
  project        = var.project
  instance       = var.catalogue.instance
  name           = local.database_user
  type           = "CLOUD_IAM_SERVICE_ACCOUNT"
  database_roles = local.reads ? [] : [local.database_role]

  # A user that tables belong to cannot be deleted; it goes with the instance.
  deletion_policy = "ABANDON"
}

resource "google_secret_manager_secret_iam_member" "read" {
  for_each  = toset(values(var.secrets))
  project   = var.project
  secret_id = each.key
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.this.member
}

# A rejected message is parked by the function itself.
resource "google_pubsub_topic_iam_member" "dead_letters" {
  count   = var.dead_letters == null ? 0 : 1
  project = var.project
  topic   = var.dead_letters.topic
  role    = "roles/pubsub.publisher"
  member  = google_service_account.this.member
}

moved {
  from = google_pubsub_topic_iam_member.dead_letters
  to   = google_pubsub_topic_iam_member.dead_letters[0]
}

# Where everybody may send requests, the function checks who asks.
resource "google_cloud_run_v2_service_iam_member" "everybody" {
  count    = var.http == null ? 0 : var.http.auth == "function" ? 1 : 0
  project  = var.project
  location = google_cloud_run_v2_service.this.location
  name     = google_cloud_run_v2_service.this.name
  role     = "roles/run.invoker"
  member   = "allUsers"
}
