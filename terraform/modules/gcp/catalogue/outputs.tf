output "database" {
  description = "What functions connect to by the built-in socket; null where the URL is in a secret."
  value = var.existing == null ? {
    instance        = google_sql_database_instance.this[0].name
    connection_name = google_sql_database_instance.this[0].connection_name
    name            = google_sql_database.this[0].name
  } : null
}

output "url_secret" {
  description = "The secret with the URL of an existing database."
  value       = try(var.existing.url_secret, null)
}

output "key_secret" {
  description = "The secret that paths for players are signed with: 64 hexadecimal digits."
  value       = google_secret_manager_secret.key.secret_id

  depends_on = [google_secret_manager_secret_version.key]
}

output "connections_max" {
  description = "How many connections the instance takes; nothing of an existing one is known."
  value       = var.existing == null ? local.connections_max : null
}
