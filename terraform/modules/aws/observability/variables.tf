variable "name" {
  description = "The names of alarms, the dashboard and the topic begin with it; those of metrics end with it."
  type        = string
}

variable "functions" {
  description = "The functions by their short names, with the queues of those that messages trigger, and whether requests do."
  type = map(object({
    lambda_name       = string
    log_group         = string
    queue_name        = optional(string)
    dead_letters_name = optional(string)
    undelivered_name  = optional(string)
    answers_requests  = optional(bool, false)
  }))
}

variable "sites" {
  description = "By site: minutes without a chunk after which there is an alarm; 0 turns it off."
  type        = map(object({ silence_minutes = optional(number, 15) }))
  default     = {}

  validation {
    condition     = alltrue([for site in values(var.sites) : site.silence_minutes == 0 || (site.silence_minutes >= 2 && site.silence_minutes <= 1440 && floor(site.silence_minutes) == site.silence_minutes)])
    error_message = "sites[].silence_minutes is a whole number between 2 and 1440 (a day, the longest that CloudWatch looks back at minutes); 0 switches the alarm off."
  }
}

variable "chunks_function" {
  description = "Name of the function whose metric ChunksProbed shows that a site is alive; null turns the alarms of silence off."
  type        = string
  default     = null

  validation {
    condition     = var.chunks_function == null ? true : contains(keys(var.functions), var.chunks_function)
    error_message = "chunks_function is one of functions."
  }
}

variable "alarms" {
  description = "Where alarms are sent (ARNs of SNS topics, and e-mail addresses), and their thresholds. The root has the defaults."
  type = object({
    enabled                = bool
    notify                 = list(string)
    oldest_message_minutes = number
    errors                 = number
    throttles              = number
    backlog_minutes        = number
    latency_ms             = number
    catalogue_gib          = number
  })

  validation {
    condition = alltrue([for to in var.alarms.notify :
    can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", to)) || can(regex("^[^@\\s:]+@[^@\\s:]+\\.[^@\\s:]+$", to))])
    error_message = "alarms.notify holds ARNs of SNS topics and e-mail addresses."
  }

  validation {
    condition     = var.alarms.oldest_message_minutes >= 1 && var.alarms.errors >= 1 && var.alarms.throttles >= 1 && var.alarms.backlog_minutes >= 1 && var.alarms.latency_ms >= 1 && var.alarms.catalogue_gib >= 1
    error_message = "The thresholds of alarms are 1 or more."
  }
}

variable "signed" {
  description = "Whether chunks are signed: public keys are known, so that a signature that is absent or by an unknown key is a violation too."
  type        = bool
  default     = false
}

variable "catalogue" {
  description = "The catalogue's cluster, and how many connections it takes, where there is one of this deployment's own."
  type        = object({ cluster = string, connections_max = number })
  default     = null
}

variable "records" {
  description = "The Firehose stream that writes the table of records, and the queue of what EventBridge could not put into it, where there is such a table."
  type        = object({ stream_name = string, undelivered_name = string })
  default     = null
}

variable "infer_function" {
  description = "The function whose records say what is to be seen. Without one there is nothing of it on the dashboard."
  type        = string
  default     = null

  validation {
    condition     = var.infer_function == null ? true : contains(keys(var.functions), var.infer_function)
    error_message = "infer_function is one of functions."
  }
}
