output "table" {
  description = "The table with every record, database.table."
  value       = "${aws_glue_catalog_database.this.name}.${aws_glue_catalog_table.records.name}"
}

output "workgroup" {
  description = "The Athena workgroup that questions are asked in."
  value       = aws_athena_workgroup.this.name
}

output "queries" {
  description = "Id of each saved query in Athena, by its name."
  value       = { for name, query in aws_athena_named_query.this : name => query.id }
}

output "stream_name" {
  description = "Name of the Firehose stream, for alarms."
  value       = aws_kinesis_firehose_delivery_stream.this.name
}

output "undelivered_name" {
  description = "Name of the queue that holds records which EventBridge could not deliver to Firehose."
  value       = aws_sqs_queue.undelivered.name
}
