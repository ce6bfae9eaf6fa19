variable "project" {
  description = "The project's id."
  type        = string
}

variable "region" {
  description = "Where the database is."
  type        = string
}

variable "name" {
  description = "Name of the instance. Google keeps the name of one that was deleted for a week."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,76}[a-z0-9]$", var.name))
    error_message = "A catalogue's name has 2 to 78 of a-z 0-9 - and starts with a letter; \"${var.name}\" does not."
  }
}

variable "existing" {
  description = "A database that is there already: the secret with its URL."
  type        = object({ url_secret = string })
  default     = null
}

variable "tier" {
  description = "The size of the instance: db-g1-small, or db-custom-CPUS-MEBIBYTES."
  type        = string

  validation {
    condition     = can(regex("^db-(f1-micro|g1-small|custom-[0-9]+-[0-9]+)$", var.tier))
    error_message = "catalogue.tier is db-g1-small, or db-custom-CPUS-MEBIBYTES such as db-custom-2-7680."
  }
}

variable "backup_days" {
  description = "For how many days there are backups; for up to seven of them, of any second."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35 && floor(var.backup_days) == var.backup_days
    error_message = "catalogue.backup_days is a whole number between 1 and 35."
  }
}

variable "keep" {
  description = "The database is not destroyed. With false, destroying it leaves no backups."
  type        = bool
  default     = true
}

variable "encryption_key" {
  description = "Cloud KMS key that encrypts the database and the secret. Without one Google's own keys do."
  type        = string
  default     = null
}

variable "connections_wanted" {
  description = "Connections that the functions may open, all together."
  type        = number
}
