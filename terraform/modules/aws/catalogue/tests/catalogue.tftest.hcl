mock_provider "aws" {
  source = "../../mocks/aws"
}

variables {
  name               = "framepost-catalogue"
  bucket_arn         = "arn:aws:s3:::footage"
  dead_letters_arns  = ["arn:aws:sqs:eu-central-1:123456789012:framepost-catalog-dead-letters"]
  connections_wanted = 192
}

run "a_database_that_nobody_outside_reaches" {
  assert {
    condition     = length(aws_subnet.this) == 2 && length(distinct([for subnet in aws_subnet.this : subnet.availability_zone])) == 2 && !anytrue([for subnet in aws_subnet.this : coalesce(subnet.map_public_ip_on_launch, false)])
    error_message = "two private subnets in two zones"
  }
  assert {
    condition     = length(aws_default_security_group.this[0].ingress) == 0 && length(aws_default_security_group.this[0].egress) == 0
    error_message = "the default group lets nothing through"
  }
  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.from) == ["database", "endpoint"] && aws_vpc_security_group_ingress_rule.from["database"].from_port == 5432 && aws_vpc_security_group_ingress_rule.from["database"].cidr_ipv4 == null
    error_message = "functions alone reach the database, by its port"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.endpoint["s3"].statement : s.resources]) == toset(["arn:aws:s3:::footage", "arn:aws:s3:::footage/*"]) && one([for s in data.aws_iam_policy_document.endpoint["sqs"].statement : s.actions]) == toset(["sqs:SendMessage"])
    error_message = "out of the network go footage's requests and parked messages"
  }
  assert {
    condition     = aws_vpc_endpoint.s3[0].vpc_endpoint_type == "Gateway" && length(aws_vpc_endpoint.sqs[0].subnet_ids) == 1
    error_message = "S3 costs nothing, SQS once"
  }
}

run "a_database_that_is_kept" {
  assert {
    condition     = aws_rds_cluster.this[0].deletion_protection && !aws_rds_cluster.this[0].skip_final_snapshot && aws_rds_cluster.this[0].final_snapshot_identifier == "framepost-catalogue-last" && aws_rds_cluster.this[0].backup_retention_period == 7
    error_message = "with backups, and a snapshot at its end"
  }
  assert {
    condition     = aws_rds_cluster.this[0].storage_encrypted && aws_rds_cluster.this[0].iam_database_authentication_enabled && aws_rds_cluster.this[0].manage_master_user_password && one(aws_rds_cluster.this[0].serverlessv2_scaling_configuration).min_capacity == 0.5
    error_message = "encrypted; IAM logs functions in, and RDS keeps the administrator's password"
  }
  assert {
    condition     = contains([for p in aws_rds_cluster_parameter_group.this[0].parameter : "${p.name}=${p.value}"], "rds.force_ssl=1")
    error_message = "connections are encrypted"
  }
}

run "a_database_that_may_go" {
  variables {
    keep = false
  }
  assert {
    condition     = !aws_rds_cluster.this[0].deletion_protection && aws_rds_cluster.this[0].skip_final_snapshot
    error_message = "nothing is in the way of a destroy"
  }
}

run "the_functions_user" {
  assert {
    condition     = nonsensitive(output.url) == "postgres://framepost@c.cluster-1.eu-central-1.rds.amazonaws.com:5432/framepost?sslmode=require&login=aws&reader=public"
    error_message = "has no password: ${nonsensitive(output.url)}"
  }
  assert {
    condition     = nonsensitive(output.reader_url) == "postgres://framepost_reader@c.cluster-1.eu-central-1.rds.amazonaws.com:5432/framepost?sslmode=require&login=aws&tables=awaited"
    error_message = "reads as another one: ${nonsensitive(output.reader_url)}"
  }
  assert {
    condition     = output.reader_arn == "arn:aws:rds-db:eu-central-1:123456789012:dbuser:cluster-1/framepost_reader"
    error_message = "reads by IAM: ${output.reader_arn}"
  }
  assert {
    condition     = strcontains(jsondecode(one(aws_scheduler_schedule.login[0].target).input).Sql, "GRANT rds_iam TO framepost_reader") && !can(regex("GRANT ALL[^;]*framepost_reader", jsondecode(one(aws_scheduler_schedule.login[0].target).input).Sql))
    error_message = "the reader is made, and granted nothing"
  }
  assert {
    condition     = output.user_arn == "arn:aws:rds-db:eu-central-1:123456789012:dbuser:cluster-1/framepost"
    error_message = "logs in by IAM: ${output.user_arn}"
  }
  assert {
    condition     = strcontains(jsondecode(one(aws_scheduler_schedule.login[0].target).input).Sql, "GRANT rds_iam TO framepost") && jsondecode(one(aws_scheduler_schedule.login[0].target).input).Database == "framepost"
    error_message = "is made by a statement"
  }
  assert {
    condition     = { for s in data.aws_iam_policy_document.login["execute"].statement : one(s.actions) => one(s.resources) } == { "rds-data:ExecuteStatement" = "arn:aws:rds:eu-central-1:123456789012:cluster:c", "secretsmanager:GetSecretValue" = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:s" }
    error_message = "by who may do that and nothing else"
  }
}

run "a_key_for_paths" {
  assert {
    condition     = can(regex("^[0-9a-f]{64}$", nonsensitive(output.key)))
    error_message = "64 hexadecimal digits"
  }
}

run "as_many_connections_as_its_memory_allows" {
  assert {
    condition     = output.cluster == { identifier = "framepost-catalogue", connections_max = 450 }
    error_message = "2 ACU are 4 GiB: ${jsonencode(output.cluster)}"
  }
}

run "more_connections_than_there_are" {
  command = plan
  variables {
    acu_max            = 1
    connections_wanted = 226
  }
  expect_failures = [aws_rds_cluster.this]
}

run "a_database_of_somebody_else" {
  variables {
    existing = { url_secret = "theirs", subnets = ["subnet-9"], security_groups = ["sg-9"] }
  }
  assert {
    condition     = length(aws_rds_cluster.this) == 0 && length(aws_vpc.this) == 0 && length(aws_scheduler_schedule.login) == 0 && output.cluster == null && output.user_arn == null && output.reader_arn == null && output.reader_url == output.url
    error_message = "nothing of it is made here"
  }
  assert {
    condition     = nonsensitive(output.url) == "postgres://framepost:secret@db.theirs/framepost?sslmode=require" && output.network == { subnet_ids = tolist(["subnet-9"]), security_group_ids = tolist(["sg-9"]) }
    error_message = "it is connected to where its owner says"
  }
}

run "half_a_unit_is_the_step" {
  command = plan
  variables {
    acu_min = 0.7
  }
  expect_failures = [var.acu_min]
}

run "it_shrinks_no_further_than_it_grows" {
  command = plan
  variables {
    acu_min = 4
  }
  expect_failures = [var.acu_min]
}

run "a_name_that_aurora_takes" {
  command = plan
  variables {
    name = "framepost--catalogue"
  }
  expect_failures = [var.name]
}
