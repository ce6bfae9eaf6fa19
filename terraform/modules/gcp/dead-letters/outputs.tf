output "topic" {
  description = "The topic, projects/P/topics/T, once what is parked there is kept."
  value       = google_pubsub_topic.this.id

  depends_on = [google_pubsub_subscription.this, google_pubsub_topic_iam_member.pubsub_agent]
}

output "name" {
  description = "Name of the subscription that keeps the messages."
  value       = google_pubsub_subscription.this.name
}

output "subscription" {
  description = "The subscription that keeps the messages, projects/P/subscriptions/S."
  value       = google_pubsub_subscription.this.id
}
