output "subscriptions" {
  description = "By trigger, the subscription that delivers to the function."
  value       = { for key, subscription in google_pubsub_subscription.this : key => { name = subscription.name, id = subscription.id } }
}

output "replay_topic" {
  description = "The topic that delivers to this function alone, for framepost replay; null where only schedules call it."
  value       = one(google_pubsub_topic.replay[*].id)
}

output "push_identity" {
  description = "As whom Pub/Sub calls the function: e-mail address of a service account."
  value       = google_service_account.push.email
}

output "schedules" {
  description = "By trigger, the name of its schedule."
  value       = { for key, schedule in google_cloud_scheduler_job.this : key => schedule.name }
}
