# The table, and who asks it.

resource "aws_glue_catalog_database" "this" {
  name        = local.database
  description = "Framepost: what is known of the footage."
}

resource "aws_glue_catalog_table" "records" {
  name          = "records"
  database_name = aws_glue_catalog_database.this.name
  description   = "Every record as it was published: a CloudEvent a row, some rows more than once. The saved queries give each once."
  table_type    = "EXTERNAL_TABLE"

  # Partitions follow from the days, so nobody registers them.
  parameters = {
    EXTERNAL                    = "TRUE"
    classification              = "parquet"
    "projection.enabled"        = "true"
    "projection.day.type"       = "date"
    "projection.day.format"     = "yyyy-MM-dd"
    "projection.day.range"      = "2025-01-01,NOW"
    "storage.location.template" = "s3://${aws_s3_bucket.this.bucket}/records/day=$${day}/"
  }

  partition_keys {
    name    = "day"
    type    = "string"
    comment = "The day (UTC) on which the record was published, yyyy-MM-dd."
  }

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.this.bucket}/records/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      name                  = "parquet"
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters            = { "serialization.format" = "1" }
    }

    dynamic "columns" {
      for_each = local.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

resource "aws_athena_workgroup" "this" {
  #checkov:skip=CKV_AWS_159:answers are encrypted with the bucket's key
  name          = var.name
  description   = "Questions to Framepost's records"
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.query_gib_max * 1024 * 1024 * 1024

    result_configuration {
      output_location       = "s3://${aws_s3_bucket.this.bucket}/answers/"
      expected_bucket_owner = data.aws_caller_identity.current.account_id

      encryption_configuration {
        encryption_option = var.encryption_key_arn == null ? "SSE_S3" : "SSE_KMS"
        kms_key_arn       = var.encryption_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each    = toset(local.queries)
  name        = each.key
  description = trimprefix(split("\n", file("${path.module}/queries/${each.key}.sql"))[0], "-- ")
  workgroup   = aws_athena_workgroup.this.id
  database    = aws_glue_catalog_database.this.name
  query       = templatefile("${path.module}/queries/${each.key}.sql", { records = local.table })
}
