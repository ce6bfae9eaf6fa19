variable "project" {
  description = "Id of the project of the functions, whose metrics and logs are watched."
  type        = string
}

variable "region" {
  description = "Region of the log bucket."
  type        = string
}

variable "name" {
  description = "The names of alarms, the dashboard, the log bucket and, with _ for -, metrics begin with it."
  type        = string
}

variable "functions" {
  description = "The functions by their short names, and whether requests trigger them. For those that messages trigger: the subscriptions that deliver to them, and the one that keeps their dead letters."
  type = map(object({
    service_name       = string
    subscription_names = optional(map(string), {})
    dead_letters_name  = optional(string)
    answers_requests   = optional(bool, false)
  }))

  validation {
    condition     = length(var.functions) > 0
    error_message = "There is no function to watch: functions is empty."
  }
}

variable "records" {
  description = "The subscription that writes records to BigQuery."
  type = object({
    subscription_name = string
    dead_letters_name = string
  })
}

variable "sites" {
  description = "By site: minutes without a chunk after which there is an alarm; 0 turns it off."
  type        = map(object({ silence_minutes = optional(number, 15) }))
  default     = {}

  validation {
    condition     = alltrue([for site in values(var.sites) : site.silence_minutes == 0 || site.silence_minutes >= 2 && site.silence_minutes <= 1440 && floor(site.silence_minutes) == site.silence_minutes])
    error_message = "sites[].silence_minutes is a whole number between 2 and 1440, a day; 0 switches the alarm off."
  }
}

variable "chunks_function" {
  description = "Name of the function whose handled chunks show that a site is alive; null turns the alarms of silence off."
  type        = string
  default     = null

  validation {
    condition     = var.chunks_function == null ? true : contains(keys(var.functions), var.chunks_function)
    error_message = "chunks_function is one of functions."
  }
}

variable "alarms" {
  description = "Where alarms are sent (notification channels, projects/P/notificationChannels/N, and e-mail addresses), and their thresholds. The root has the defaults."
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
    can(regex("^projects/[^/]+/notificationChannels/[0-9]+$", to)) || can(regex("^[^@\\s:/]+@[^@\\s:/]+\\.[^@\\s:/]+$", to))])
    error_message = "alarms.notify holds notification channels (projects/P/notificationChannels/N) and e-mail addresses."
  }

  validation {
    condition     = var.alarms.oldest_message_minutes >= 1 && var.alarms.errors >= 1 && var.alarms.throttles >= 1 && var.alarms.backlog_minutes >= 1 && var.alarms.latency_ms >= 1 && var.alarms.catalogue_gib >= 1
    error_message = "The thresholds of alarms are 1 or more."
  }
}

variable "log_retention_days" {
  description = "How long the functions' logs are kept. Up to 30 days are in the price of taking them in."
  type        = number

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 3650 && floor(var.log_retention_days) == var.log_retention_days
    error_message = "log_retention_days is a whole number between 1 and 3650, Cloud Logging's limits."
  }
}

variable "signed" {
  description = "Whether chunks are signed: public keys are known, so that a signature that is absent or by an unknown key is a violation too."
  type        = bool
  default     = false
}

variable "catalogue" {
  description = "The catalogue's instance (PROJECT:INSTANCE), and how many connections it takes, where there is one of this deployment's own."
  type        = object({ instance = string, connections_max = number })
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
