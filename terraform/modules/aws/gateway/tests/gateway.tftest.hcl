mock_provider "aws" {
  source = "../../mocks/aws"

  mock_resource "aws_iam_access_key" {
    defaults = { id = "AKIAEXAMPLE", secret = "secret" }
  }
  mock_resource "aws_rolesanywhere_trust_anchor" {
    defaults = { arn = "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/t" }
  }
  mock_resource "aws_rolesanywhere_profile" {
    defaults = { arn = "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/p" }
  }
  mock_resource "aws_iot_role_alias" {
    defaults = { arn = "arn:aws:iot:eu-central-1:123456789012:rolealias/framepost-gateway-plant-7" }
  }
}

variables {
  name   = "framepost"
  sites  = ["plant-7", "dock"]
  bucket = { name = "footage", arn = "arn:aws:s3:::footage" }
}

run "can_only_put_below_its_site_and_only_once" {
  assert {
    condition     = [for s in data.aws_iam_policy_document.put["plant-7"].statement : tolist(s.actions)] == [tolist(["s3:PutObject"])]
    error_message = "one statement, one action"
  }
  assert {
    condition     = data.aws_iam_policy_document.put["plant-7"].statement[0].resources == toset(["arn:aws:s3:::footage/plant-7/*"])
    error_message = "below its own site; plant-70 is another"
  }
  assert {
    condition = data.aws_iam_policy_document.put["plant-7"].statement[0].condition == toset([
      { test = "StringEquals", variable = "s3:if-none-match", values = tolist(["*"]) },
      { test = "Null", variable = "s3:x-amz-server-side-encryption-customer-algorithm", values = tolist(["true"]) },
      { test = "StringEqualsIfExists", variable = "s3:x-amz-server-side-encryption", values = tolist(["AES256"]) },
      { test = "Null", variable = "s3:x-amz-server-side-encryption-aws-kms-key-id", values = tolist(["true"]) },
    ])
    error_message = "with If-None-Match: *, and so never over an object that is there; encrypted as the bucket is"
  }
  assert {
    condition     = keys(aws_iam_policy.put) == ["dock", "plant-7"]
    error_message = "a policy for each site"
  }
}

run "access_keys" {
  assert {
    condition     = keys(aws_iam_access_key.gateway) == ["dock", "plant-7"] && length(aws_iam_role.gateway) == 0
    error_message = "a user and a key for each site, and no roles"
  }
  assert {
    condition     = output.access_keys["plant-7"] == { access_key_id = "AKIAEXAMPLE", secret_access_key = "secret" }
    error_message = "the keys are told"
  }
  assert {
    condition     = !strcontains(jsonencode(output.gateways), "secret\"") && strcontains(output.gateways["plant-7"].edge_toml, "site = \"plant-7\"") && strcontains(output.gateways["plant-7"].edge_toml, "s3://footage")
    error_message = "the snippet names site and bucket, and no secret"
  }
}

run "a_kms_key_is_used_through_s3_alone" {
  variables {
    encryption_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }
  assert {
    condition     = data.aws_iam_policy_document.put["dock"].statement[1].actions == toset(["kms:GenerateDataKey"])
    error_message = "a put needs a data key, and nothing else of KMS"
  }
  assert {
    condition = data.aws_iam_policy_document.put["dock"].statement[1].condition == toset([
    { test = "StringEquals", variable = "kms:ViaService", values = tolist(["s3.eu-central-1.amazonaws.com"]) }])
    error_message = "through S3"
  }
  assert {
    condition = data.aws_iam_policy_document.put["dock"].statement[0].condition == toset([
      { test = "StringEquals", variable = "s3:if-none-match", values = tolist(["*"]) },
      { test = "Null", variable = "s3:x-amz-server-side-encryption-customer-algorithm", values = tolist(["true"]) },
      { test = "StringEqualsIfExists", variable = "s3:x-amz-server-side-encryption", values = tolist(["aws:kms"]) },
      { test = "ArnEqualsIfExists", variable = "s3:x-amz-server-side-encryption-aws-kms-key-id", values = tolist(["arn:aws:kms:eu-central-1:123456789012:key/1"]) },
    ])
    error_message = "with that key, or without a word, and with no other"
  }
}

run "roles_anywhere" {
  variables {
    credential     = "roles-anywhere"
    roles_anywhere = { ca_certificate_pem = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----" }
  }
  assert {
    condition     = length(aws_rolesanywhere_trust_anchor.ca) == 1 && keys(aws_rolesanywhere_profile.gateways) == ["dock", "plant-7"] && length(aws_iam_user.gateway) == 0
    error_message = "one trust anchor, a profile for each site, no users"
  }
  assert {
    condition = data.aws_iam_policy_document.trust["plant-7"].statement[0].condition == toset([
      { test = "StringEquals", variable = "aws:PrincipalTag/x509Subject/CN", values = tolist(["plant-7"]) },
      { test = "ArnEquals", variable = "aws:SourceArn", values = tolist(["arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/t"]) },
    ])
    error_message = "only a certificate of that CA for that site"
  }
  assert {
    condition     = strcontains(output.gateways["plant-7"].profile, "--profile-arn arn:aws:rolesanywhere:eu-central-1:123456789012:profile/p")
    error_message = "the AWS profile is told"
  }
}

run "roles_anywhere_with_an_anchor_that_is_there" {
  variables {
    credential     = "roles-anywhere"
    roles_anywhere = { trust_anchor_arn = "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/mine" }
  }
  assert {
    condition     = length(aws_rolesanywhere_trust_anchor.ca) == 0
    error_message = "no second anchor"
  }
  assert {
    condition     = strcontains(output.gateways["dock"].profile, "--trust-anchor-arn arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/mine")
    error_message = "theirs"
  }
}

run "iot" {
  variables {
    credential = "iot"
    iot_certificates = {
      plant-7 = "arn:aws:iot:eu-central-1:123456789012:cert/1"
      dock    = "arn:aws:iot:eu-central-1:123456789012:cert/2"
    }
  }
  assert {
    condition     = aws_iot_policy_attachment.gateway["dock"].target == "arn:aws:iot:eu-central-1:123456789012:cert/2"
    error_message = "each certificate may take its own role"
  }
  assert {
    condition = contains(data.aws_iam_policy_document.trust["plant-7"].statement[0].condition,
    { test = "ArnEquals", variable = "aws:SourceArn", values = tolist(["arn:aws:iot:eu-central-1:123456789012:rolealias/framepost-gateway-plant-7"]) })
    error_message = "through its own alias"
  }
  assert {
    condition     = strcontains(output.gateways["plant-7"].profile, "https://abc.credentials.iot.eu-central-1.amazonaws.com/role-aliases/framepost-gateway-plant-7/credentials")
    error_message = "the AWS profile is told"
  }
}

run "policies_alone" {
  variables {
    credential = "none"
  }
  assert {
    condition     = length(aws_iam_user.gateway) + length(aws_iam_role.gateway) == 0 && length(aws_iam_policy.put) == 2 && output.gateways["dock"].principal_arn == null
    error_message = "two policies and no principals"
  }
}

run "long_names_stay_apart" {
  variables {
    sites = ["a-site-with-a-name-that-is-as-long-as-a-name-is-allowed-to-be-01", "a-site-with-a-name-that-is-as-long-as-a-name-is-allowed-to-be-02"]
  }
  assert {
    condition     = alltrue([for p in values(aws_iam_policy.put) : length(p.name) <= 64]) && length(distinct([for p in values(aws_iam_policy.put) : p.name])) == 2
    error_message = "IAM takes 64 characters, and two sites are two names"
  }
}

run "a_site_is_a_prefix" {
  command = plan
  variables {
    sites = ["plant/7"]
  }
  expect_failures = [var.sites]
}

run "a_site_is_no_wildcard" {
  command = plan
  variables {
    sites = ["*"]
  }
  expect_failures = [var.sites]
}

run "a_site_is_no_date" {
  command = plan
  variables {
    sites = ["2026-11-21"]
  }
  expect_failures = [var.sites]
}

run "unknown_credential" {
  command = plan
  variables {
    credential = "password"
  }
  expect_failures = [var.credential]
}

run "roles_anywhere_without_a_ca" {
  command = plan
  variables {
    credential = "roles-anywhere"
  }
  expect_failures = [var.roles_anywhere]
}

run "a_path_is_no_certificate" {
  command = plan
  variables {
    credential     = "roles-anywhere"
    roles_anywhere = { ca_certificate_pem = "ca.pem" }
  }
  expect_failures = [var.roles_anywhere]
}

run "a_site_without_its_certificate" {
  command = plan
  variables {
    credential       = "iot"
    iot_certificates = { dock = "arn:aws:iot:eu-central-1:123456789012:cert/2" }
  }
  expect_failures = [var.iot_certificates]
}

run "a_certificate_is_an_arn" {
  command = plan
  variables {
    credential       = "iot"
    iot_certificates = { dock = "cert/2", plant-7 = "cert/1" }
  }
  expect_failures = [var.iot_certificates]
}

run "short_session" {
  command = plan
  variables {
    session_s = 60
  }
  expect_failures = [var.session_s]
}

run "a_site_with_a_dot_has_an_alias" {
  variables {
    credential       = "iot"
    sites            = ["dock_2.north"]
    iot_certificates = { "dock_2.north" = "arn:aws:iot:eu-central-1:123456789012:cert/2" }
  }
  assert {
    condition     = can(regex("^[A-Za-z0-9_=,@-]{1,128}$", aws_iot_role_alias.gateway["dock_2.north"].alias))
    error_message = "AWS IoT does not take the alias ${aws_iot_role_alias.gateway["dock_2.north"].alias}"
  }
  assert {
    condition = contains(data.aws_iam_policy_document.trust["dock_2.north"].statement[0].condition,
    { test = "ArnEquals", variable = "aws:SourceArn", values = tolist(["arn:aws:iot:eu-central-1:123456789012:rolealias/${aws_iot_role_alias.gateway["dock_2.north"].alias}"]) })
    error_message = "the role trusts another alias"
  }
}

run "a_site_with_a_dot_has_a_profile" {
  variables {
    credential     = "roles-anywhere"
    sites          = ["dock_2.north"]
    roles_anywhere = { trust_anchor_arn = "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/mine" }
  }
  assert {
    condition     = can(regex("^[ a-zA-Z0-9_-]{1,255}$", aws_rolesanywhere_profile.gateways["dock_2.north"].name))
    error_message = "Roles Anywhere does not take the name ${aws_rolesanywhere_profile.gateways["dock_2.north"].name}"
  }
}
