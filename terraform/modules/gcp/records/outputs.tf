output "topic" {
  description = "The topic that records go to, projects/P/topics/T. Subscribe to it for uses of your own."
  value       = google_pubsub_topic.records.id
}

output "table" {
  description = "The table with every record, project.dataset.table."
  value       = local.table
}

output "views" {
  description = "Views for people, by name: project.dataset.view."
  value       = { for name, view in google_bigquery_table.view : name => "${view.project}.${view.dataset_id}.${view.table_id}" }
}

output "subscription" {
  description = "The subscription that writes the table."
  value = {
    name = google_pubsub_subscription.bigquery.name
    id   = google_pubsub_subscription.bigquery.id
  }
}

output "dead_letters" {
  description = "Where records are parked that do not fit the table: the topic, and the subscription that keeps them."
  value       = module.dead_letters
}
