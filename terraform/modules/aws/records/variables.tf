variable "name" {
  description = "Name of the EventBridge bus; its archive and log group are named after it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,48}$", var.name)) && var.name != "default"
    error_message = "A bus's name has 1 to 48 of A-Z a-z 0-9 . _ - (its archive's may be no longer) and is not \"default\"; \"${var.name}\" is none."
  }
}

variable "archive_days" {
  description = "Records are archived on the bus for this many days, to be replayed to a new subscriber; 0 makes no archive."
  type        = number
  default     = 0

  validation {
    condition     = var.archive_days >= 0 && floor(var.archive_days) == var.archive_days
    error_message = "records.archive_days is a whole number of days; 0 is no archive."
  }
}

variable "log" {
  description = "Every record of every function goes to one log group as well, whole. The functions' own logs have each record's fields anyway."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "How long the records' log is kept."
  type        = number
}
