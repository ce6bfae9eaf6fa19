# The bucket for the footage, and the topic for its notifications of complete objects.
#
# Invariants: deleted or replaced objects can be restored for `noncurrent_days` and then `soft_delete_days`;
# nothing is public; access is by IAM alone; nobody gets the right to delete here.
#
# An existing bucket (`existing`) gets the notification and additional IAM members. Its lifecycle, versioning
# and encryption are not changed.

locals {
  bucket = var.existing ? data.google_storage_bucket.existing[0].name : google_storage_bucket.footage[0].name

  # Fifty prefixes in a rule. One list without any is a rule for all keys.
  footage = length(var.footage_prefixes) == 0 ? [[]] : chunklist(var.footage_prefixes, 50)

  coldness = { NEARLINE = 1, COLDLINE = 2, ARCHIVE = 3 }

  # An object only goes to a colder class, also where it was written into one that is not the bucket's.
  warmer = {
    NEARLINE = ["STANDARD", "MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY"]
    COLDLINE = ["STANDARD", "MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY", "NEARLINE"]
    ARCHIVE  = ["STANDARD", "MULTI_REGIONAL", "REGIONAL", "DURABLE_REDUCED_AVAILABILITY", "NEARLINE", "COLDLINE"]
  }
}

data "google_storage_bucket" "existing" {
  count   = var.existing ? 1 : 0
  name    = var.name
  project = var.project

  lifecycle {
    postcondition {
      condition     = self.uniform_bucket_level_access
      error_message = "The bucket ${var.name} has access control lists: a gateway could not be held to its prefix. Switch uniform bucket-level access on."
    }
  }
}

resource "google_storage_bucket" "footage" {
  #checkov:skip=CKV_GCP_62:usage logs need a second bucket; Cloud Audit Logs' data access is the project owner's choice
  #checkov:skip=CKV_GCP_78:versioning is a choice that is on unless bucket.versioning says otherwise
  count                       = var.existing ? 0 : 1
  project                     = var.project
  name                        = var.name
  location                    = var.location
  storage_class               = "STANDARD"
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.keep_footage

  versioning {
    enabled = var.versioning
  }

  soft_delete_policy {
    retention_duration_seconds = var.soft_delete_days * 86400
  }

  dynamic "encryption" {
    for_each = var.encryption_key == null ? [] : [var.encryption_key]

    content {
      default_kms_key_name = encryption.value
    }
  }

  # Pages read objects with signed URLs. Each such URL is the right to what it names, from wherever it is used, so any page may.
  dynamic "cors" {
    for_each = var.pages_read ? [1] : []

    content {
      origin          = ["*"]
      method          = ["GET"]
      response_header = ["Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Range"]
      max_age_seconds = 3600
    }
  }

  # Cloud Storage names what a rule is for, and not what it is not for: where something else is to stay, rules name the sites.
  dynamic "lifecycle_rule" {
    for_each = flatten([for transition in var.transitions : [for prefixes in local.footage : merge(transition, { prefixes = prefixes })]])

    content {
      action {
        type          = "SetStorageClass"
        storage_class = lifecycle_rule.value.class
      }

      condition {
        age                   = lifecycle_rule.value.days
        matches_prefix        = lifecycle_rule.value.prefixes
        matches_storage_class = local.warmer[lifecycle_rule.value.class]
      }
    }
  }

  # Gateways' reports expire before footage.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      age            = var.reports_days
      matches_suffix = [".report.json"]
      with_state     = "LIVE"
    }
  }

  dynamic "lifecycle_rule" {
    for_each = var.expire_days == null ? [] : local.footage

    content {
      action {
        type = "Delete"
      }

      condition {
        age            = var.expire_days
        matches_prefix = lifecycle_rule.value
        with_state     = "LIVE"
      }
    }
  }

  # Also where versioning was switched off later: what is noncurrent by then goes all the same.
  lifecycle_rule {
    action {
      type = "Delete"
    }

    condition {
      days_since_noncurrent_time = var.noncurrent_days
      with_state                 = "ARCHIVED"
    }
  }

  # A gateway never begins one; what somebody else left half done is not paid for.
  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }

    condition {
      age = 1
    }
  }
}

# A folder that rights can be given to, those to list what is in it included, which no condition of IAM can do. What is in it
# stays in the bucket when the folder goes.
resource "google_storage_managed_folder" "exports" {
  count         = var.exports ? 1 : 0
  bucket        = local.bucket
  name          = "exports/"
  force_destroy = true
}

# One topic for each kind of event: a subscription's filter cannot be changed, so what one function hears of must not change
# another one's subscription.
locals {
  topics = merge(
    { finalized = { name = var.topic_name, event_types = ["OBJECT_FINALIZE"] } },
    # With versioning a deletion archives the live version first; the version itself goes later.
    var.removed_topic_name == null ? {} : { removed = { name = var.removed_topic_name, event_types = ["OBJECT_DELETE", "OBJECT_ARCHIVE"] } },
  )
  notifications = merge([for topic in keys(local.topics) : {
    for prefix in(length(var.prefixes) == 0 ? toset([""]) : var.prefixes) : "${topic}:${prefix}" => { topic = topic, prefix = prefix }
  }]...)
}

resource "google_pubsub_topic" "this" {
  for_each     = local.topics
  project      = var.project
  name         = each.value.name
  kms_key_name = var.encryption_key

  # Keys of footage stay where the footage is processed.
  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

moved {
  from = google_pubsub_topic.finalized
  to   = google_pubsub_topic.this["finalized"]
}

resource "google_pubsub_topic_iam_member" "storage_agent" {
  for_each = local.topics
  project  = var.project
  topic    = google_pubsub_topic.this[each.key].name
  role     = "roles/pubsub.publisher"
  member   = var.storage_agent
}

moved {
  from = google_pubsub_topic_iam_member.storage_agent
  to   = google_pubsub_topic_iam_member.storage_agent["finalized"]
}

resource "google_storage_notification" "this" {
  for_each           = local.notifications
  object_name_prefix = each.value.prefix == "" ? null : each.value.prefix

  bucket         = local.bucket
  topic          = google_pubsub_topic.this[each.value.topic].id
  payload_format = "JSON_API_V1"
  event_types    = local.topics[each.value.topic].event_types

  # Cloud Storage tries the topic when it is told of it.
  depends_on = [google_pubsub_topic_iam_member.storage_agent]
}

moved {
  from = google_storage_notification.finalized[""]
  to   = google_storage_notification.this["finalized:"]
}
