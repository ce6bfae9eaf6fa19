output "service" {
  description = "Name, region and HTTPS URL of the Cloud Run service."
  value = {
    name     = google_cloud_run_v2_service.this.name
    location = google_cloud_run_v2_service.this.location
    url      = google_cloud_run_v2_service.this.uri
  }
}

output "identity" {
  description = "E-mail address of the service account that the function runs as."
  value       = google_service_account.this.email
}

output "grants" {
  description = "The grants that the function's identity has, as they were given."
  value       = var.grants
}

output "url" {
  description = "The function's URL with the path for requests; null if requests do not trigger it."
  value       = try("${google_cloud_run_v2_service.this.uri}${var.http.path}", null)
}
