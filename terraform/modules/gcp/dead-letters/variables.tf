variable "project" {
  description = "Id of the project of the topic and the subscription."
  type        = string
}

variable "region" {
  description = "The only region that keeps the messages."
  type        = string
}

variable "name" {
  description = "Name of the topic and of the subscription."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", var.name)) && !startswith(var.name, "goog")
    error_message = "A topic's name has 3 to 255 of A-Z a-z 0-9 . _ ~ + % -, begins with a letter and not with \"goog\"; \"${var.name}\" does not follow that."
  }
}

variable "pubsub_agent" {
  description = "The project's Pub/Sub service agent as IAM member."
  type        = string
}

variable "encryption_key" {
  description = "Cloud KMS key. Google's own keys without one."
  type        = string
  default     = null
}
