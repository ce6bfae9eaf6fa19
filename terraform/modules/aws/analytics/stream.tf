# From the bus into the bucket.

locals {
  stream     = var.name
  stream_arn = "arn:${data.aws_partition.current.partition}:firehose:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:deliverystream/${local.stream}"
  glue_arn   = "arn:${data.aws_partition.current.partition}:glue:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}"
}

resource "aws_cloudwatch_event_rule" "records" {
  name           = "${var.name}-table"
  description    = "Every record into the table"
  event_bus_name = var.bus_name
  event_pattern  = jsonencode({ source = [{ prefix = "framepost." }] })
}

resource "aws_cloudwatch_event_target" "firehose" {
  rule           = aws_cloudwatch_event_rule.records.name
  event_bus_name = var.bus_name
  target_id      = "table"
  arn            = aws_kinesis_firehose_delivery_stream.this.arn
  role_arn       = aws_iam_role.this["bus"].arn
  # The CloudEvent.
  input_path = "$.detail"

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${var.name}-undelivered"
  message_retention_seconds = 14 * 86400
  sqs_managed_sse_enabled   = true
  policy                    = data.aws_iam_policy_document.undelivered.json
}

data "aws_iam_policy_document" "undelivered" {
  statement {
    sid       = "EventsOfThisRule"
    actions   = ["sqs:SendMessage"]
    resources = ["arn:${data.aws_partition.current.partition}:sqs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:${var.name}-undelivered"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.records.arn]
    }
  }
}

resource "aws_cloudwatch_log_group" "firehose" {
  #checkov:skip=CKV_AWS_158:errors name objects and fields, no footage; CloudWatch encrypts them with its own keys
  #checkov:skip=CKV_AWS_338:how long logs are kept is log_retention_days
  name              = "/aws/kinesisfirehose/${local.stream}"
  retention_in_days = var.log_retention_days
}

resource "aws_cloudwatch_log_stream" "firehose" {
  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.firehose.name
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  #checkov:skip=CKV_AWS_241:what waits for minutes is encrypted with a key of AWS; in the bucket it is encrypted with the user's
  name        = local.stream
  destination = "extended_s3"

  server_side_encryption {
    enabled  = true
    key_type = "AWS_OWNED_CMK"
  }

  extended_s3_configuration {
    role_arn            = aws_iam_role.this["stream"].arn
    bucket_arn          = aws_s3_bucket.this.arn
    prefix              = "records/day=!{timestamp:yyyy-MM-dd}/"
    error_output_prefix = "errors/!{firehose:error-output-type}/day=!{timestamp:yyyy-MM-dd}/"
    # Whichever comes first. Converting takes 64 MB at least.
    buffering_size     = 64
    buffering_interval = var.interval_s

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.firehose.name
      log_stream_name = aws_cloudwatch_log_stream.firehose.name
    }

    data_format_conversion_configuration {
      input_format_configuration {
        deserializer {
          # The columns are in lower case, as Glue has them; the records' fields are not.
          open_x_json_ser_de {
            case_insensitive = true
          }
        }
      }

      output_format_configuration {
        serializer {
          parquet_ser_de {
            compression = "SNAPPY"
          }
        }
      }

      schema_configuration {
        role_arn      = aws_iam_role.this["stream"].arn
        database_name = aws_glue_catalog_database.this.name
        table_name    = aws_glue_catalog_table.records.name
        region        = data.aws_region.current.id
        catalog_id    = data.aws_caller_identity.current.account_id
        version_id    = "LATEST"
      }
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

locals {
  roles = {
    bus    = { service = "events.amazonaws.com", description = "Lets the bus put records into Firehose" }
    stream = { service = "firehose.amazonaws.com", description = "Lets Firehose write the table of records" }
  }
}

resource "aws_iam_role" "this" {
  for_each           = local.roles
  name               = "${var.name}-${each.key}"
  description        = each.value.description
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value.service]
    }

    # Excludes rules and streams of other accounts.
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  for_each = local.roles
  name     = "grants"
  role     = aws_iam_role.this[each.key].id
  policy   = data.aws_iam_policy_document.grants[each.key].json
}

data "aws_iam_policy_document" "grants" {
  for_each = local.roles

  dynamic "statement" {
    for_each = each.key == "bus" ? {
      PutRecords = { actions = ["firehose:PutRecord", "firehose:PutRecordBatch"], resources = [local.stream_arn] }
      } : merge(
      {
        WriteFiles = { actions = ["s3:PutObject", "s3:AbortMultipartUpload"], resources = ["${aws_s3_bucket.this.arn}/records/*", "${aws_s3_bucket.this.arn}/errors/*"] }
        SeeUploads = { actions = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], resources = [aws_s3_bucket.this.arn] }
        ReadColumns = {
          actions   = ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"]
          resources = ["${local.glue_arn}:catalog", "${local.glue_arn}:database/${local.database}", "${local.glue_arn}:table/${local.database}/records"]
        }
        Log = { actions = ["logs:PutLogEvents"], resources = ["${aws_cloudwatch_log_group.firehose.arn}:*"] }
      },
      var.encryption_key_arn == null ? {} : {
        Encrypt = { actions = ["kms:GenerateDataKey", "kms:Decrypt"], resources = [var.encryption_key_arn] }
      },
    )

    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources
    }
  }
}
