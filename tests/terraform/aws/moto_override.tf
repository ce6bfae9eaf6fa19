# Copied beside a copy of the root by the tests, and by nothing else: sends every service to a server on this machine.
# Terraform merges it into the root's provider block, whose tags stay as they are.

provider "aws" {
  access_key        = "test"
  secret_key        = "test"
  s3_use_path_style = true
  # There is no instance metadata here to ask, and it would take seconds to find that out.
  skip_metadata_api_check = true

  endpoints {
    cloudwatch       = var.moto
    cloudwatchevents = var.moto
    cloudwatchlogs   = var.moto
    dynamodb         = var.moto
    iam              = var.moto
    iot              = var.moto
    kms              = var.moto
    lambda           = var.moto
    s3               = var.moto
    sns              = var.moto
    sqs              = var.moto
    sts              = var.moto
  }
}
