mock_provider "aws" {
  source = "../../mocks/aws"
}

variables {
  name = "framepost-ledger"
}

run "claims_are_forgotten_and_can_be_restored" {
  assert {
    condition     = aws_dynamodb_table.this.billing_mode == "PAY_PER_REQUEST"
    error_message = "nothing to pay while nothing is claimed"
  }
  assert {
    condition     = aws_dynamodb_table.this.hash_key == "work" && aws_dynamodb_table.this.ttl[0].attribute_name == "expires_at" && aws_dynamodb_table.this.ttl[0].enabled
    error_message = "the attributes that the functions write"
  }
  assert {
    condition     = aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "the table can be restored"
  }
}

run "a_kms_key" {
  variables {
    encryption_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1"
  }
  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == "arn:aws:kms:us-east-1:123456789012:key/1"
    error_message = "that key"
  }
}
