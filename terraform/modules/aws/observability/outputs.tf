output "topic_arn" {
  description = "The topic that alarms are published to, where none was given."
  value       = one(aws_sns_topic.alarms[*].arn)
}

output "dashboard_url" {
  description = "URL of the dashboard in the cloud's console."
  value       = "https://${local.region}.console.aws.amazon.com/cloudwatch/home?region=${local.region}#dashboards/dashboard/${var.name}"
}

output "alarm_names" {
  description = "Names of all alarms, sorted."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}

output "log_queries" {
  description = "Queries of CloudWatch Logs Insights by name, and the log groups that they read. All are saved under the deployment's name."
  value = {
    log_groups = local.log_groups
    queries    = local.queries
  }
}
