# Every record in a table, to be asked with SQL, without a program of ours in between.
#
#   bus ─▶ rule ─▶ Firehose ─▶ Parquet in a bucket, by day ─▶ Glue table `records` ─▶ Athena
#              └▶ undelivered  └▶ errors/ in the same bucket: what does not fit the table, whole
#
# The table's columns are made from the records' types (events/src/glue.rs). A field that the table does not have yet is left
# out of the Parquet; the function's own log has it. Delivery is at least once, so the table can hold a record twice; the saved
# queries give each once.
#
# Records have a bucket of their own: Firehose puts without If-None-Match, which the footage's bucket refuses.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

locals {
  database = replace(var.name, "-", "_")
  columns  = jsondecode(file(var.columns_file))
  table    = "\"${local.database}\".\"records\""

  # A query is there once the table has what it shows.
  needs = {
    chunks     = "duration"
    gaps       = "cause"
    detections = "frames"
    gateways   = "camerassilent"
    cameras    = "cameras"
  }
  data    = one([for column in local.columns : column.type if column.name == "data"])
  queries = [for query, field in local.needs : query if can(regex("[<,]${field}:", local.data))]
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:access logs need a second bucket; CloudTrail data events are the account owner's choice
  #checkov:skip=CKV_AWS_21:records are made again from the footage; versions would be paid for each time
  #checkov:skip=CKV_AWS_144:records are made again from the footage
  #checkov:skip=CKV_AWS_145:a key of one's own is var.encryption_key_arn; without one S3's own keys encrypt
  #checkov:skip=CKV2_AWS_62:nobody waits for new files of a table
  bucket        = var.bucket_name
  force_destroy = !var.keep
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    bucket_key_enabled = var.encryption_key_arn != null

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.encryption_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.encryption_key_arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  #checkov:skip=CKV_AWS_300:the rule uploads does
  bucket = aws_s3_bucket.this.id

  dynamic "rule" {
    for_each = var.expire_days == null ? [] : [var.expire_days]

    content {
      id     = "records"
      status = "Enabled"

      filter {
        prefix = "records/"
      }

      expiration {
        days = rule.value
      }
    }
  }

  # Athena's answers.
  rule {
    id     = "answers"
    status = "Enabled"

    filter {
      prefix = "answers/"
    }

    expiration {
      days = 7
    }
  }

  rule {
    id     = "uploads"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "OnlyTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]

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
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = data.aws_iam_policy_document.bucket.json

  # Both change the bucket's access; S3 refuses two such requests at the same time.
  depends_on = [aws_s3_bucket_public_access_block.this]
}
