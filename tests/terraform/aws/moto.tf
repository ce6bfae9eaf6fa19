# Copied with moto_override.tf beside a copy of the root by the tests, and by nothing else.

variable "moto" {
  description = "The server that stands in for AWS, http://127.0.0.1:PORT."
  type        = string
}
