output "bus_name" {
  description = "Name of the EventBridge bus that records are published on."
  value       = aws_cloudwatch_event_bus.this.name
}

output "bus_arn" {
  description = "ARN of the EventBridge bus, for rules and policies of your own."
  value       = aws_cloudwatch_event_bus.this.arn
}

output "log_group" {
  description = "The log group that holds every record, if there is one."
  value       = one(aws_cloudwatch_log_group.records[*].name)
}
