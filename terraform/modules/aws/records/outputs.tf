output "bus_name" {
  description = "The bus's name."
  value       = aws_cloudwatch_event_bus.this.name
}

output "bus_arn" {
  description = "The bus's ARN."
  value       = aws_cloudwatch_event_bus.this.arn
}

output "log_group" {
  description = "The log group that holds every record, if there is one."
  value       = one(aws_cloudwatch_log_group.records[*].name)
}
