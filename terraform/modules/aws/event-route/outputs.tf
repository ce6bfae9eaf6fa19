output "rule_arns" {
  description = "EventBridge rules, by trigger."
  value       = { for key, rule in aws_cloudwatch_event_rule.this : key => rule.arn }
}

output "queue" {
  description = "The queue that a function takes its work from."
  value = {
    name = aws_sqs_queue.queue.name
    arn  = aws_sqs_queue.queue.arn
    url  = aws_sqs_queue.queue.url
  }
}

output "dead_letters" {
  description = "Where messages are parked that were rejected or never succeeded."
  value = {
    name = aws_sqs_queue.dead_letters.name
    arn  = aws_sqs_queue.dead_letters.arn
    url  = aws_sqs_queue.dead_letters.url
  }
}

output "undelivered" {
  description = "Where EventBridge puts what it could not deliver to the queue."
  value = {
    name = aws_sqs_queue.undelivered.name
    arn  = aws_sqs_queue.undelivered.arn
    url  = aws_sqs_queue.undelivered.url
  }
}

output "schedules" {
  description = "Names of the schedules, by trigger."
  value       = { for key, schedule in aws_scheduler_schedule.this : key => schedule.name }
}
