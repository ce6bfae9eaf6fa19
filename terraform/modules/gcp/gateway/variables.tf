variable "project" {
  description = "Id of the project of the gateways' service accounts or identity pool."
  type        = string
}

variable "name" {
  description = "The names of service accounts and of the identity pool begin with it."
  type        = string

  validation {
    condition     = !startswith(var.name, "gcp-")
    error_message = "name does not begin with gcp-: a workload identity pool is named after it, and Google keeps those names."
  }
}

variable "sites" {
  description = "Names of the sites. Each gets a right of its own: to create objects below its name."
  type        = set(string)

  validation {
    condition = alltrue([for site in var.sites :
    can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", site)) && !can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", site))])
    error_message = "A site's name has 1 to 64 of A-Z a-z 0-9 . _ -, starts with a letter or digit, and is not a date: ${join(", ", [for site in var.sites : "\"${site}\"" if !can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", site)) || can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", site))])}"
  }
}

variable "bucket" {
  description = "Name of the bucket that gateways write to, without gs://."
  type        = string
}

variable "credential" {
  description = "How a gateway gets its credential: key (a service account's), federation (a token of an OIDC issuer), service-account (attached to a VM, or impersonated), or none (the conditions alone, to grant elsewhere)."
  type        = string
  default     = "key"

  validation {
    condition     = contains(["key", "federation", "service-account", "none"], var.credential)
    error_message = "gateways.credential is key, federation, service-account or none."
  }
}

variable "key_rotation" {
  description = "For key: any word; another one makes new keys and deletes the old ones."
  type        = string
  default     = "1"
}

variable "oidc" {
  description = "For federation: the issuer of the tokens; their audiences, by default the provider's own name; site, an expression for the site in a token; condition, another expression that must be true (both in CEL; needed if the issuer serves others too); and the issuer's keys, if Google cannot fetch them."
  type = object({
    issuer     = optional(string)
    audiences  = optional(list(string), [])
    site       = optional(string, "assertion.sub")
    condition  = optional(string)
    jwks_json  = optional(string)
    token_file = optional(string, "/var/lib/framepost/gateway.jwt")
  })
  default = {}

  validation {
    condition     = var.credential != "federation" || can(regex("^https://[^/]", var.oidc.issuer))
    error_message = "With credential = \"federation\" set gateways.oidc.issuer to the issuer of the gateways' tokens, as it stands in their iss: https://…"
  }

  validation {
    condition     = can(regex("assertion\\.", var.oidc.site))
    error_message = "gateways.oidc.site is an expression over the token's claims, such as assertion.sub or assertion['kubernetes.io']['namespace'] or assertion.sub.extract('gateway/{site}')."
  }

  validation {
    condition     = var.oidc.jwks_json == null ? true : can(jsondecode(var.oidc.jwks_json).keys)
    error_message = "gateways.oidc.jwks_json is a JSON Web Key Set, {\"keys\": […]}, not its path: file(\"jwks.json\")."
  }
}
