output "dashboard_url" {
  description = "URL of the dashboard in the cloud's console."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${basename(google_monitoring_dashboard.this.id)}?project=${var.project}"
}

output "alarm_names" {
  description = "Names of all alarms, sorted."
  value = sort(concat(
    [for alarm in google_monitoring_alert_policy.subscription : alarm.display_name],
    [for alarm in google_monitoring_alert_policy.log : alarm.display_name],
  ))
}

output "log_queries" {
  description = "The saved queries, as the filters of Logs Explorer and of gcloud logging read."
  value       = { for name, query in local.queries : name => query.filter }
}

output "log_bucket" {
  description = "The log bucket, for gcloud logging read --bucket … --location … --view _AllLogs."
  value = {
    id       = google_logging_project_bucket_config.this.bucket_id
    location = google_logging_project_bucket_config.this.location
  }
}

output "metrics" {
  description = "The metrics that are counted from logs, by short name."
  value       = { for key, metric in merge(google_logging_metric.count, google_logging_metric.distribution) : key => "logging.googleapis.com/user/${metric.name}" }
}
