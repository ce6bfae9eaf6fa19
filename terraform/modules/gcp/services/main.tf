# What a project needs before anything else can be there: the APIs, and the key for Google's own service agents.
#
# Whoever takes the project's name from this module's output waits for both.

locals {
  apis = concat([
    "artifactregistry.googleapis.com",
    "bigquery.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "monitoring.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "storage.googleapis.com",
    "sts.googleapis.com",
  ], var.encryption_key == null ? [] : ["cloudkms.googleapis.com"], var.schedules ? ["cloudscheduler.googleapis.com"] : [], var.vision ? ["vision.googleapis.com"] : [], var.catalogue ? ["secretmanager.googleapis.com", "sqladmin.googleapis.com"] : [])

  # Cloud Storage and BigQuery make their agents when they are asked who they are; Pub/Sub makes its own when it is used first.
  agents = merge({
    storage  = data.google_storage_project_service_account.this.member
    pubsub   = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
    bigquery = "serviceAccount:${data.google_bigquery_default_service_account.this.email}"
    }, var.catalogue ? {
    secrets = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-secretmanager.iam.gserviceaccount.com"
    sql     = "serviceAccount:service-${data.google_project.this.number}@gcp-sa-cloud-sql.iam.gserviceaccount.com"
  } : {})
}

resource "google_project_service" "this" {
  for_each = var.enable_apis ? toset(local.apis) : []
  project  = var.project
  service  = each.value

  # Others in the project may have come to rely on it.
  disable_on_destroy = false
}

data "google_project" "this" {
  project_id = var.project

  depends_on = [google_project_service.this]
}

data "google_storage_project_service_account" "this" {
  project = var.project

  depends_on = [google_project_service.this]
}

data "google_bigquery_default_service_account" "this" {
  project = var.project

  depends_on = [google_project_service.this]
}

# Footage, messages and records are encrypted by the services' agents, never by a function or a gateway.
resource "google_kms_crypto_key_iam_member" "agent" {
  for_each      = var.encryption_key == null ? toset([]) : toset(keys(local.agents))
  crypto_key_id = var.encryption_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = local.agents[each.key]
}
