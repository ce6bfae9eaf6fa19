variable "name" {
  description = "The Lambda function's name; its role and log group are named after it."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,56}$", var.name))
    error_message = "A function's name has 1 to 56 of A-Z a-z 0-9 _ - (its role's name gets a suffix of up to 8); \"${var.name}\" does not. Shorten name."
  }
}

variable "description" {
  description = "One line for the Lambda function's description in the console."
  type        = string
  default     = null
}

variable "package" {
  description = "The zip with the program `bootstrap`, a file here or an object in S3, or a container image in ECR of this region, by tag or digest."
  type = object({
    file  = optional(string)
    s3    = optional(object({ bucket = string, key = string }))
    image = optional(string)
  })

  validation {
    condition     = length([for place in [var.package.file, var.package.s3, var.package.image] : place if place != null]) == 1
    error_message = "A package is a file, an object in S3 or an image: set exactly one of package.file, package.s3 and package.image."
  }

  validation {
    condition     = var.package.image == null ? true : can(regex("^[0-9]{12}\\.dkr\\.ecr\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?/[a-z0-9][a-z0-9._/-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*|@sha256:[0-9a-f]{64})$", var.package.image))
    error_message = "\"${coalesce(var.package.image, "?")}\" is not an image such as 123456789012.dkr.ecr.eu-central-1.amazonaws.com/framepost/infer:1.4.0. Lambda takes images of ECR alone, in its own region, by tag or digest: set functions.images."
  }
}

variable "architecture" {
  description = "What the package was built for: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "functions.architecture is arm64 or x86_64, as the package was built."
  }
}

variable "memory_mib" {
  description = "Memory; Lambda gives processor time in proportion."
  type        = number

  validation {
    condition     = var.memory_mib >= 128 && var.memory_mib <= 10240
    error_message = "runtime.memory_mib is between 128 and 10240."
  }
}

variable "timeout_s" {
  description = "How long one batch may take."
  type        = number

  validation {
    condition     = var.timeout_s >= 1 && var.timeout_s <= 900
    error_message = "runtime.timeout_s is between 1 and 900 seconds, Lambda's limit."
  }
}

variable "environment" {
  description = "Environment variables of the function."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.environment) : !startswith(key, "AWS_")])
    error_message = "Names that start with AWS_ are Lambda's own."
  }
}

variable "secrets" {
  description = "More of the environment, which plans and outputs do not show."
  type        = map(string)
  default     = {}
  sensitive   = true
}

variable "network" {
  description = "The subnets and security groups that the function runs in. Without them it reaches the internet, and nothing private."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
  })
  default = null
}

variable "queue" {
  description = "The queue that gives the function its work, where messages trigger it, and how it is taken from there."
  type = object({
    arn               = string
    dead_letters_arn  = string
    batch_size        = optional(number, 10)
    batching_window_s = optional(number, 0)
  })
  default = null

  validation {
    condition     = var.queue == null ? true : var.queue.batch_size >= 1 && var.queue.batch_size <= 10000
    error_message = "delivery.batch_size is between 1 and 10000."
  }

  validation {
    condition     = var.queue == null ? true : var.queue.batch_size <= 10 || var.queue.batching_window_s >= 1
    error_message = "A batch of more than 10 messages needs a batching_window_s of at least 1."
  }
}

variable "http" {
  description = "How requests trigger the function; null if none do. With auth = cloud, IAM says who may invoke its URL; with function, everybody may."
  type = object({
    path = optional(string, "/")
    auth = string
  })
  default = null

  validation {
    condition     = var.queue != null || var.http != null
    error_message = "Nothing triggers the function ${var.name}: neither a queue nor requests."
  }

  validation {
    condition     = var.http == null ? true : contains(["cloud", "function"], var.http.auth)
    error_message = "triggers[].auth is cloud or function."
  }

  validation {
    condition     = var.http == null || var.queue == null ? true : var.http.auth != "function"
    error_message = "Where everybody may send requests (auth: function), everybody could send messages too: make two functions of ${var.name}."
  }
}

variable "max_concurrency" {
  description = "Instances at a time: of the queue's batches, and of requests."
  type        = number
  default     = 10

  validation {
    condition     = var.max_concurrency >= 2 && var.max_concurrency <= 1000 && floor(var.max_concurrency) == var.max_concurrency
    error_message = "runtime.max_concurrency is a whole number between 2 and 1000, Lambda's limits for a queue."
  }
}

variable "grants" {
  description = "What the function may do, each on one resource: footage:read, footage:list and footage:write on the bucket, exports:write below exports/ in it, records:publish on the bus, ledger:claim on the table, pictures:detect for what FRAMEPOST_DETECTOR names."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.grants, ["footage:read", "footage:list", "footage:write", "exports:write", "records:publish", "ledger:claim", "pictures:detect"])) == 0
    error_message = "Grants are footage:read, footage:list, footage:write, exports:write, records:publish, ledger:claim and pictures:detect; there is no other: ${join(", ", setsubtract(var.grants, ["footage:read", "footage:list", "footage:write", "exports:write", "records:publish", "ledger:claim", "pictures:detect"]))}."
  }

  validation {
    condition     = length(setintersection(var.grants, ["footage:read", "footage:list", "footage:write", "exports:write"])) == 0 || var.granted.bucket_arn != null
    error_message = "footage:read, footage:list, footage:write and exports:write need granted.bucket_arn."
  }

  validation {
    condition     = !contains(var.grants, "records:publish") || var.granted.bus_arn != null
    error_message = "records:publish needs granted.bus_arn."
  }

  validation {
    condition     = !contains(var.grants, "ledger:claim") || var.granted.table_arn != null
    error_message = "ledger:claim needs granted.table_arn."
  }
}

variable "granted" {
  description = "What the grants are about. prefixes are the keys that grants of footage end at; \"\" is the whole bucket. database_user_arn is the user of the catalogue that the function logs in as."
  type = object({
    bucket_arn         = optional(string)
    prefixes           = optional(list(string), [""])
    encryption_key_arn = optional(string)
    bus_arn            = optional(string)
    table_arn          = optional(string)
    database_user_arn  = optional(string)
  })
  default = {}

  validation {
    condition     = length(var.granted.prefixes) > 0 && alltrue([for prefix in var.granted.prefixes : prefix == "" || endswith(prefix, "/")])
    error_message = "granted.prefixes holds \"\" or prefixes that end with a slash: without one plant-70 would be a part of plant-7."
  }
}

variable "tracing" {
  description = "Active sends a sample of the invocations to X-Ray; PassThrough follows the caller."
  type        = string
  default     = "PassThrough"

  validation {
    condition     = contains(["Active", "PassThrough"], var.tracing)
    error_message = "functions.tracing is Active or PassThrough."
  }
}

variable "platform_log_level" {
  description = "What Lambda itself adds to the log: INFO is a start and a report line an invocation, WARN is failures only."
  type        = string
  default     = "WARN"

  validation {
    condition     = contains(["DEBUG", "INFO", "WARN"], var.platform_log_level)
    error_message = "functions.platform_log_level is DEBUG, INFO or WARN."
  }
}

variable "log_retention_days" {
  description = "How long the log is kept."
  type        = number

  validation {
    condition = contains(
      [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
    var.log_retention_days)
    error_message = "log_retention_days is one of CloudWatch's: 1 3 5 7 14 30 60 90 120 150 180 365 400 545 731 1096 1827 2192 2557 2922 3288 3653."
  }
}
