output "service" {
  description = "Name, region and HTTPS URL of the Cloud Run service."
  value = {
    name     = google_cloud_run_v2_service.this.name
    location = google_cloud_run_v2_service.this.location
    url      = google_cloud_run_v2_service.this.uri
  }
}

output "identity" {
  description = "As whom the function works: e-mail address of its service account."
  value       = google_service_account.this.email
}

output "grants" {
  description = "The grants that the function's identity has, as they were given."
  value       = var.grants
}

output "url" {
  description = "Where requests go, where they trigger it: its URL and the path."
  value       = try("${google_cloud_run_v2_service.this.uri}${var.http.path}", null)
}
