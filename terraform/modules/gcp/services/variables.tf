variable "project" {
  description = "Id of the project whose APIs are enabled and whose service agents are granted the key."
  type        = string

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "\"${var.project}\" is not a project id: 6 to 30 of a-z 0-9 -, beginning with a letter. Its number and its display name are not taken."
  }
}

variable "enable_apis" {
  description = "Whether the APIs that are needed are enabled here; with false, somebody else has enabled them: a project factory, an administrator."
  type        = bool
  default     = true
}

variable "encryption_key" {
  description = "Cloud KMS key (projects/P/locations/L/keyRings/R/cryptoKeys/K) that the service agents get to use. Google's own keys without one."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null ? true : can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.encryption_key))
    error_message = "encryption_key is the full name of a key without a version: projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "schedules" {
  description = "Whether a function has a schedule, which needs Cloud Scheduler."
  type        = bool
  default     = false
}

variable "vision" {
  description = "Whether a function sends pictures to Cloud Vision."
  type        = bool
  default     = false
}

variable "catalogue" {
  description = "Whether there is a catalogue, which takes Cloud SQL and Secret Manager."
  type        = bool
  default     = false
}
