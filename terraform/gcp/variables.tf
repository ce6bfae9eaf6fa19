variable "name" {
  description = "The names of all resources begin with it, so that several deployments can share a project or an account."
  type        = string
  default     = "framepost"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,22}[a-z0-9]$", var.name))
    error_message = "name has 2 to 24 of a-z 0-9 -, starts with a letter and does not end with -."
  }
}

variable "project" {
  description = "The project's id. Billing is on; Terraform may do there what an Owner may."
  type        = string
}

variable "region" {
  description = "The region of functions, messages, records and logs, and of the bucket unless bucket.location says otherwise."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "\"${var.region}\" is not a region such as europe-west1; a multi-region is for bucket.location."
  }
}

variable "enable_apis" {
  description = "Whether the APIs that are needed are enabled here; with false, somebody else has enabled them."
  type        = bool
  default     = true
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
    The bucket. name: framepost-footage-PROJECT unless given. existing: it is there and stays its owner's. keep_footage =
    false: destroying destroys the footage and what is known of it. location: the region unless given. expire_days: never
    unless given. transitions: cheaper classes by age. reports_days: how long gateways' reports are kept. versioning, noncurrent_days, soft_delete_days: how long a deletion
    can be undone.
  TEXT
  type = object({
    name             = optional(string)
    existing         = optional(bool, false)
    keep_footage     = optional(bool, true)
    location         = optional(string)
    expire_days      = optional(number)
    transitions      = optional(list(object({ days = number, class = string })), [])
    versioning       = optional(bool, true)
    noncurrent_days  = optional(number, 1)
    soft_delete_days = optional(number, 7)
    reports_days     = optional(number, 30)
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

  validation {
    condition     = var.encryption_key == null || var.bucket.existing || lower(coalesce(var.bucket.location, var.region)) == var.region
    error_message = "Cloud Storage takes a key of the bucket's own location only: with encryption_key leave out bucket.location, or bring a bucket that is encrypted already."
  }
}

variable "encryption_key" {
  description = "Cloud KMS key for footage, messages, records and the ledger: projects/P/locations/L/keyRings/R/cryptoKeys/K, in the region. The services' agents are granted its use."
  type        = string
  default     = null

  validation {
    condition     = var.encryption_key == null ? true : can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.encryption_key))
    error_message = "encryption_key is the full name of a key without a version: projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }

  validation {
    condition     = try(regex("/locations/([^/]+)/", var.encryption_key)[0] == var.region, true)
    error_message = "encryption_key is in ${try(regex("/locations/([^/]+)/", var.encryption_key)[0], "?")}: what is kept in ${var.region} takes a key of ${var.region}."
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
    The functions. images: their container images in Artifact Registry, {function} standing for a function's name.
    directory: where */function.yaml are. overrides: by function, what its function.yaml says otherwise. A function that
    is named there is deployed, one that is left out by its function.yaml as well; enabled = false leaves it out.
  TEXT
  type = object({
    images      = optional(string)
    directory   = optional(string)
    environment = optional(map(string), {})
    overrides = optional(map(object({
      enabled              = optional(bool)
      environment          = optional(map(string), {})
      memory_mib           = optional(number)
      timeout_s            = optional(number)
      max_concurrency      = optional(number)
      cpu                  = optional(number)
      instance_concurrency = optional(number)
      max_deliveries       = optional(number)
    })), {})
  })
  default = {}

  validation {
    condition     = var.functions.images != null
    error_message = "Say where the images are: functions = { images = \"REGION-docker.pkg.dev/PROJECT/framepost/{function}:VERSION\" }."
  }

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
}

variable "records" {
  description = "archive_days: days for which the topic keeps records for replay; expire_days: days for which the table keeps them, for good unless set."
  type = object({
    archive_days = optional(number, 0)
    expire_days  = optional(number)
  })
  default = {}
}

variable "catalogue" {
  description = <<-TEXT
    A database of what is recorded and seen, the function that fills it and the api that answers from it. enabled: off
    unless set. tokens: who may ask, the tokens.json that `framepost token new` writes (digests, no secrets). existing: a
    PostgreSQL database that is there already, by the secret that holds its URL. tier: the size of a new one. backup_days:
    how long there are backups. keep = false: destroying destroys it, and leaves no backup. media_from_bucket: browsers and
    players read chunks from the bucket itself, with URLs that are good for 15 minutes, and not through api.
  TEXT
  type = object({
    enabled = optional(bool, false)
    tokens  = optional(string)
    existing = optional(object({
      url_secret = string
    }))
    tier        = optional(string, "db-g1-small")
    backup_days = optional(number, 7)
    keep        = optional(bool, true)

    media_from_bucket = optional(bool, false)
  })
  default = {}

  validation {
    condition     = var.catalogue.tokens == null ? true : can([for token in jsondecode(var.catalogue.tokens) : token.sha256])
    error_message = "catalogue.tokens is the content of a tokens.json, a list of what `framepost token new` wrote: file(\"tokens.json\")."
  }

  validation {
    condition = !var.catalogue.enabled || length(setsubtract(["api", "catalog"],
    [for file in fileset(coalesce(var.functions.directory, "${path.module}/../../functions"), "*/function.yaml") : dirname(file)])) == 0
    error_message = "The catalogue is filled by the function catalog and answers through api; functions.directory has not both."
  }
}

variable "gateways" {
  description = <<-TEXT
    How gateways get their credential: key (a service account's; does not expire, and is in Terraform's state), federation
    (tokens of an OIDC issuer, see oidc), service-account (attached to a VM, or impersonated), or none (conditions alone).
    key_rotation: another word makes new keys.
  TEXT
  type = object({
    credential   = optional(string, "key")
    key_rotation = optional(string, "1")
    oidc = optional(object({
      issuer     = optional(string)
      audiences  = optional(list(string), [])
      site       = optional(string, "assertion.sub")
      condition  = optional(string)
      jwks_json  = optional(string)
      token_file = optional(string, "/var/lib/framepost/gateway.jwt")
    }), {})
  })
  default = {}
}

variable "alarms" {
  description = "notify: notification channels (projects/P/notificationChannels/N) and e-mail addresses. Thresholds: oldest_message_minutes; errors and throttles, each in 5 minutes; backlog_minutes, the age of the oldest footage on a gateway."
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
  description = "Days for which the functions' logs are kept. Up to 30 are in the price of taking them in."
  type        = number
  default     = 30
}

variable "labels" {
  description = "Labels of every resource that can have labels."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([for key, value in var.labels :
    can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "A label has up to 63 of a-z 0-9 _ - for its key, beginning with a letter, and for its value."
  }
}
