output "bucket" {
  description = "Name of the bucket of claims, without gs://."
  value       = google_storage_bucket.ledger.name
}

output "url" {
  description = "What FRAMEPOST_LEDGER begins with; a function's name follows."
  value       = "gs://${google_storage_bucket.ledger.name}"
}
