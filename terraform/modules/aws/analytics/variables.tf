variable "name" {
  description = "Name of the stream and of the workgroup, and the beginning of all other names; the database is named after it, with _ for -."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,46}[a-z0-9]$", var.name))
    error_message = "A table's name has 2 to 48 of a-z 0-9 - and starts with a letter; \"${var.name}\" does not."
  }
}

variable "bucket_name" {
  description = "Name of the bucket that the records are written to, which is made here."
  type        = string
}

variable "bus_name" {
  description = "The bus that records are published on."
  type        = string
}

variable "columns_file" {
  description = "The table's columns as Glue's JSON (name, type, comment), made from the records' types."
  type        = string

  validation {
    condition     = try(length(setsubtract(["id", "type", "subject", "time", "data"], jsondecode(file(var.columns_file))[*].name)) == 0, false)
    error_message = "${var.columns_file} is no JSON of columns with id, type, subject, time and data."
  }
}

variable "expire_days" {
  description = "Records are deleted this many days after they were written; null keeps them for good."
  type        = number
  default     = null

  validation {
    condition     = var.expire_days == null ? true : var.expire_days >= 1 && floor(var.expire_days) == var.expire_days
    error_message = "records.expire_days is a whole number of days, 1 or more; leave it out to keep records for good."
  }
}

variable "keep" {
  description = "A bucket that holds records is not destroyed. With false, destroying the bucket destroys them."
  type        = bool
  default     = true
}

variable "encryption_key_arn" {
  description = "KMS key that encrypts the records, with a bucket key. Without one S3's own keys do (SSE-S3)."
  type        = string
  default     = null
}

variable "interval_s" {
  description = "The longest that a record waits for others before they become a file, in seconds. Shorter intervals make more and smaller files, which cost and slow queries down."
  type        = number
  default     = 300

  validation {
    condition     = var.interval_s >= 60 && var.interval_s <= 900
    error_message = "interval_s is between 60 and 900 seconds, Firehose's limits."
  }
}

variable "query_gib_max" {
  description = "The most that one query may read, in GiB: it ends there. A TiB costs 5 dollars."
  type        = number
  default     = 100
}

variable "log_retention_days" {
  description = "How long the log of deliveries that failed is kept, in days."
  type        = number
}
