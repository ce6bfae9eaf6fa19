variable "name" {
  description = "The table's name."
  type        = string
}

variable "encryption_key_arn" {
  description = "KMS key that encrypts the table. Without one DynamoDB's own key does."
  type        = string
  default     = null
}
