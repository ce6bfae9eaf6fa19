# The rights of a gateway: it can put each object below its own site once, and nothing else.
#
# There is one policy for each site. Only one kind of credential is created. Principals
# are named after their site.

data "aws_region" "current" {}
data "aws_partition" "current" {}
data "aws_caller_identity" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  # IAM's limit for a role is 64 characters.
  names = { for site in var.sites : site => length("${var.name}-gateway-${site}") <= 64 ? "${var.name}-gateway-${site}" : "${substr("${var.name}-gateway-${site}", 0, 55)}-${substr(sha256(site), 0, 8)}" }

  # IoT takes no dots in a role alias, and Roles Anywhere none in a profile; a site has neither comma nor space.
  aliases  = { for site, name in local.names : site => replace(name, ".", ",") }
  profiled = { for site, name in local.names : site => replace(name, ".", " ") }

  users = var.credential == "access-key" ? var.sites : []
  roles = contains(["roles-anywhere", "iot"], var.credential) ? var.sites : []
}

data "aws_iam_policy_document" "put" {
  for_each = var.sites

  # A put that carries If-None-Match: *. Parts of a multipart upload cannot carry it, so there is none; a chunk is one put.
  statement {
    sid       = "PutOnceBelowTheSite"
    actions   = ["s3:PutObject"]
    resources = ["${var.bucket.arn}/${each.key}/*"]

    condition {
      test     = "StringEquals"
      variable = "s3:if-none-match"
      values   = ["*"]
    }

    # Encrypted as the bucket is, or as it would be anyway: not with a key that the request carries (SSE-C), which nobody here
    # could read again, nor with a key of KMS that is another account's to switch off. A gateway says nothing of encryption.
    condition {
      test     = "Null"
      variable = "s3:x-amz-server-side-encryption-customer-algorithm"
      values   = ["true"]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "s3:x-amz-server-side-encryption"
      values   = [var.encryption_key_arn == null ? "AES256" : "aws:kms"]
    }

    dynamic "condition" {
      for_each = var.encryption_key_arn == null ? [1] : []

      content {
        test     = "Null"
        variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
        values   = ["true"]
      }
    }

    dynamic "condition" {
      for_each = var.encryption_key_arn == null ? [] : [var.encryption_key_arn]

      content {
        test     = "ArnEqualsIfExists"
        variable = "s3:x-amz-server-side-encryption-aws-kms-key-id"
        values   = [condition.value]
      }
    }
  }

  dynamic "statement" {
    for_each = var.encryption_key_arn == null ? [] : [1]

    content {
      sid       = "EncryptThroughS3"
      actions   = ["kms:GenerateDataKey"]
      resources = [var.encryption_key_arn]

      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["s3.${data.aws_region.current.id}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_policy" "put" {
  for_each    = var.sites
  name        = local.names[each.key]
  description = "The gateway of ${each.key} puts chunks into ${var.bucket.name}, and can do nothing else"
  policy      = data.aws_iam_policy_document.put[each.key].json
}

# ---- access key: the simplest credential, and the only one that does not expire. The
# secret is in Terraform's state.

resource "aws_iam_user" "gateway" {
  #checkov:skip=CKV_AWS_273:a gateway is a machine outside AWS; Roles Anywhere and IoT are the other choices
  for_each = local.users
  name     = local.names[each.key]
}

resource "aws_iam_user_policy_attachment" "gateway" {
  #checkov:skip=CKV_AWS_40:one user, one policy, one gateway; a group would have one member
  for_each   = local.users
  user       = aws_iam_user.gateway[each.key].name
  policy_arn = aws_iam_policy.put[each.key].arn
}

resource "aws_iam_access_key" "gateway" {
  for_each = local.users
  user     = aws_iam_user.gateway[each.key].name
}

# ---- roles: the gateway exchanges a certificate for a credential that expires

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  dynamic "statement" {
    for_each = var.credential == "roles-anywhere" ? [1] : []

    content {
      sid     = "CertificateOfThisSite"
      actions = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]

      principals {
        type        = "Service"
        identifiers = ["rolesanywhere.amazonaws.com"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:PrincipalTag/x509Subject/CN"
        values   = [each.key]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = [local.trust_anchor_arn]
      }
    }
  }

  dynamic "statement" {
    for_each = var.credential == "iot" ? [1] : []

    content {
      sid     = "IotCredentialProvider"
      actions = ["sts:AssumeRole"]

      principals {
        type        = "Service"
        identifiers = ["credentials.iot.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = ["arn:${local.partition}:iot:${data.aws_region.current.id}:${local.account}:rolealias/${local.aliases[each.key]}"]
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_iam_role" "gateway" {
  for_each             = local.roles
  name                 = local.names[each.key]
  description          = "The gateway of ${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = max(3600, var.session_s)
}

resource "aws_iam_role_policy_attachment" "gateway" {
  for_each   = local.roles
  role       = aws_iam_role.gateway[each.key].name
  policy_arn = aws_iam_policy.put[each.key].arn
}

# ---- IAM Roles Anywhere

locals {
  anywhere         = var.credential == "roles-anywhere"
  trust_anchor_arn = local.anywhere ? coalesce(var.roles_anywhere.trust_anchor_arn, one(aws_rolesanywhere_trust_anchor.ca[*].arn)) : null
}

resource "aws_rolesanywhere_trust_anchor" "ca" {
  count   = local.anywhere && var.roles_anywhere.trust_anchor_arn == null ? 1 : 0
  name    = "${var.name}-gateways"
  enabled = true

  source {
    source_type = "CERTIFICATE_BUNDLE"

    source_data {
      x509_certificate_data = var.roles_anywhere.ca_certificate_pem
    }
  }
}

resource "aws_rolesanywhere_profile" "gateways" {
  for_each         = local.anywhere ? var.sites : []
  name             = local.profiled[each.key]
  enabled          = true
  duration_seconds = var.session_s
  role_arns        = [aws_iam_role.gateway[each.key].arn]
}

# ---- AWS IoT credential provider

data "aws_iot_endpoint" "credentials" {
  count         = var.credential == "iot" ? 1 : 0
  endpoint_type = "iot:CredentialProvider"
}

resource "aws_iot_role_alias" "gateway" {
  for_each            = var.credential == "iot" ? var.sites : []
  alias               = local.aliases[each.key]
  role_arn            = aws_iam_role.gateway[each.key].arn
  credential_duration = var.session_s
}

data "aws_iam_policy_document" "iot" {
  for_each = var.credential == "iot" ? var.sites : []

  statement {
    actions   = ["iot:AssumeRoleWithCertificate"]
    resources = [aws_iot_role_alias.gateway[each.key].arn]
  }
}

resource "aws_iot_policy" "gateway" {
  for_each = var.credential == "iot" ? var.sites : []
  name     = local.names[each.key]
  policy   = data.aws_iam_policy_document.iot[each.key].json
}

resource "aws_iot_policy_attachment" "gateway" {
  for_each = var.credential == "iot" ? var.sites : []
  policy   = aws_iot_policy.gateway[each.key].name
  target   = var.iot_certificates[each.key]
}
