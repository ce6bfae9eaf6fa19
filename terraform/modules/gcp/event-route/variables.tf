variable "project" {
  description = "The project's id."
  type        = string
}

variable "name" {
  description = "Name of the subscription, and the beginning of the name of its push identity."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,47}[a-z0-9]$", var.name))
    error_message = "A route's name has 3 to 49 of a-z 0-9 -, begins with a letter and does not end with -; \"${var.name}\" does not. Shorten name or the function's name."
  }
}

variable "objects" {
  description = "Objects that were completed, announced on a topic, whose keys have one of the prefixes and one of the suffixes; [] is any."
  type = object({
    topic    = string
    prefixes = optional(list(string), [])
    suffixes = optional(list(string), [])
  })
  default = null

  validation {
    condition     = (var.objects == null) != (var.records == null)
    error_message = "A route carries either objects of a bucket or records: set exactly one of objects and records."
  }

  validation {
    condition     = var.objects == null ? true : alltrue([for key in concat(var.objects.prefixes, var.objects.suffixes) : can(regex("^[^\"\\\\[:cntrl:]]+$", key))])
    error_message = "A prefix or suffix of keys is not empty and has no quotes, backslashes or control characters."
  }

  validation {
    condition     = var.objects == null ? true : length(join(" OR ", [for p in var.objects.prefixes : "hasPrefix(attributes.objectId, \"${p}\")"])) <= 256
    error_message = "These prefixes make a filter longer than Pub/Sub's 256 characters: use fewer or shorter ones."
  }
}

variable "records" {
  description = "Records of some types from a topic."
  type = object({
    topic = string
    types = list(string)
  })
  default = null

  validation {
    condition     = var.records == null ? true : length(var.records.types) > 0
    error_message = "A function that is triggered by records names their types: trigger.types in its function.yaml."
  }

  validation {
    condition     = var.records == null ? true : alltrue([for t in var.records.types : can(regex("^[a-z0-9.-]+$", t))])
    error_message = "A record's type is like io.framepost.chunk.probed.v1."
  }

  validation {
    condition     = var.records == null ? true : length(join(" OR ", [for t in var.records.types : "attributes.\"ce-type\" = \"${t}\""])) <= 256
    error_message = "These types make a filter longer than Pub/Sub's 256 characters: split the function."
  }
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
    error_message = "trigger.max_deliveries is a whole number between 5 and 100, Pub/Sub's limits."
  }
}

variable "pubsub_agent" {
  description = "The project's Pub/Sub service agent as IAM member."
  type        = string
}
