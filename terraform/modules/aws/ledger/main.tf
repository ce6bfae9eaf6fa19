# Claims for work that costs money: the holder, the lease, and the id of the external job. Created only
# if a function needs it.

resource "aws_dynamodb_table" "this" {
  #checkov:skip=CKV_AWS_119:DynamoDB's own key unless encryption_key_arn is given
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "work"

  attribute {
    name = "work"
    type = "S"
  }

  # Finished work is forgotten when no duplicate can arrive any more.
  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = var.encryption_key_arn != null
    kms_key_arn = var.encryption_key_arn
  }
}
