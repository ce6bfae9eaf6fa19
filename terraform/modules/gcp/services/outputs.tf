output "project" {
  description = "The project's id, once its APIs are enabled and its agents can use the key."
  value       = var.project

  depends_on = [google_project_service.this, google_kms_crypto_key_iam_member.agent]
}

output "project_number" {
  description = "The number that Google gave the project; its service agents are named by it."
  value       = data.google_project.this.number
}

output "agents" {
  description = "Google's service agents of this project, as IAM members: storage, pubsub, bigquery."
  value       = local.agents
}

output "apis" {
  description = "The APIs that are needed, enabled here or by somebody else."
  value       = local.apis
}
