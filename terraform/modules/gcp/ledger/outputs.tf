output "bucket" {
  description = "The bucket's name."
  value       = google_storage_bucket.ledger.name
}

output "url" {
  description = "What FRAMEPOST_LEDGER begins with; a function's name follows."
  value       = "gs://${google_storage_bucket.ledger.name}"
}
