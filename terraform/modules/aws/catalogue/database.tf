# Aurora PostgreSQL Serverless v2: it grows and shrinks with the work between acu_min and acu_max.

resource "aws_db_subnet_group" "this" {
  count       = local.created
  name        = var.name
  description = "Where the catalogue ${var.name} is"
  subnet_ids  = [for subnet in aws_subnet.this : subnet.id]
}

resource "aws_rds_cluster_parameter_group" "this" {
  count       = local.created
  name        = var.name
  family      = "aurora-postgresql${split(".", var.engine_version)[0]}"
  description = "Settings of the catalogue ${var.name}"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # What takes longer than a second is worth a line.
  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }
}

resource "aws_rds_cluster" "this" {
  #checkov:skip=CKV_AWS_327:a key of one's own is var.encryption_key_arn; without one RDS's own key encrypts
  #checkov:skip=CKV2_AWS_8:Aurora's own backups, with the days of var.backup_days; the catalogue can be made again from the bucket
  #checkov:skip=CKV_AWS_324:the log stays with RDS, which keeps it for days; CloudWatch would cost by its bytes
  #checkov:skip=CKV2_AWS_27:what was asked is in the api's log, with who asked
  count                               = local.created
  cluster_identifier                  = var.name
  engine                              = "aurora-postgresql"
  engine_mode                         = "provisioned"
  engine_version                      = var.engine_version
  database_name                       = local.database
  master_username                     = "administrator"
  manage_master_user_password         = true
  iam_database_authentication_enabled = true
  # For the login in login.tf, and for whoever looks something up. Who may use it says IAM.
  enable_http_endpoint            = true
  db_subnet_group_name            = aws_db_subnet_group.this[0].name
  db_cluster_parameter_group_name = aws_rds_cluster_parameter_group.this[0].name
  vpc_security_group_ids          = [aws_security_group.this["database"].id]
  storage_encrypted               = true
  kms_key_id                      = var.encryption_key_arn
  backup_retention_period         = var.backup_days
  copy_tags_to_snapshot           = true
  deletion_protection             = var.keep
  skip_final_snapshot             = !var.keep
  final_snapshot_identifier       = var.keep ? "${var.name}-last" : null

  serverlessv2_scaling_configuration {
    min_capacity = var.acu_min
    max_capacity = var.acu_max
  }

  lifecycle {
    # Aurora installs newer minor versions itself.
    ignore_changes = [engine_version]

    precondition {
      condition     = var.connections_wanted <= local.connections_max
      error_message = "The functions may open ${var.connections_wanted} connections to the catalogue, and ${var.acu_max} ACU allow ${local.connections_max}: raise catalogue.capacity_max, or lower max_concurrency of api and catalog in functions.overrides."
    }
  }
}

resource "aws_rds_cluster_instance" "this" {
  #checkov:skip=CKV_AWS_118:CloudWatch's metrics are enough, and enhanced monitoring is one more log to pay for
  #checkov:skip=CKV_AWS_353:statements that take long are in the log; Performance Insights is an account's choice
  count                      = local.created
  identifier                 = "${var.name}-0"
  cluster_identifier         = aws_rds_cluster.this[0].id
  instance_class             = "db.serverless"
  engine                     = aws_rds_cluster.this[0].engine
  publicly_accessible        = false
  auto_minor_version_upgrade = true
}
