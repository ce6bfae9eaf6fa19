output "url" {
  description = "What functions connect to: FRAMEPOST_CATALOG. An existing database's comes from its secret, and may hold a password."
  sensitive   = true
  value = var.existing == null ? (
    "postgres://${local.user}@${aws_rds_cluster.this[0].endpoint}:${aws_rds_cluster.this[0].port}/${local.database}?sslmode=require&login=aws&reader=public"
  ) : data.aws_secretsmanager_secret_version.existing[0].secret_string
}

output "reader_url" {
  description = "The same for functions that only read, as a user of their own; of an existing database the same URL."
  sensitive   = true
  value = var.existing == null ? (
    "postgres://${local.reader}@${aws_rds_cluster.this[0].endpoint}:${aws_rds_cluster.this[0].port}/${local.database}?sslmode=require&login=aws&tables=awaited"
  ) : data.aws_secretsmanager_secret_version.existing[0].secret_string
}

output "key" {
  description = "What paths for players are signed with: 64 hexadecimal digits."
  sensitive   = true
  value       = replace(terraform_data.key.output, "-", "")
}

output "network" {
  description = "Where functions reach it from."
  value = {
    subnet_ids         = var.existing == null ? [for subnet in aws_subnet.this : subnet.id] : var.existing.subnets
    security_group_ids = var.existing == null ? [aws_security_group.this["functions"].id] : var.existing.security_groups
  }

  # A function that starts earlier finds nobody.
  depends_on = [aws_rds_cluster_instance.this, aws_route_table_association.this, aws_vpc_endpoint.s3, aws_vpc_endpoint.sqs]
}

output "user_arn" {
  description = "What a function's role needs rds-db:connect on."
  value = var.existing == null ? join(":", [
    "arn", data.aws_partition.current.partition, "rds-db", data.aws_region.current.id, data.aws_caller_identity.current.account_id,
    "dbuser", "${aws_rds_cluster.this[0].cluster_resource_id}/${local.user}",
  ]) : null
}

output "reader_arn" {
  description = "The same of a function that only reads."
  value = var.existing == null ? join(":", [
    "arn", data.aws_partition.current.partition, "rds-db", data.aws_region.current.id, data.aws_caller_identity.current.account_id,
    "dbuser", "${aws_rds_cluster.this[0].cluster_resource_id}/${local.reader}",
  ]) : null
}

output "cluster" {
  description = "The cluster's identifier, and how many connections it takes; nothing of an existing database is known."
  value       = var.existing == null ? { identifier = aws_rds_cluster.this[0].cluster_identifier, connections_max = local.connections_max } : null
}
