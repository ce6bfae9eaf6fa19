variable "project" {
  description = "Id of the project that the topics, and a new bucket, belong to."
  type        = string
}

variable "region" {
  description = "The only region that keeps notifications until they are delivered."
  type        = string
}

variable "name" {
  description = "Name of the bucket, without gs://. A new one must differ from every other in the world."
  type        = string

  validation {
    condition     = var.existing ? can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.name)) : can(regex("^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$", var.name)) && !startswith(var.name, "goog") && !strcontains(var.name, "google")
    error_message = "A new bucket's name has 3 to 63 of a-z 0-9 _ -, starts and ends with a letter or digit, and does not contain \"google\" or start with \"goog\"; \"${var.name}\" does not follow that. Set bucket.name. One that is there may have dots, too."
  }
}

variable "existing" {
  description = "The bucket is there already and stays its owner's: it gets a notification and IAM members, and nothing of it is created, changed or destroyed here."
  type        = bool
  default     = false
}

variable "keep_footage" {
  description = "A bucket that holds footage is not destroyed. With false, destroying the bucket destroys what is in it."
  type        = bool
  default     = true
}

variable "location" {
  description = "Where the footage is: a region, or a multi- or dual-region such as EU or NAM4."
  type        = string
}

variable "encryption_key" {
  description = "Cloud KMS key that encrypts the objects and the messages about them. Google's own keys without one."
  type        = string
  default     = null
}

variable "versioning" {
  description = "A replaced or deleted object stays as a noncurrent version for noncurrent_days."
  type        = bool
  default     = true
}

variable "noncurrent_days" {
  description = "How long a noncurrent version stays, in days. It is paid for; soft_delete_days come on top."
  type        = number
  default     = 1

  validation {
    condition     = var.noncurrent_days >= 1 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "bucket.noncurrent_days is a whole number of days, 1 or more; bucket.versioning = false keeps no versions."
  }
}

variable "soft_delete_days" {
  description = "How long a deleted object can be restored, also from a deleted bucket, in days; 0 switches it off. It is paid for."
  type        = number
  default     = 7

  validation {
    condition     = var.soft_delete_days == 0 || (var.soft_delete_days >= 7 && var.soft_delete_days <= 90 && floor(var.soft_delete_days) == var.soft_delete_days)
    error_message = "bucket.soft_delete_days is 0 (off), or a whole number from 7 to 90: Cloud Storage takes no other."
  }
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

variable "footage_prefixes" {
  description = "Beginnings of the keys that expire_days and transitions are for, each with its slash; [] is the whole bucket."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for prefix in var.footage_prefixes : endswith(prefix, "/")])
    error_message = "footage_prefixes end with a slash: without one plant-70 would be a part of plant-7."
  }

  validation {
    condition     = length(var.footage_prefixes) * (length(var.transitions) + (var.expire_days == null ? 0 : 1)) <= 1000
    error_message = "Cloud Storage takes a thousand prefixes in the lifecycle of a bucket, and each of ${length(var.footage_prefixes)} sites needs one for each of bucket.transitions and for bucket.expire_days: deploy some sites under another name."
  }
}

variable "exports" {
  description = "Whether a function keeps exports in the bucket, below exports/, a folder to which rights can be given."
  type        = bool
  default     = false
}

variable "reports_days" {
  description = "Gateways' reports are deleted this many days after they were written."
  type        = number
  default     = 30

  validation {
    condition     = var.reports_days >= 1 && floor(var.reports_days) == var.reports_days
    error_message = "bucket.reports_days is a whole number of days, 1 or more."
  }
}

variable "transitions" {
  description = "Cheaper storage classes by age, youngest first. Each class has a least time that is paid for: NEARLINE 30 days, COLDLINE 90, ARCHIVE 365."
  type        = list(object({ days = number, class = string }))
  default     = []

  validation {
    condition     = alltrue([for t in var.transitions : contains(["NEARLINE", "COLDLINE", "ARCHIVE"], t.class)])
    error_message = "bucket.transitions[].class is one of NEARLINE, COLDLINE, ARCHIVE."
  }

  validation {
    condition = alltrue([for i, t in var.transitions :
    i == 0 ? t.days >= 0 : t.days > var.transitions[max(i - 1, 0)].days])
    error_message = "bucket.transitions are in the order of their days, each later than the one before."
  }

  validation {
    condition = alltrue([for i, t in var.transitions :
      i == 0 ? true : lookup(local.coldness, t.class, 9) > lookup(local.coldness, var.transitions[max(i - 1, 0)].class, 0)
    ])
    error_message = "bucket.transitions go from warmer to colder: NEARLINE, COLDLINE, ARCHIVE. Cloud Storage moves nothing back."
  }

  validation {
    condition     = var.expire_days == null ? true : alltrue([for t in var.transitions : t.days < coalesce(var.expire_days, t.days + 1)])
    error_message = "A transition at or after bucket.expire_days would never happen."
  }
}

variable "topic_name" {
  description = "Name of the topic on which completed objects are announced."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$", var.topic_name)) && !startswith(var.topic_name, "goog")
    error_message = "A topic's name has 3 to 255 of A-Z a-z 0-9 . _ ~ + % -, begins with a letter and not with \"goog\"."
  }
}

variable "removed_topic_name" {
  description = "Name of the topic on which removed objects are announced; null announces none."
  type        = string
  default     = null

  validation {
    condition     = var.removed_topic_name == null ? true : var.removed_topic_name != var.topic_name
    error_message = "Completed and removed objects are announced on topics of their own."
  }
}

variable "pages_read" {
  description = "Whether web pages read objects with signed URLs. An existing bucket's owner allows it."
  type        = bool
  default     = false
}

variable "prefixes" {
  description = "Objects whose keys have one of these prefixes are announced; [] is all of them."
  type        = set(string)
  default     = []

  validation {
    condition     = length(var.prefixes) <= 10
    error_message = "Cloud Storage takes at most 10 notifications for one event: set events.keys = \"all\", or deploy some sites under another name."
  }
}

variable "storage_agent" {
  description = "The project's Cloud Storage service agent as IAM member; it publishes the notifications."
  type        = string
}
