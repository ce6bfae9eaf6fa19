output "subscription" {
  description = "The subscription that delivers to the function."
  value = {
    name = google_pubsub_subscription.this.name
    id   = google_pubsub_subscription.this.id
  }
}

output "push_identity" {
  description = "As whom Pub/Sub calls the function: e-mail address of a service account."
  value       = google_service_account.push.email
}
