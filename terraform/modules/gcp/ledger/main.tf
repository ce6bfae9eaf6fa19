# Where functions whose work costs claim it: one small object a piece of work, written on the condition of its generation.
#
# A bucket of its own, not a prefix of the footage's: there every claim would raise an event for the functions, and be
# versioned, soft-deleted and moved to classes that are dear for small objects.

resource "google_storage_bucket" "ledger" {
  #checkov:skip=CKV_GCP_62:usage logs would cost more than the claims
  #checkov:skip=CKV_GCP_78:an old version of a claim is worth nothing
  project                     = var.project
  name                        = var.name
  location                    = var.location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"

  # Claims can be lost with the stack that made them: at worst work is paid for twice.
  force_destroy = true

  soft_delete_policy {
    retention_duration_seconds = 0
  }

  dynamic "encryption" {
    for_each = var.encryption_key == null ? [] : [var.encryption_key]

    content {
      default_kms_key_name = encryption.value
    }
  }

  # Long after an event can still come again.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age = var.keep_days
    }
  }
}
