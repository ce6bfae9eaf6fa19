# The bucket that holds the footage.
#
# Invariants: every version of an object can be restored for `noncurrent_days`; nothing is public;
# only TLS is allowed; an object below a write-once prefix is written once, whoever writes it; a
# gateway can put and nothing else.
#
# An existing bucket (`existing`) is only read. S3 has one policy and one notification configuration per bucket,
# and writing either here would silently replace its owner's. The owner adds `policy_json` instead.

locals {
  created = var.existing ? 0 : 1
  bucket  = var.existing ? data.aws_s3_bucket.existing[0] : aws_s3_bucket.footage[0]

  coldness = ["STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"]
}

data "aws_s3_bucket" "existing" {
  count  = var.existing ? 1 : 0
  bucket = var.name
}

resource "aws_s3_bucket" "footage" {
  #checkov:skip=CKV_AWS_18:access logs need a second bucket; CloudTrail data events are the account owner's choice
  #checkov:skip=CKV_AWS_144:replication doubles the cost of footage; it is added from outside where a copy is wanted
  count         = local.created
  bucket        = var.name
  force_destroy = !var.keep_footage
}

resource "aws_s3_bucket_ownership_controls" "footage" {
  count  = local.created
  bucket = aws_s3_bucket.footage[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "footage" {
  count                   = local.created
  bucket                  = aws_s3_bucket.footage[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "footage" {
  count  = local.created
  bucket = aws_s3_bucket.footage[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "footage" {
  count  = local.created
  bucket = aws_s3_bucket.footage[0].id

  rule {
    # One KMS request for many objects instead of one for each.
    bucket_key_enabled = var.encryption_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.encryption_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.encryption_key_arn
    }
  }
}

# Pages read objects with presigned URLs. Each such URL is the right to what it names, from wherever it is used, so any page may.
resource "aws_s3_bucket_cors_configuration" "footage" {
  count  = var.pages_read ? local.created : 0
  bucket = aws_s3_bucket.footage[0].id

  cors_rule {
    allowed_origins = ["*"]
    allowed_methods = ["GET"]
    allowed_headers = ["range"]
    expose_headers  = ["accept-ranges", "content-length", "content-range", "etag"]
    max_age_seconds = 3600
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "footage" {
  count  = local.created
  bucket = aws_s3_bucket.footage[0].id

  # S3 names what a rule is for, and not what it is not for: where something else is to stay, each site has a rule.
  dynamic "rule" {
    for_each = var.expire_days == null && length(var.transitions) == 0 ? [] : var.footage_prefixes

    content {
      id     = rule.value == "" ? "footage" : "footage-${trim(rule.value, "/")}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      dynamic "transition" {
        for_each = var.transitions

        content {
          days          = transition.value.days
          storage_class = transition.value.class
        }
      }

      dynamic "expiration" {
        for_each = var.expire_days == null ? [] : [var.expire_days]

        content {
          days = expiration.value
        }
      }
    }
  }

  rule {
    id     = "versions"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    # A gateway never starts a multipart upload. This avoids paying for incomplete uploads of others.
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Gateways' reports expire before footage. S3 filters by prefix and not by suffix, so each site has a rule.
  dynamic "rule" {
    for_each = var.reports.prefixes

    content {
      id     = "reports-${trim(rule.value, "/")}"
      status = "Enabled"

      filter {
        prefix = rule.value
      }

      expiration {
        days = var.reports.days
      }
    }
  }

  # Removes delete markers without versions. S3 does not accept this in one rule with days.
  rule {
    id     = "delete-markers"
    status = "Enabled"

    filter {}

    expiration {
      expired_object_delete_marker = true
    }
  }

  # A rule for noncurrent versions requires versioning.
  depends_on = [aws_s3_bucket_versioning.footage]
}

resource "aws_s3_bucket_notification" "footage" {
  count       = local.created
  bucket      = aws_s3_bucket.footage[0].id
  eventbridge = true
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.bucket.arn, "${local.bucket.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # With If-None-Match S3 answers 412 where the key is taken. Requests that make no object yet (CreateMultipartUpload,
  # UploadPart) cannot carry the header and are let through; CompleteMultipartUpload must carry it. CopyObject into these
  # prefixes needs a principal of `overwriters`. AWS services that deliver to the bucket (inventory, access logs) write
  # keys of their own.
  statement {
    sid       = "WriteOnce"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = [for prefix in var.write_once_prefixes : "${local.bucket.arn}/${prefix}*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }

    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }

    condition {
      test     = "Bool"
      variable = "aws:PrincipalIsAWSService"
      values   = ["false"]
    }

    dynamic "condition" {
      for_each = length(var.overwriters) > 0 ? [var.overwriters] : []

      content {
        test     = "ArnNotLike"
        variable = "aws:PrincipalArn"
        values   = condition.value
      }
    }
  }

  # Applies to everything else that somebody attaches to a gateway's principal by mistake.
  dynamic "statement" {
    for_each = length(var.gateways) > 0 ? [1] : []

    content {
      sid         = "GatewaysOnlyPut"
      effect      = "Deny"
      not_actions = ["s3:PutObject"]
      resources   = [local.bucket.arn, "${local.bucket.arn}/*"]

      principals {
        type        = "*"
        identifiers = ["*"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:PrincipalArn"
        values   = sort(values(var.gateways))
      }
    }
  }
}

resource "aws_s3_bucket_policy" "footage" {
  count  = local.created
  bucket = aws_s3_bucket.footage[0].id
  policy = data.aws_iam_policy_document.bucket.json

  # Both change the bucket's access; S3 refuses two such requests at the same time.
  depends_on = [aws_s3_bucket_public_access_block.footage]
}
