variable "name" {
  description = "The names of all resources begin with it, so that several deployments can share a project or an account."
  type        = string
  default     = "framepost"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name has 2 to 24 of a-z 0-9 -, starts with a letter and does not end with -."
  }
}

variable "region" {
  description = "The region. Without it, the one of the environment (AWS_REGION or the profile's)."
  type        = string
  default     = null
}

variable "site" {
  description = "The name of the site, if there is only one: the first part of its keys, as in the gateway's edge.toml."
  type        = string
  default     = null

  validation {
    condition     = var.site != null || length(var.sites) > 0
    error_message = "Name at least one site: -var site=plant-7, or sites = { plant-7 = {}, dock-2 = {} }."
  }

  validation {
    condition     = var.site != "exports" && !contains(keys(var.sites), "exports")
    error_message = "A site cannot be called exports here: below exports/ in the bucket are the exports, which the api may delete, and which no lifecycle ends."
  }
}

variable "sites" {
  description = "The sites by name. silence_minutes: minutes without a chunk after which there is an alarm; 0 turns it off."
  type        = map(object({ silence_minutes = optional(number, 15) }))
  default     = {}
}

variable "bucket" {
  description = <<-TEXT
    The bucket. name: framepost-footage-ACCOUNT-REGION unless given. existing: it is there and stays its owner's, see the
    output bucket.policy_json for what it needs. keep_footage = false: destroying destroys the footage. expire_days: never
    unless given. transitions: cheaper classes by age. reports_days: how long gateways' reports are kept. noncurrent_days: how long a deletion can be undone. overwriters: who
    may put without If-None-Match.
  TEXT
  type = object({
    name            = optional(string)
    existing        = optional(bool, false)
    keep_footage    = optional(bool, true)
    expire_days     = optional(number)
    transitions     = optional(list(object({ days = number, class = string })), [])
    noncurrent_days = optional(number, 7)
    reports_days    = optional(number, 30)
    overwriters     = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = !var.bucket.existing || var.bucket.name != null
    error_message = "A bucket that is there already has a name: bucket = { name = \"...\", existing = true }."
  }

  validation {
    condition     = !var.bucket.existing || (var.bucket.expire_days == null && length(var.bucket.transitions) == 0)
    error_message = "The lifecycle of an existing bucket stays its owner's: leave out bucket.expire_days and bucket.transitions."
  }
}

variable "encryption_key" {
  description = "ARN of the KMS key for the footage and the ledger. Its key policy must let IAM policies of this account allow its use, as the default one does."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.encryption_key))
    error_message = "encryption_key is the ARN of a KMS key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias: IAM policies know no aliases."
  }
}

variable "events" {
  description = "Which objects raise events: all, or with sites those below the sites. The default is all for a new bucket, and sites for an existing one."
  type        = object({ keys = optional(string) })
  default     = {}

  validation {
    condition     = var.events.keys == null ? true : contains(["all", "sites"], coalesce(var.events.keys, "all"))
    error_message = "events.keys is \"all\" or \"sites\"."
  }
}

variable "functions" {
  description = <<-TEXT
    The functions. packages: a directory with <function>/bootstrap.zip, or s3://bucket/prefix with <function>.zip; unless
    given, what `cargo lambda build` leaves in this repository. images: of functions whose function.yaml says
    package: image, in ECR, {function} standing for a function's name. directory: where */function.yaml are. overrides: by
    function, what its function.yaml says otherwise. A function that is named there is deployed, one that is left out by
    its function.yaml as well; enabled = false leaves it out.
  TEXT
  type = object({
    packages           = optional(string)
    images             = optional(string)
    directory          = optional(string)
    architecture       = optional(string, "arm64")
    tracing            = optional(string, "PassThrough")
    platform_log_level = optional(string, "WARN")
    environment        = optional(map(string), {})
    overrides = optional(map(object({
      enabled           = optional(bool)
      environment       = optional(map(string), {})
      memory_mib        = optional(number)
      timeout_s         = optional(number)
      max_concurrency   = optional(number)
      batch_size        = optional(number)
      batching_window_s = optional(number)
      max_deliveries    = optional(number)
    })), {})
  })
  default = {}

  validation {
    condition     = length(fileset(coalesce(var.functions.directory, "${path.module}/../../functions"), "*/function.yaml")) > 0
    error_message = "No */function.yaml in ${coalesce(var.functions.directory, "${path.module}/../../functions")}: set functions.directory."
  }

  validation {
    condition = length(setsubtract(keys(var.functions.overrides),
    [for file in fileset(coalesce(var.functions.directory, "${path.module}/../../functions"), "*/function.yaml") : dirname(file)])) == 0
    error_message = "functions.overrides names functions that are not there: ${join(", ", setsubtract(keys(var.functions.overrides), [for file in fileset(coalesce(var.functions.directory, "${path.module}/../../functions"), "*/function.yaml") : dirname(file)]))}."
  }

  # Terraform would silently ignore a misspelt attribute.
  validation {
    condition = alltrue([for name, override in var.functions.overrides : alltrue([for key in keys(override.environment) :
      key == "RUST_LOG" || contains(keys(try(yamldecode(file("${coalesce(var.functions.directory, "${path.module}/../../functions")}/${name}/function.yaml")).environment, {})), key)
    ])])
    error_message = "A function takes the variables that its function.yaml names, and RUST_LOG. Unknown: ${join(", ", flatten([for name, override in var.functions.overrides : [for key in keys(override.environment) : "${name}: ${key}" if key != "RUST_LOG" && !contains(keys(try(yamldecode(file("${coalesce(var.functions.directory, "${path.module}/../../functions")}/${name}/function.yaml")).environment, {})), key)]]))}."
  }

  validation {
    condition     = var.functions.packages == null ? true : !startswith(var.functions.packages, "s3://") || can(regex("^s3://[a-z0-9][a-z0-9.-]+[a-z0-9](/.*)?$", var.functions.packages))
    error_message = "functions.packages is a directory or s3://bucket/prefix."
  }
}

variable "records" {
  description = <<-TEXT
    What is done with records besides delivering them. archive_days: days for which the bus keeps them for replay; 0 keeps none.
    log: whether whole records also go to a log group of their own. table: whether they are written to a table for SQL with
    Athena. expire_days: days for which the table keeps them, for good unless set.
  TEXT
  type = object({
    archive_days = optional(number, 0)
    log          = optional(bool, false)
    table        = optional(bool, false)
    expire_days  = optional(number)
  })
  default = {}

  validation {
    condition     = var.records.table || var.records.expire_days == null
    error_message = "records.expire_days is about the table of records, and there is none: set records.table = true."
  }
}

variable "catalogue" {
  description = <<-TEXT
    A database of what is recorded and seen, the function that fills it and the api that answers from it. enabled: off
    unless set. tokens: who may ask, the tokens.json that `framepost token new` writes (digests, no secrets). existing: a
    PostgreSQL database that is there already, by the secret that holds its URL, with the subnets and security groups that
    functions reach it from. capacity_min, capacity_max: Aurora capacity units. backup_days: how long it can be put back to
    any second. keep = false: destroying destroys it, and leaves no snapshot. media_from_bucket: browsers and players read
    chunks from the bucket itself, with URLs that are good for 15 minutes, and not through api.
  TEXT
  type = object({
    enabled = optional(bool, false)
    tokens  = optional(string)
    existing = optional(object({
      url_secret      = string
      subnets         = optional(list(string), [])
      security_groups = optional(list(string), [])
    }))
    capacity_min = optional(number, 0.5)
    capacity_max = optional(number, 2)
    backup_days  = optional(number, 7)
    keep         = optional(bool, true)

    media_from_bucket = optional(bool, false)
  })
  default = {}

  validation {
    condition     = var.catalogue.tokens == null ? true : can([for token in jsondecode(var.catalogue.tokens) : token.sha256])
    error_message = "catalogue.tokens is the content of a tokens.json, a list of what `framepost token new` wrote: file(\"tokens.json\")."
  }

  validation {
    condition     = var.catalogue.existing == null ? true : length(var.catalogue.existing.subnets) > 0 && length(var.catalogue.existing.security_groups) > 0
    error_message = "An existing database is in a network: catalogue.existing has subnets and security_groups that functions reach it from."
  }

  validation {
    condition = !var.catalogue.enabled || length(setsubtract(["api", "catalog"],
    [for file in fileset(coalesce(var.functions.directory, "${path.module}/../../functions"), "*/function.yaml") : dirname(file)])) == 0
    error_message = "The catalogue is filled by the function catalog and answers through api; functions.directory has not both."
  }
}

variable "gateways" {
  description = <<-TEXT
    How gateways get their credential: access-key (does not expire; its secret is in Terraform's state), roles-anywhere (a
    certificate of your CA whose common name is the site), iot (an AWS IoT certificate), or none (policies alone).
  TEXT
  type = object({
    credential = optional(string, "access-key")
    roles_anywhere = optional(object({
      ca_certificate_pem = optional(string)
      trust_anchor_arn   = optional(string)
    }), {})
    iot_certificates = optional(map(string), {})
    session_s        = optional(number, 3600)
  })
  default = {}
}

variable "alarms" {
  description = "notify: SNS topics (ARNs) and e-mail addresses. Thresholds: oldest_message_minutes; errors and throttles, each in 5 minutes; backlog_minutes, the age of the oldest footage on a gateway; latency_ms, which one in ten requests exceeds; catalogue_gib, the database's size."
  type = object({
    enabled                = optional(bool, true)
    notify                 = optional(list(string), [])
    oldest_message_minutes = optional(number, 15)
    errors                 = optional(number, 1)
    throttles              = optional(number, 10)
    backlog_minutes        = optional(number, 30)
    latency_ms             = optional(number, 3000)
    catalogue_gib          = optional(number, 50)
  })
  default = {}
}

variable "log_retention_days" {
  description = "Days for which logs are kept: one of the values that CloudWatch offers, such as 30 or 365."
  type        = number
  default     = 30
}

variable "labels" {
  description = "Tags of every resource that can have tags."
  type        = map(string)
  default     = {}
}
