variable "project" {
  description = "Id of the project of the subscriptions, schedules and identity; the function's project."
  type        = string
}

variable "name" {
  description = "Name of the first subscription, and the beginning of the names of others, of schedules and of their push identity."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,47}[a-z0-9]$", var.name))
    error_message = "A route's name has 3 to 49 of a-z 0-9 -, begins with a letter and does not end with -; \"${var.name}\" does not. Shorten name or the function's name."
  }
}

variable "triggers" {
  description = <<-TEXT
    What is delivered, by its key: objects of the bucket that were completed or removed and whose keys have one of the
    prefixes and one of the suffixes ([] is any); records of some types whose fields have one of the values (as JSON);
    schedules (cron with five fields, UTC).
  TEXT
  type = map(object({
    event    = string
    prefixes = optional(list(string), [])
    suffixes = optional(list(string), [])
    types    = optional(list(string), [])
    filters  = optional(map(list(string)), {})
    name     = optional(string, "")
    cron     = optional(string, "")
  }))

  validation {
    condition     = length(var.triggers) > 0 && alltrue([for trigger in var.triggers : contains(["object-finalized", "object-removed", "record", "schedule"], trigger.event)])
    error_message = "A route carries object-finalized, object-removed, record and schedule, one at least: ${join(", ", [for trigger in var.triggers : trigger.event])}."
  }

  validation {
    condition     = alltrue(flatten([for trigger in var.triggers : [for key in concat(trigger.prefixes, trigger.suffixes) : can(regex("^[^\"\\\\[:cntrl:]]+$", key))]]))
    error_message = "A prefix or suffix of keys is not empty and has no quotes, backslashes or control characters."
  }

  validation {
    condition     = alltrue([for trigger in var.triggers : trigger.event != "record" || length(trigger.types) > 0])
    error_message = "A function that is triggered by records names their types: triggers[].types in its function.yaml."
  }

  validation {
    condition     = alltrue(flatten([for trigger in var.triggers : [for t in trigger.types : can(regex("^[a-z0-9.-]+$", t))]]))
    error_message = "A record's type is like io.framepost.chunk.probed.v1."
  }

  validation {
    condition     = alltrue(flatten([for trigger in var.triggers : [for field in keys(trigger.filters) : can(regex("^[A-Za-z][A-Za-z0-9]*$", field))]]))
    error_message = "A field of a record is like site or startsWithRandomAccess."
  }
}

variable "finalized_topic" {
  description = "The topic on which completed objects are announced, projects/P/topics/T."
  type        = string
  default     = null
}

variable "removed_topic" {
  description = "The topic on which removed objects are announced, projects/P/topics/T."
  type        = string
  default     = null
}

variable "records_topic" {
  description = "The topic that records are published on, projects/P/topics/T."
  type        = string
  default     = null
}

variable "service" {
  description = "The Cloud Run service that messages are pushed to."
  type = object({
    name     = string
    location = string
    url      = string
  })
}

variable "dead_letters" {
  description = "The topic for what was rejected or never succeeded, projects/P/topics/T."
  type        = string
}

variable "timeout_s" {
  description = "How long the function may take for a message, in seconds."
  type        = number

  validation {
    condition     = var.timeout_s >= 1 && var.timeout_s <= 570 && floor(var.timeout_s) == var.timeout_s
    error_message = "runtime.timeout_s is a whole number of seconds between 1 and 570: a push is given up after 600. Longer work runs as a pull worker, or submits a job."
  }
}

variable "max_deliveries" {
  description = "A message that was delivered this often without success is parked in the dead letters."
  type        = number

  validation {
    condition     = var.max_deliveries >= 5 && var.max_deliveries <= 100 && floor(var.max_deliveries) == var.max_deliveries
    error_message = "delivery.max_deliveries is a whole number between 5 and 100, Pub/Sub's limits."
  }
}

variable "encryption_key" {
  description = "A Cloud KMS key for what waits in the topic of this function; null for Google's own."
  type        = string
  default     = null
}

variable "pubsub_agent" {
  description = "The project's Pub/Sub service agent as IAM member."
  type        = string
}
