variable "project" {
  description = "Id of the project of the topics and the dataset."
  type        = string
}

variable "region" {
  description = "Where records are kept: the topics and the dataset."
  type        = string
}

variable "name" {
  description = "The beginning of all names; the dataset is named after it, with _ for -."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*$", var.name))
    error_message = "name has a-z 0-9 - and begins with a letter."
  }
}

variable "schema_file" {
  description = "The table's columns as BigQuery's JSON, made from the records' types."
  type        = string

  validation {
    condition     = can(jsondecode(file(var.schema_file)))
    error_message = "There is no JSON at ${var.schema_file}."
  }

  validation {
    condition     = try(length(setsubtract(["id", "type", "subject", "time", "data"], jsondecode(file(var.schema_file))[*].name)) == 0, true)
    error_message = "The table needs the columns id, type, subject, time and data: it is partitioned by time and clustered by type and subject."
  }
}

variable "archive_days" {
  description = "Records are kept on the topic for this many days, to be replayed to a new subscriber; 0 keeps none."
  type        = number
  default     = 0

  validation {
    condition     = var.archive_days >= 0 && var.archive_days <= 31 && floor(var.archive_days) == var.archive_days
    error_message = "records.archive_days is a whole number of days up to 31, Pub/Sub's limit; 0 is no archive."
  }
}

variable "expire_days" {
  description = "Rows are deleted this many days after the event; null keeps them for good."
  type        = number
  default     = null

  validation {
    condition     = var.expire_days == null ? true : var.expire_days >= 1 && floor(var.expire_days) == var.expire_days
    error_message = "records.expire_days is a whole number of days, 1 or more; leave it out to keep records for good."
  }
}

variable "keep_footage" {
  description = "What is known of the footage is not destroyed, like the footage itself."
  type        = bool
  default     = true
}

variable "encryption_key" {
  description = "Cloud KMS key for topics and table. Google's own keys without one."
  type        = string
  default     = null
}

variable "pubsub_agent" {
  description = "The project's Pub/Sub service agent as IAM member; it writes the table."
  type        = string
}
