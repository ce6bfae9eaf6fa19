variable "name" {
  description = "Name of the queue and of the first rule, and the beginning of the names of the other rules, the schedules and the dead-letter queues."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "A route's name has 1 to 64 of A-Z a-z 0-9 _ -; \"${var.name}\" does not."
  }
}

variable "description" {
  description = "What rules and schedules say of themselves."
  type        = string
  default     = null
}

variable "triggers" {
  description = <<-TEXT
    What fills the queue, by its key: objects of the bucket that were completed or removed and whose keys have one of the
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
    condition     = alltrue([for trigger in var.triggers : trigger.event != "record" || length(trigger.types) > 0])
    error_message = "A function that is triggered by records names their types: triggers[].types in its function.yaml."
  }

  # They become wildcards in patterns.
  validation {
    condition     = alltrue(flatten([for trigger in var.triggers : [for key in concat(trigger.prefixes, trigger.suffixes) : can(regex("^[^\\\\*]+$", key))]]))
    error_message = "A prefix or suffix of keys is not empty and has no asterisks or backslashes."
  }

  validation {
    condition     = alltrue([for trigger in var.triggers : trigger.event != "schedule" || can(regex("^[0-9*/,-]+ [0-9*/,-]+ [0-9*/,-]+ [0-9*/,-]+ ([A-Z,-]+|\\*)$", trigger.cron))])
    error_message = "A schedule's cron has five fields: minute, hour, day of the month, month, day of the week (SUN to SAT)."
  }
}

variable "bucket" {
  description = "The bucket whose objects count, for triggers by objects."
  type        = string
  default     = null
}

variable "key_prefixes" {
  description = "Keys below these alone, whatever the triggers say; [] is the whole bucket."
  type        = list(string)
  default     = []
}

variable "bus_name" {
  description = "The bus that records are published on, for triggers by records."
  type        = string
  default     = null
}

variable "timeout_s" {
  description = "How long the function may take for a batch, in seconds."
  type        = number

  validation {
    condition     = var.timeout_s >= 1 && var.timeout_s <= 900
    error_message = "runtime.timeout_s is between 1 and 900 seconds, Lambda's limit."
  }
}

variable "batching_window_s" {
  description = "How long Lambda may gather a batch, in seconds."
  type        = number
  default     = 0

  validation {
    condition     = var.batching_window_s >= 0 && var.batching_window_s <= 300
    error_message = "batching_window_s is between 0 and 300 seconds."
  }
}

variable "max_deliveries" {
  description = "A message that was delivered this often without success is parked in the dead-letter queue."
  type        = number

  validation {
    condition     = var.max_deliveries >= 5 && var.max_deliveries <= 1000
    error_message = "delivery.max_deliveries is between 5 and 1000: throttling alone can use up fewer deliveries, and a good message would be parked."
  }
}
