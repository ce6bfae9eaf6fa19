output "subscriptions" {
  description = "Subscriptions that deliver to the function, by trigger."
  value       = { for key, subscription in google_pubsub_subscription.this : key => { name = subscription.name, id = subscription.id } }
}

output "replay_topic" {
  description = "The topic that delivers to this function alone, for framepost replay; null where only schedules call it."
  value       = one(google_pubsub_topic.replay[*].id)
}

output "push_identity" {
  description = "E-mail address of the service account as which Pub/Sub calls the function."
  value       = google_service_account.push.email
}

output "schedules" {
  description = "Names of the schedules, by trigger."
  value       = { for key, schedule in google_cloud_scheduler_job.this : key => schedule.name }
}
