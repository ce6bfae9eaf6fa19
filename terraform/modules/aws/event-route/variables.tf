variable "name" {
  description = "Name of the rule and the queue, and the beginning of the names of its dead-letter queues."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "A route's name has 1 to 64 of A-Z a-z 0-9 _ -; \"${var.name}\" does not."
  }
}

variable "description" {
  description = "What the rule says of itself."
  type        = string
  default     = null
}

variable "objects" {
  description = "Objects that were completed in a bucket, whose keys have one of the prefixes and one of the suffixes; [] is any."
  type = object({
    bucket   = string
    prefixes = optional(list(string), [])
    suffixes = optional(list(string), [])
  })
  default = null

  validation {
    condition     = (var.objects == null) != (var.records == null)
    error_message = "A route carries either objects of a bucket or records of a bus: set exactly one of objects and records."
  }
}

variable "records" {
  description = "Records of some types from a bus."
  type = object({
    bus_name = string
    types    = list(string)
  })
  default = null

  validation {
    condition     = var.records == null ? true : length(var.records.types) > 0
    error_message = "A function that is triggered by records names their types: trigger.types in its function.yaml."
  }
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
    error_message = "trigger.max_deliveries is between 5 and 1000: throttling alone can use up fewer deliveries, and a good message would be parked."
  }
}

