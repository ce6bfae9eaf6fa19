output "name" {
  description = "Name of the bucket, new or existing, without gs://."
  value       = local.bucket
}

output "url" {
  description = "The bucket as the edge uploader's destination."
  value       = "gs://${local.bucket}"
}

output "topic" {
  description = "The topic on which completed objects are announced, projects/P/topics/T. Subscribe to it for uses of your own."
  value       = google_pubsub_topic.this["finalized"].id

  # Who subscribes misses nothing of what is uploaded from then on.
  depends_on = [google_storage_notification.this]
}

output "removed_topic" {
  description = "The topic on which removed objects are announced, projects/P/topics/T, where there is one."
  value       = try(google_pubsub_topic.this["removed"].id, null)

  depends_on = [google_storage_notification.this]
}

output "exports" {
  description = "The folder of exports, exports/, where a function keeps some."
  value       = one(google_storage_managed_folder.exports[*].name)
}
