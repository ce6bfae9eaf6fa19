locals {
  # Application Default Credentials; no secret is in it.
  external_accounts = {
    for site in local.federated ? var.sites : [] : site => jsonencode({
      type               = "external_account"
      audience           = "//iam.googleapis.com/${google_iam_workload_identity_pool_provider.gateways[0].name}"
      subject_token_type = "urn:ietf:params:oauth:token-type:jwt"
      token_url          = "https://sts.googleapis.com/v1/token"
      credential_source  = { file = var.oidc.token_file }
    })
  }

  profiles = {
    key             = <<-TEXT
      # /etc/framepost/environment; the file, mode 600: terraform output -json gateway_keys
      GOOGLE_APPLICATION_CREDENTIALS=/etc/framepost/credentials.json
    TEXT
    federation      = <<-TEXT
      # /etc/framepost/environment; the file is external_account, and a token is always fresh in ${var.oidc.token_file}
      GOOGLE_APPLICATION_CREDENTIALS=/etc/framepost/credentials.json
    TEXT
    service-account = <<-TEXT
      # nothing to set: the machine's own service account is found
    TEXT
    none            = null
  }
}

output "gateways" {
  description = "By site: the gateway's identity, its edge.toml, and how it gets its credential."
  value = {
    for site in var.sites : site => {
      credential       = var.credential
      principal        = try(local.principals[site], null)
      condition        = local.conditions[site]
      profile          = local.profiles[var.credential]
      external_account = try(local.external_accounts[site], null)
      edge_toml        = <<-EDGE
        site = "${site}"
        spool = { dir = "/var/lib/framepost/spool" }
        upload = { to = "gs://${var.bucket}" }
      EDGE
    }
  }
}

output "keys" {
  description = "By site: the service account's key file, if that is the credential."
  sensitive   = true
  value       = { for site, key in google_service_account_key.gateway : site => base64decode(key.private_key) }
}
