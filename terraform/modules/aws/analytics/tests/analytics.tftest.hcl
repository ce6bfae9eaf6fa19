mock_provider "aws" {
  source = "../../mocks/aws"

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::framepost-records-123456789012-eu-central-1" }
  }
}

variables {
  name               = "framepost-records"
  bucket_name        = "framepost-records-123456789012-eu-central-1"
  bus_name           = "framepost-records"
  columns_file       = "../../../../events/schemas/glue/records.json"
  log_retention_days = 30
}

run "a_table_of_the_records_types" {
  assert {
    condition     = [for c in aws_glue_catalog_table.records.storage_descriptor[0].columns : c.name] == jsondecode(file(var.columns_file))[*].name && output.table == "framepost_records.records"
    error_message = "its columns are those of the file"
  }
  assert {
    condition     = aws_glue_catalog_table.records.parameters["storage.location.template"] == "s3://framepost-records-123456789012-eu-central-1/records/day=$${day}/" && aws_glue_catalog_table.records.partition_keys[0].name == "day"
    error_message = "partitions are days, and nobody registers them"
  }
  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.this.extended_s3_configuration).prefix == "records/day=!{timestamp:yyyy-MM-dd}/"
    error_message = "files lie where the table looks"
  }
}

run "whole_records_come_from_the_bus" {
  assert {
    condition     = aws_cloudwatch_event_target.firehose.input_path == "$.detail" && jsondecode(aws_cloudwatch_event_rule.records.event_pattern) == { source = [{ prefix = "framepost." }] }
    error_message = "the CloudEvent, and not EventBridge's envelope"
  }
  assert {
    condition     = { for s in data.aws_iam_policy_document.grants["bus"].statement : s.sid => s.resources } == { PutRecords = toset(["arn:aws:firehose:eu-central-1:123456789012:deliverystream/framepost-records"]) }
    error_message = "the bus may put into this stream alone"
  }
  assert {
    condition     = !anytrue(flatten([for s in data.aws_iam_policy_document.grants["stream"].statement : [for r in s.resources : r == "*"]])) && !anytrue(flatten([for s in data.aws_iam_policy_document.grants["stream"].statement : [for a in s.actions : strcontains(a, "Delete")]]))
    error_message = "Firehose writes to its bucket, deletes nothing and reads the table's columns"
  }
}

run "questions_have_the_names_of_the_other_cloud_s" {
  assert {
    condition     = toset(keys(aws_athena_named_query.this)) == toset([for file in fileset("../../gcp/records/views", "*.sql") : trimsuffix(file, ".sql")])
    error_message = "a query for each view of BigQuery: ${jsonencode(keys(aws_athena_named_query.this))}"
  }
  assert {
    condition     = alltrue([for query in aws_athena_named_query.this : strcontains(query.query, "\"framepost_records\".\"records\"") && strcontains(query.query, "day >=") && length(query.description) > 10])
    error_message = "each asks the table, a span of days of it, and says what it is for"
  }
  # What each column is called, but for what a star brings.
  assert {
    condition = alltrue([for name in ["chunks", "gaps", "gateways", "detections"] :
      toset([for column in regexall("(?m)(?:AS |[ .])([a-z0-9_]+),?$", split("\nFROM", aws_athena_named_query.this[name].query)[0]) : column[0]]) ==
      toset([for column in regexall("(?m)(?:AS |[ .])([a-z0-9_]+),?$", split("\nFROM", replace(file("../../gcp/records/views/${name}.sql"), "/(?s)WITH .*?\n\\)\n/", ""))[0]) : column[0]])
    ])
    error_message = "they answer with the same columns"
  }
}

run "answers_are_kept_for_a_week_and_cost_little" {
  assert {
    condition     = one(aws_athena_workgroup.this.configuration).bytes_scanned_cutoff_per_query == 100 * 1024 * 1024 * 1024 && one(aws_athena_workgroup.this.configuration).enforce_workgroup_configuration
    error_message = "a query that reads too much ends"
  }
  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id] == ["answers", "uploads"]
    error_message = "records stay for good unless it is said otherwise"
  }
}

run "records_that_expire" {
  variables {
    expire_days = 400
  }
  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.expiration[0].days if rule.id == "records"]) == 400
    error_message = "after as many days"
  }
}

run "no_table_without_columns" {
  command = plan
  variables {
    columns_file = "main.tf"
  }
  expect_failures = [var.columns_file]
}
