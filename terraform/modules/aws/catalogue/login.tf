# The functions' users of the database, who log in with a token of IAM and have no password. The writer makes the tables, and
# lets every user of the database read them; the reader is granted nothing here.
#
# A user is made by a statement, and the database is reached from its network alone. RDS's Data API runs statements from
# outside, and EventBridge Scheduler can call it: at once, and every day from then on, which changes nothing.

locals {
  statement = join(" ", [
    "DO $do$ BEGIN",
    join(" ", [for user in [local.user, local.reader] : join(" ", [
      "IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${user}') THEN CREATE ROLE ${user} LOGIN; END IF;",
      "GRANT rds_iam TO ${user};",
    ])]),
    "GRANT ALL ON DATABASE ${local.database} TO ${local.user};",
    "GRANT ALL ON SCHEMA public TO ${local.user};",
    "END $do$",
  ])
}

resource "aws_scheduler_schedule" "login" {
  #checkov:skip=CKV_AWS_297:a schedule holds the statement above and nothing else
  count               = local.created
  name                = "${var.name}-login"
  description         = "Makes the users ${local.user} and ${local.reader} of the catalogue, where they are not there"
  schedule_expression = "rate(1 days)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${data.aws_partition.current.partition}:scheduler:::aws-sdk:rdsdata:executeStatement"
    role_arn = aws_iam_role.login[0].arn
    input = jsonencode({
      ResourceArn = aws_rds_cluster.this[0].arn
      SecretArn   = aws_rds_cluster.this[0].master_user_secret[0].secret_arn
      Database    = local.database
      Sql         = local.statement
    })

    retry_policy {
      maximum_event_age_in_seconds = 86400
      maximum_retry_attempts       = 185
    }
  }

  # There is nobody to run a statement before.
  depends_on = [aws_rds_cluster_instance.this, aws_iam_role_policy.login]
}

resource "aws_iam_role" "login" {
  count              = local.created
  name               = "${var.name}-login"
  description        = "Makes the functions' users of the catalogue"
  assume_role_policy = data.aws_iam_policy_document.login["trust"].json
}

resource "aws_iam_role_policy" "login" {
  count  = local.created
  name   = "execute"
  role   = aws_iam_role.login[0].id
  policy = data.aws_iam_policy_document.login["execute"].json
}

data "aws_iam_policy_document" "login" {
  for_each = var.existing == null ? toset(["trust", "execute"]) : []

  dynamic "statement" {
    for_each = each.key == "execute" ? {
      "rds-data:ExecuteStatement"     = aws_rds_cluster.this[0].arn
      "secretsmanager:GetSecretValue" = aws_rds_cluster.this[0].master_user_secret[0].secret_arn
    } : {}

    content {
      actions   = [statement.key]
      resources = [statement.value]
    }
  }

  dynamic "statement" {
    for_each = each.key == "trust" ? [1] : []

    content {
      actions = ["sts:AssumeRole"]

      principals {
        type        = "Service"
        identifiers = ["scheduler.amazonaws.com"]
      }

      # Excludes schedules of other accounts.
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [data.aws_caller_identity.current.account_id]
      }
    }
  }
}
