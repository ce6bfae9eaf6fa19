variable "name" {
  description = "The names of policies, users and roles begin with it."
  type        = string
}

variable "sites" {
  description = "Names of the sites. Each gets a policy and a principal of its own."
  type        = set(string)

  validation {
    condition = alltrue([for site in var.sites :
    can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", site)) && !can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", site))])
    error_message = "A site's name has 1 to 64 of A-Z a-z 0-9 . _ -, starts with a letter or digit, and is not a date: ${join(", ", [for site in var.sites : "\"${site}\"" if !can(regex("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", site)) || can(regex("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", site))])}"
  }
}

variable "bucket" {
  description = "The bucket that gateways put into."
  type        = object({ name = string, arn = string })
}

variable "encryption_key_arn" {
  description = "The bucket's KMS key, if it has one."
  type        = string
  default     = null
}

variable "credential" {
  description = "How a gateway gets its credential: access-key, roles-anywhere, iot, or none (the policies alone, to attach elsewhere)."
  type        = string
  default     = "access-key"

  validation {
    condition     = contains(["access-key", "roles-anywhere", "iot", "none"], var.credential)
    error_message = "gateways.credential is access-key, roles-anywhere, iot or none."
  }
}

variable "roles_anywhere" {
  description = "For roles-anywhere: the CA that issues the gateways' certificates (PEM), or a trust anchor that is there. A certificate's common name is its site."
  type = object({
    ca_certificate_pem = optional(string)
    trust_anchor_arn   = optional(string)
  })
  default = {}

  validation {
    condition     = var.credential != "roles-anywhere" || (var.roles_anywhere.ca_certificate_pem == null) != (var.roles_anywhere.trust_anchor_arn == null)
    error_message = "With credential = \"roles-anywhere\" set exactly one of gateways.roles_anywhere.ca_certificate_pem (the CA's certificate, PEM) and gateways.roles_anywhere.trust_anchor_arn."
  }

  validation {
    condition     = var.roles_anywhere.ca_certificate_pem == null ? true : strcontains(var.roles_anywhere.ca_certificate_pem, "-----BEGIN CERTIFICATE-----")
    error_message = "gateways.roles_anywhere.ca_certificate_pem is the certificate itself, not its path: file(\"ca.pem\")."
  }
}

variable "iot_certificates" {
  description = "For iot: site to the ARN of the AWS IoT certificate that its gateway holds."
  type        = map(string)
  default     = {}

  validation {
    condition     = var.credential != "iot" || length(setsubtract(var.sites, keys(var.iot_certificates))) == 0
    error_message = "With credential = \"iot\" every site has its certificate in gateways.iot_certificates; missing: ${join(", ", setsubtract(var.sites, keys(var.iot_certificates)))}"
  }

  validation {
    condition     = alltrue([for arn in values(var.iot_certificates) : can(regex("^arn:[a-z-]+:iot:[a-z0-9-]+:[0-9]{12}:cert/", arn))])
    error_message = "gateways.iot_certificates are ARNs of AWS IoT certificates, arn:aws:iot:REGION:ACCOUNT:cert/ID."
  }
}

variable "session_s" {
  description = "How long a credential from Roles Anywhere or IoT lasts, in seconds."
  type        = number
  default     = 3600

  validation {
    condition     = var.session_s >= 900 && var.session_s <= 43200
    error_message = "gateways.session_s is between 900 and 43200 seconds."
  }
}
