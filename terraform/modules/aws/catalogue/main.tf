# The catalogue's database, and the network that functions reach it through.
#
# Invariants: the network has no way to the internet, in or out; S3 is reached through a gateway endpoint for the bucket
# alone, SQS through an interface endpoint for the dead-letter queues alone; nobody has a password of the functions' users,
# who log in with a token of IAM; the administrator's password is RDS's, in Secrets Manager.
#
# A database that is there already (`existing`) is only connected to: its URL, with whatever login it has, comes from a
# secret, and the functions go into the subnets and security groups that its owner names.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

data "aws_availability_zones" "here" {
  #checkov:skip=CKV_AWS_394:subnets stay in the zones that they were made in
  count = local.created
  state = "available"

  # No local zones, which have no Aurora.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_secretsmanager_secret_version" "existing" {
  count     = var.existing == null ? 0 : 1
  secret_id = var.existing.url_secret
}

locals {
  created  = var.existing == null ? 1 : 0
  database = "framepost"
  user     = "framepost"
  reader   = "framepost_reader"

  # Aurora allows so many connections to a cluster that grows to this many ACUs: its default is
  # LEAST(memory in bytes / 9531392, 5000) with 2 GiB for each ACU, and no more than 2000 where it shrinks below one.
  connections_max = min(
    floor(var.acu_max * 2 * 1024 * 1024 * 1024 / 9531392),
    var.acu_min < 1 ? 2000 : 5000,
  )
}

# Signs paths for players. Two random UUIDs have 244 random bits; Terraform's own provider has no other random number.
resource "terraform_data" "key" {
  input = "${uuid()}${uuid()}"

  lifecycle {
    ignore_changes = [input]
  }
}
