variable "name" {
  description = "Name of the cluster and of its network, and the beginning of all other names."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,48}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "A catalogue's name has 2 to 50 of a-z 0-9 -, starts with a letter, and has no two hyphens in a row; \"${var.name}\" does not."
  }
}

variable "existing" {
  description = "A database that is there already: the secret with its URL (postgres://user:password@host/database), by name or ARN, and the subnets and security groups that functions reach it from."
  type = object({
    url_secret      = string
    subnets         = list(string)
    security_groups = list(string)
  })
  default = null
}

variable "acu_min" {
  description = "Aurora capacity units (2 GiB of memory each) that the database keeps when nobody asks. With 0 it stops after a while without connections, and takes 15 s to start."
  type        = number
  default     = 0.5

  validation {
    condition     = var.acu_min >= 0 && var.acu_min <= var.acu_max && var.acu_min * 2 == floor(var.acu_min * 2)
    error_message = "catalogue.capacity_min is a multiple of 0.5 between 0 and catalogue.capacity_max."
  }
}

variable "acu_max" {
  description = "The most Aurora capacity units."
  type        = number
  default     = 2

  validation {
    condition     = var.acu_max >= 1 && var.acu_max <= 256 && var.acu_max * 2 == floor(var.acu_max * 2)
    error_message = "catalogue.capacity_max is a multiple of 0.5 between 1 and 256."
  }
}

variable "engine_version" {
  description = "The version of Aurora PostgreSQL that a new cluster starts with."
  type        = string
  default     = "16.8"
}

variable "backup_days" {
  description = "For how many days the database can be put back to any second."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35 && floor(var.backup_days) == var.backup_days
    error_message = "catalogue.backup_days is a whole number between 1 and 35."
  }
}

variable "keep" {
  description = "The database is not destroyed. With false, destroying it leaves no last snapshot."
  type        = bool
  default     = true
}

variable "cidr" {
  description = "Addresses of the network. Nothing outside sees them."
  type        = string
  default     = "10.64.0.0/24"
}

variable "encryption_key_arn" {
  description = "KMS key that encrypts the database. Without one RDS's own key does."
  type        = string
  default     = null
}

variable "bucket_arn" {
  description = "The one bucket that is reached from the network."
  type        = string
}

variable "dead_letters_arns" {
  description = "The queues that functions in the network park messages in."
  type        = list(string)
}

variable "connections_wanted" {
  description = "Connections that the functions may open, all together."
  type        = number
}
