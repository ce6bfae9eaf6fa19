locals {
  profiles = {
    access-key = { for site in var.sites : site => <<-PROFILE
      # /etc/framepost/environment, mode 600; both values: terraform output -json gateway_access_keys
      AWS_ACCESS_KEY_ID=...
      AWS_SECRET_ACCESS_KEY=...
    PROFILE
    }
    roles-anywhere = { for site in local.anywhere ? var.sites : [] : site => <<-PROFILE
      # ~/.aws/config of the service's user; the certificate's common name is ${site}
      [default]
      region = ${data.aws_region.current.id}
      credential_process = aws_signing_helper credential-process --certificate /etc/framepost/gateway.pem --private-key /etc/framepost/gateway.key --trust-anchor-arn ${local.trust_anchor_arn} --profile-arn ${aws_rolesanywhere_profile.gateways[site].arn} --role-arn ${aws_iam_role.gateway[site].arn}
    PROFILE
    }
    iot = { for site in var.credential == "iot" ? var.sites : [] : site => <<-PROFILE
      # ~/.aws/config of the service's user; needs curl and jq
      [default]
      region = ${data.aws_region.current.id}
      credential_process = sh -c "curl -fsS --cert /etc/framepost/gateway.pem --key /etc/framepost/gateway.key https://${data.aws_iot_endpoint.credentials[0].endpoint_address}/role-aliases/${aws_iot_role_alias.gateway[site].alias}/credentials | jq '.credentials | {Version: 1, AccessKeyId: .accessKeyId, SecretAccessKey: .secretAccessKey, SessionToken: .sessionToken, Expiration: .expiration}'"
    PROFILE
    }
    none = {}
  }
}

output "gateways" {
  description = "By site: the gateway's identity, its edge.toml, and how it gets its credential."
  value = {
    for site in var.sites : site => {
      credential    = var.credential
      policy_arn    = aws_iam_policy.put[site].arn
      principal_arn = var.credential == "none" ? null : local.principals[site]
      profile       = try(local.profiles[var.credential][site], null)
      edge_toml     = <<-EDGE
        site = "${site}"
        spool = { dir = "/var/lib/framepost/spool" }
        upload = { to = "s3://${var.bucket.name}", region = "${data.aws_region.current.id}" }
      EDGE
    }
  }
}

locals {
  principals = merge(
    { for site, user in aws_iam_user.gateway : site => user.arn },
    { for site, role in aws_iam_role.gateway : site => role.arn },
  )
}

output "principals" {
  description = "By site: ARN of the principal that its gateway acts as."
  value       = local.principals
}

output "policy_json" {
  description = "By site: the policy of its gateway."
  value       = { for site in var.sites : site => data.aws_iam_policy_document.put[site].json }
}

output "access_keys" {
  description = "By site: the access key, if that is the credential."
  sensitive   = true
  value = {
    for site, key in aws_iam_access_key.gateway : site => {
      access_key_id     = key.id
      secret_access_key = key.secret
    }
  }
}
