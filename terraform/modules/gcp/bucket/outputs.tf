output "name" {
  description = "The bucket's name."
  value       = local.bucket
}

output "url" {
  description = "The bucket as the edge uploader's destination."
  value       = "gs://${local.bucket}"
}

output "topic" {
  description = "The topic on which completed objects are announced, projects/P/topics/T. Subscribe to it for uses of your own."
  value       = google_pubsub_topic.finalized.id

  # Who subscribes misses nothing of what is uploaded from then on.
  depends_on = [google_storage_notification.finalized]
}
