# Alarms of the table of records: what does not reach it, and what does not fit it.

locals {
  records_alarms = merge([for stream in var.records == null ? [] : [var.records] : {
    "records-dead-letters" = {
      meaning    = "Records did not fit the table of records. They are whole below errors/ in its bucket, with the reason."
      namespace  = "AWS/Firehose"
      metric     = "FailedConversion.Records"
      dimensions = { DeliveryStreamName = stream.stream_name }
      statistic  = "Sum"
      period_s   = 300
    }
    "records-undelivered" = {
      meaning    = "EventBridge could not put records into Firehose for a day. The stream or its role was changed."
      namespace  = "AWS/SQS"
      metric     = "ApproximateNumberOfMessagesVisible"
      dimensions = { QueueName = stream.undelivered_name }
    }
    "records-oldest-message" = {
      meaning    = "Records have been waiting for more than ${var.alarms.oldest_message_minutes} minutes to be written to their table."
      namespace  = "AWS/Firehose"
      metric     = "DeliveryToS3.DataFreshness"
      dimensions = { DeliveryStreamName = stream.stream_name }
      comparison = "GreaterThanThreshold"
      threshold  = 60 * var.alarms.oldest_message_minutes
      period_s   = 300
    }
  }]...)
}
