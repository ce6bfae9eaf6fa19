variable "name" {
  description = "Name of the DynamoDB table of claims, unique in the account and region."
  type        = string
}

variable "encryption_key_arn" {
  description = "KMS key that encrypts the table. Without one DynamoDB's own key does."
  type        = string
  default     = null
}
