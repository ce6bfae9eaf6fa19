variable "name" {
  description = "Name of the bucket, without s3://. A new one must differ from every other of the AWS partition."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.name))
    error_message = "A bucket's name has 3 to 63 of a-z 0-9 . - and starts and ends with a letter or digit; \"${var.name}\" does not. Set bucket.name."
  }
}

variable "existing" {
  description = "The bucket is there already and stays its owner's: nothing of it is created, changed or destroyed here."
  type        = bool
  default     = false
}

variable "keep_footage" {
  description = "A bucket that holds footage is not destroyed. With false, destroying the bucket destroys what is in it."
  type        = bool
  default     = true
}

variable "encryption_key_arn" {
  description = "KMS key that encrypts the objects, with a bucket key. Without one S3's own keys do (SSE-S3)."
  type        = string
  default     = null
}

variable "expire_days" {
  description = "Footage is deleted this many days after it was written; null keeps it for good."
  type        = number
  default     = null

  validation {
    condition     = var.expire_days == null ? true : var.expire_days >= 1 && floor(var.expire_days) == var.expire_days
    error_message = "bucket.expire_days is a whole number of days, 1 or more; leave it out to keep footage for good."
  }
}

variable "transitions" {
  description = "Cheaper storage classes by age, youngest first."
  type        = list(object({ days = number, class = string }))
  default     = []

  validation {
    condition = alltrue([for t in var.transitions :
    contains(["STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"], t.class)])
    error_message = "bucket.transitions[].class is one of STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER, DEEP_ARCHIVE."
  }

  validation {
    condition     = alltrue([for t in var.transitions : t.days >= 30 if contains(["STANDARD_IA", "ONEZONE_IA"], t.class)])
    error_message = "S3 takes objects into STANDARD_IA and ONEZONE_IA only after 30 days: raise bucket.transitions[].days."
  }

  validation {
    condition = alltrue([for i, t in var.transitions :
    i == 0 ? t.days >= 0 : t.days > var.transitions[max(i - 1, 0)].days])
    error_message = "bucket.transitions are in the order of their days, each later than the one before."
  }

  validation {
    condition = alltrue([for i, t in var.transitions : i == 0 ? true : try(
      index(local.coldness, t.class) > index(local.coldness, var.transitions[max(i - 1, 0)].class), true)
    ])
    error_message = "bucket.transitions go from warmer to colder: ${join(", ", local.coldness)}. S3 moves nothing back."
  }

  validation {
    condition     = !(contains(var.transitions[*].class, "ONEZONE_IA") && contains(var.transitions[*].class, "GLACIER_IR"))
    error_message = "S3 moves nothing from ONEZONE_IA to GLACIER_IR: leave one of them out of bucket.transitions."
  }

  validation {
    condition = alltrue([for i, t in var.transitions : t.days - var.transitions[max(i - 1, 0)].days >= 30
    if i > 0 && contains(["STANDARD_IA", "ONEZONE_IA"], var.transitions[max(i - 1, 0)].class)])
    error_message = "S3 keeps an object in STANDARD_IA and ONEZONE_IA for 30 days before it moves on: raise bucket.transitions[].days."
  }

  validation {
    condition     = var.expire_days == null ? true : alltrue([for t in var.transitions : t.days < coalesce(var.expire_days, t.days + 1)])
    error_message = "A transition at or after bucket.expire_days would never happen."
  }
}

variable "footage_prefixes" {
  description = "Beginnings of the keys that expire_days and transitions are for, each with its slash. [\"\"] is the whole bucket."
  type        = list(string)
  default     = [""]

  validation {
    condition     = length(var.footage_prefixes) > 0 && alltrue([for prefix in var.footage_prefixes : prefix == "" || endswith(prefix, "/")])
    error_message = "footage_prefixes holds \"\" or prefixes that end with a slash: without one plant-70 would be a part of plant-7."
  }

  validation {
    condition     = length(var.footage_prefixes) + length(var.reports.prefixes) <= 998
    error_message = "S3 takes a thousand rules of lifecycle, and ${length(var.footage_prefixes)} sites have one each: deploy some of them under another name, with a bucket of their own."
  }
}

variable "reports" {
  description = "Where gateways' reports lie, and after how many days they are deleted."
  type        = object({ prefixes = optional(list(string), []), days = optional(number, 30) })
  default     = {}

  validation {
    condition     = var.reports.days >= 1 && floor(var.reports.days) == var.reports.days
    error_message = "bucket.reports_days is a whole number of days, 1 or more."
  }
}

variable "noncurrent_days" {
  description = "A version that was deleted or replaced can be brought back for this many days."
  type        = number
  default     = 7

  validation {
    condition     = var.noncurrent_days >= 1
    error_message = "bucket.noncurrent_days is 1 or more: it is the time in which a deletion can be undone."
  }
}

variable "write_once_prefixes" {
  description = "Where an object may be written only once. [\"\"] is the whole bucket."
  type        = list(string)
  default     = [""]
}

variable "overwriters" {
  description = "ARNs (wildcards allowed) of principals that may put without If-None-Match: a restore, a copy job."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.overwriters : can(regex("^arn:[a-z-]+:(iam|sts)::[0-9*]+:", arn))])
    error_message = "bucket.overwriters are ARNs of IAM principals, such as arn:aws:iam::123456789012:role/restore."
  }
}

variable "pages_read" {
  description = "Whether web pages read objects with presigned URLs. An existing bucket's owner allows it."
  type        = bool
  default     = false
}

variable "gateways" {
  description = "ARN of each gateway principal, by a name known before it exists. The bucket refuses them everything but puts."
  type        = map(string)
  default     = {}
}
