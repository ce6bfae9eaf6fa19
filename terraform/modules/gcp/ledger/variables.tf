variable "project" {
  description = "Id of the project of the bucket of claims."
  type        = string
}

variable "name" {
  description = "Name of the bucket of claims, without gs://; it must differ from every other in the world."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name has 3 to 63 of a-z 0-9 _ - and starts and ends with a letter or digit; \"${var.name}\" does not."
  }
}

variable "location" {
  description = "Region of the bucket; that of the functions, which read and write claims for each paid message."
  type        = string
}

variable "keep_days" {
  description = "A claim is forgotten after this many days."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_days >= 15 && floor(var.keep_days) == var.keep_days
    error_message = "keep_days is a whole number of days, 15 or more: a message parked for 14 days can still come again."
  }
}

variable "encryption_key" {
  description = "Cloud KMS key. Google's own keys without one."
  type        = string
  default     = null
}
