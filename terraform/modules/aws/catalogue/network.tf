# Two private subnets, in two zones because Aurora wants two. Their routes lead to each other and to S3.

locals {
  zones = { for n in range(var.existing == null ? 2 : 0) : tostring(n) => n }
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:nothing outside reaches this network and nothing in it reaches outside; flow logs would cost more than the network
  count                = local.created
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = var.name }
}

# Without rules, so that whatever falls back to it reaches nothing.
resource "aws_default_security_group" "this" {
  count  = local.created
  vpc_id = aws_vpc.this[0].id
}

resource "aws_subnet" "this" {
  for_each          = local.zones
  vpc_id            = aws_vpc.this[0].id
  cidr_block        = cidrsubnet(var.cidr, 2, each.value)
  availability_zone = data.aws_availability_zones.here[0].names[each.value]

  tags = { Name = "${var.name}-${each.key}" }

  # A region may get further zones, whose names come before these.
  lifecycle {
    ignore_changes = [availability_zone]
  }
}

resource "aws_route_table" "this" {
  count  = local.created
  vpc_id = aws_vpc.this[0].id

  tags = { Name = var.name }
}

resource "aws_route_table_association" "this" {
  for_each       = aws_subnet.this
  subnet_id      = each.value.id
  route_table_id = aws_route_table.this[0].id
}

# Costs nothing. The roles of the functions say what each may do; this says that no other bucket is reached from here.
resource "aws_vpc_endpoint" "s3" {
  count             = local.created
  vpc_id            = aws_vpc.this[0].id
  service_name      = "com.amazonaws.${data.aws_region.current.id}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.this[0].id]
  policy            = data.aws_iam_policy_document.endpoint["s3"].json

  tags = { Name = "${var.name}-s3" }
}

# Lambda itself takes messages from queues and writes logs, both outside of this network. What a function rejects it parks
# itself, and that goes through here. In one zone: it is rare, and each zone costs as much again.
resource "aws_vpc_endpoint" "sqs" {
  count               = local.created
  vpc_id              = aws_vpc.this[0].id
  service_name        = "com.amazonaws.${data.aws_region.current.id}.sqs"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = [aws_subnet.this["0"].id]
  security_group_ids  = [aws_security_group.this["endpoint"].id]
  private_dns_enabled = true
  policy              = data.aws_iam_policy_document.endpoint["sqs"].json

  tags = { Name = "${var.name}-sqs" }
}

data "aws_iam_policy_document" "endpoint" {
  for_each = var.existing == null ? {
    s3  = { actions = ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:ListBucketVersions"], resources = [var.bucket_arn, "${var.bucket_arn}/*"] }
    sqs = { actions = ["sqs:SendMessage"], resources = var.dead_letters_arns }
  } : {}

  statement {
    actions   = each.value.actions
    resources = each.value.resources

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_security_group" "this" {
  #checkov:skip=CKV2_AWS_5:the functions' group is attached to them by another module, by this one's output network
  for_each = var.existing == null ? {
    functions = "Functions that use the catalogue"
    database  = "The catalogue's database"
    endpoint  = "The way to SQS"
  } : {}

  name        = "${var.name}-${each.key}"
  description = each.value
  vpc_id      = aws_vpc.this[0].id

  tags = { Name = "${var.name}-${each.key}" }
}

locals {
  # Who may open connections to whom.
  ways = var.existing == null ? { database = 5432, endpoint = 443 } : {}
}

resource "aws_vpc_security_group_egress_rule" "to" {
  for_each                     = local.ways
  security_group_id            = aws_security_group.this["functions"].id
  description                  = "To the ${each.key}"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  referenced_security_group_id = aws_security_group.this[each.key].id
}

resource "aws_vpc_security_group_ingress_rule" "from" {
  for_each                     = local.ways
  security_group_id            = aws_security_group.this[each.key].id
  description                  = "From functions"
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  referenced_security_group_id = aws_security_group.this["functions"].id
}

resource "aws_vpc_security_group_egress_rule" "to_s3" {
  count             = local.created
  security_group_id = aws_security_group.this["functions"].id
  description       = "To S3"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_vpc_endpoint.s3[0].prefix_list_id
}
