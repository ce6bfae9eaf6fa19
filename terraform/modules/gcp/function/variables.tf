variable "project" {
  description = "Id of the project that the function runs and is billed in."
  type        = string
}

variable "region" {
  description = "Region of the Cloud Run service."
  type        = string
}

variable "name" {
  description = "Name of the service; its service account is named after it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,47}[a-z0-9]$", var.name))
    error_message = "A service's name has 2 to 49 of a-z 0-9 -, begins with a letter and does not end with -; \"${var.name}\" does not. Shorten name or the function's name."
  }
}

variable "function" {
  description = "The function's own name, from its function.yaml."
  type        = string
}

variable "description" {
  description = "One line for the service's description in the console."
  type        = string
  default     = ""
}

variable "image" {
  description = "The container image, by tag or digest, in Artifact Registry."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9.-]+(:[0-9]+)?/[a-z0-9./_-]+(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?$", var.image))
    error_message = "\"${var.image}\" is not an image such as europe-west1-docker.pkg.dev/project/framepost/probe:1.4.0. Cloud Run takes no short names."
  }
}

variable "runtime" {
  description = "The runtime part of the function's function.yaml. cpu and instance_concurrency are Cloud Run's own: CPUs, and events that one instance handles at a time."
  type = object({
    memory_mib           = number
    timeout_s            = number
    max_concurrency      = number
    cpu                  = optional(number, 1)
    instance_concurrency = optional(number, 10)
  })

  validation {
    condition     = contains([1, 2, 4, 6, 8], var.runtime.cpu)
    error_message = "runtime.cpu is 1, 2, 4, 6 or 8: with a part of one, Cloud Run handles one event at a time."
  }

  validation {
    condition = (
      var.runtime.memory_mib >= lookup({ "1" = 128, "2" = 128, "4" = 2048, "6" = 4096, "8" = 4096 }, tostring(var.runtime.cpu), 128)
      && var.runtime.memory_mib <= lookup({ "1" = 4096, "2" = 8192, "4" = 16384, "6" = 24576, "8" = 32768 }, tostring(var.runtime.cpu), 32768)
      && floor(var.runtime.memory_mib) == var.runtime.memory_mib
    )
    error_message = "runtime.memory_mib is a whole number: 128 to 4096 with 1 CPU, to 8192 with 2, 2048 to 16384 with 4, 4096 to 24576 with 6, 4096 to 32768 with 8."
  }

  validation {
    condition     = var.runtime.max_concurrency >= 1 && floor(var.runtime.max_concurrency) == var.runtime.max_concurrency
    error_message = "runtime.max_concurrency is a whole number, 1 or more."
  }

  validation {
    condition     = var.runtime.instance_concurrency >= 1 && var.runtime.instance_concurrency <= 1000 && floor(var.runtime.instance_concurrency) == var.runtime.instance_concurrency
    error_message = "runtime.instance_concurrency is a whole number between 1 and 1000."
  }
}

variable "environment" {
  description = "Environment variables with the function's own settings, beside those that the module sets."
  type        = map(string)
  default     = {}

  validation {
    condition = length(setintersection(keys(var.environment), [
      "FRAMEPOST_RECORDS", "FRAMEPOST_DEAD_LETTERS", "FRAMEPOST_LEDGER", "FRAMEPOST_EVENTS", "PORT", "K_SERVICE",
      "K_REVISION", "K_CONFIGURATION",
    ])) == 0
    error_message = "FRAMEPOST_RECORDS, FRAMEPOST_DEAD_LETTERS, FRAMEPOST_LEDGER, FRAMEPOST_EVENTS, PORT and K_… are set by what the function is connected to, not by hand."
  }
}

variable "secrets" {
  description = "More of the environment: by variable, the secret in this project whose newest version is its value."
  type        = map(string)
  default     = {}
}

variable "catalogue" {
  description = "The database that the function logs in to as its service account: the instance, its connection name and the database's own."
  type = object({
    instance        = string
    connection_name = string
    name            = string
  })
  default = null
}

variable "catalogue_access" {
  description = "What the function does with the catalogue: write makes the tables and lets every user of the database read them, read waits for them."
  type        = string
  default     = "write"

  validation {
    condition     = contains(["read", "write"], var.catalogue_access)
    error_message = "catalogue_access: read or write."
  }
}

variable "grants" {
  description = "What the function may do: footage:read, footage:list and footage:write on the bucket, exports:write on the folder of exports, records:publish, ledger:claim, and pictures:detect for what FRAMEPOST_DETECTOR names."
  type        = list(string)

  validation {
    condition     = length(setsubtract(var.grants, ["footage:read", "footage:list", "footage:write", "exports:write", "records:publish", "ledger:claim", "pictures:detect"])) == 0
    error_message = "Grants are footage:read, footage:list, footage:write, exports:write, records:publish, ledger:claim and pictures:detect; there is no other: ${join(", ", setsubtract(var.grants, ["footage:read", "footage:list", "footage:write", "exports:write", "records:publish", "ledger:claim", "pictures:detect"]))}."
  }

  validation {
    condition     = !contains(var.grants, "exports:write") || var.exports != null
    error_message = "The grant exports:write needs the folder of exports."
  }

  validation {
    condition     = !contains(var.grants, "ledger:claim") || var.ledger != null
    error_message = "The grant ledger:claim needs a ledger."
  }
}

variable "bucket" {
  description = "Name of the bucket with the footage, which the grants footage:read and footage:write are about."
  type        = string
}

variable "prefixes" {
  description = "Beginnings of the keys that the grants footage:read and footage:write are limited to, each with its slash; [] is the whole bucket."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for prefix in var.prefixes : can(regex("^[^\"\\\\]+/$", prefix))])
    error_message = "prefixes end with a slash: without one plant-70 would be a part of plant-7."
  }

  validation {
    condition     = length(var.prefixes) <= 200
    error_message = "${length(var.prefixes)} sites share an existing bucket, and IAM has room for 200 in the conditions of one identity: deploy some under another name."
  }
}

variable "exports" {
  description = "The managed folder in the bucket that the grant exports:write is about; null where there is none."
  type        = string
  default     = null
}

variable "records" {
  description = "The topic that records go to, projects/P/topics/T."
  type        = string
}

variable "dead_letters" {
  description = "The topic that rejected messages go to, projects/P/topics/T; null if no messages trigger the function."
  type        = object({ topic = string })
  default     = null
}

variable "http" {
  description = "How requests trigger the function; null if none do. With auth = cloud, Cloud Run admits principals that have run.invoker; with function, everybody."
  type = object({
    path = optional(string, "/")
    auth = string
  })
  default = null

  validation {
    condition     = var.dead_letters != null || var.http != null
    error_message = "Nothing triggers the function ${var.function}: neither messages nor requests."
  }

  validation {
    condition     = var.http == null ? true : contains(["cloud", "function"], var.http.auth)
    error_message = "triggers[].auth is cloud or function."
  }

  validation {
    condition     = var.http == null || var.dead_letters == null ? true : var.http.auth != "function"
    error_message = "Where everybody may send requests (auth: function), everybody could send messages too: make two functions of ${var.function}."
  }
}

variable "signs_urls" {
  description = "Whether it makes signed URLs to objects of the bucket."
  type        = bool
  default     = false
}

variable "ledger" {
  description = "The bucket of claims, by name and as FRAMEPOST_LEDGER's URL; null without the grant ledger:claim."
  type = object({
    bucket = string
    url    = string
  })
  default = null
}
