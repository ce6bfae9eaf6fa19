mock_provider "aws" {
  source = "../../mocks/aws"

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::footage" }
  }
}

variables {
  name     = "footage"
  gateways = { plant-7 = "arn:aws:iam::123456789012:user/framepost-gateway-plant-7" }
}

run "defaults_protect_footage" {
  assert {
    condition     = aws_s3_bucket.footage[0].force_destroy == false
    error_message = "footage must survive a destroy unless somebody said otherwise"
  }
  assert {
    condition     = aws_s3_bucket_versioning.footage[0].versioning_configuration[0].status == "Enabled"
    error_message = "a deletion must be undoable"
  }
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.footage[0].block_public_acls,
      aws_s3_bucket_public_access_block.footage[0].block_public_policy,
      aws_s3_bucket_public_access_block.footage[0].ignore_public_acls,
      aws_s3_bucket_public_access_block.footage[0].restrict_public_buckets,
    ])
    error_message = "nothing may be public"
  }
  assert {
    condition     = aws_s3_bucket_ownership_controls.footage[0].rule[0].object_ownership == "BucketOwnerEnforced"
    error_message = "no ACLs"
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.footage[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "SSE-S3 without a key"
  }
  assert {
    condition     = aws_s3_bucket_notification.footage[0].eventbridge
    error_message = "objects must raise events"
  }
}

run "lifecycle_by_default_keeps_footage_and_clears_the_rest" {
  assert {
    condition     = length(aws_s3_bucket_lifecycle_configuration.footage[0].rule[0].expiration) == 0
    error_message = "footage must not expire by itself"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.footage[0].rule[0].noncurrent_version_expiration[0].noncurrent_days == 7
    error_message = "replaced versions are kept for a week"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.footage[0].rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 1
    error_message = "parts of an upload that was given up must not be paid for"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.footage[0].rule[1].expiration[0].expired_object_delete_marker
    error_message = "delete markers must not pile up"
  }
}

run "reports_of_gateways_expire" {
  variables {
    reports = { prefixes = ["plant-7/reports/", "dock/reports/"], days = 14 }
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.footage[0].rule : r.filter[0].prefix if startswith(r.id, "reports-")] == ["plant-7/reports/", "dock/reports/"]
    error_message = "each site's reports expire, and no footage"
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.footage[0].rule : r.expiration[0].days if startswith(r.id, "reports-")] == [14, 14]
    error_message = "after as many days as were asked for"
  }
}

run "lifecycle_by_age_and_class" {
  variables {
    transitions = [{ days = 30, class = "STANDARD_IA" }, { days = 90, class = "GLACIER_IR" }]
    expire_days = 365
  }
  assert {
    condition     = [for t in aws_s3_bucket_lifecycle_configuration.footage[0].rule[0].transition : t.storage_class] == ["STANDARD_IA", "GLACIER_IR"]
    error_message = "both classes"
  }
  assert {
    condition     = aws_s3_bucket_lifecycle_configuration.footage[0].rule[0].expiration[0].days == 365
    error_message = "gone after a year"
  }
}

run "what_is_no_footage_stays_where_footage_expires" {
  variables {
    transitions      = [{ days = 30, class = "STANDARD_IA" }]
    expire_days      = 365
    footage_prefixes = ["dock/", "plant-7/"]
  }
  assert {
    condition     = { for r in aws_s3_bucket_lifecycle_configuration.footage[0].rule : r.id => r.filter[0].prefix if length(r.transition) > 0 || anytrue([for e in r.expiration : e.days != null]) } == { footage-dock = "dock/", footage-plant-7 = "plant-7/" }
    error_message = "exports are under no rule that moves or ends them"
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.footage[0].rule : r.expiration[0].days if startswith(r.id, "footage-")] == [365, 365]
    error_message = "and each site's footage is gone after a year"
  }
  assert {
    condition     = [for r in aws_s3_bucket_lifecycle_configuration.footage[0].rule : r.id if length(r.noncurrent_version_expiration) > 0] == ["versions"]
    error_message = "versions that were deleted go everywhere"
  }
}

run "more_rules_than_s3_takes" {
  command = plan
  variables {
    expire_days      = 365
    footage_prefixes = [for n in range(600) : "site-${n}/"]
    reports          = { prefixes = [for n in range(600) : "site-${n}/reports/"] }
  }
  expect_failures = [var.footage_prefixes]
}

run "a_kms_key_with_a_bucket_key" {
  variables {
    encryption_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1"
  }
  assert {
    condition = alltrue([for rule in aws_s3_bucket_server_side_encryption_configuration.footage[0].rule :
      rule.bucket_key_enabled &&
      rule.apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" &&
    rule.apply_server_side_encryption_by_default[0].kms_master_key_id == "arn:aws:kms:us-east-1:123456789012:key/1"])
    error_message = "SSE-KMS with that key, through a bucket key"
  }
}

run "the_policy_refuses_what_it_must" {
  assert {
    condition = alltrue([for s in data.aws_iam_policy_document.bucket.statement :
    s.effect == "Deny" && one(s.principals).identifiers == toset(["*"])])
    error_message = "the policy only denies, and denies everybody"
  }
  assert {
    condition = one([for s in data.aws_iam_policy_document.bucket.statement : s if s.sid == "OnlyTls"]).condition == toset([
    { test = "Bool", variable = "aws:SecureTransport", values = tolist(["false"]) }])
    error_message = "only TLS"
  }
  assert {
    condition = one([for s in data.aws_iam_policy_document.bucket.statement : s if s.sid == "WriteOnce"]).condition == toset([
      { test = "Null", variable = "s3:if-none-match", values = tolist(["true"]) },
      { test = "Bool", variable = "s3:ObjectCreationOperation", values = tolist(["true"]) },
      { test = "Bool", variable = "aws:PrincipalIsAWSService", values = tolist(["false"]) },
    ])
    error_message = "a put without If-None-Match is refused; what makes no object yet (parts) and AWS's own deliveries are let through"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.bucket.statement : s if s.sid == "WriteOnce"]).resources == toset(["arn:aws:s3:::footage/*"])
    error_message = "in the whole bucket"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.bucket.statement : s if s.sid == "GatewaysOnlyPut"]).not_actions == toset(["s3:PutObject"])
    error_message = "a gateway is refused everything but puts"
  }
  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.bucket.statement : s if s.sid == "GatewaysOnlyPut"]).condition).values == tolist(["arn:aws:iam::123456789012:user/framepost-gateway-plant-7"])
    error_message = "that gateway"
  }
}

run "overwriters_are_let_through" {
  variables {
    overwriters = ["arn:aws:iam::123456789012:role/restore"]
  }
  assert {
    condition = contains(one([for s in data.aws_iam_policy_document.bucket.statement : s if s.sid == "WriteOnce"]).condition,
    { test = "ArnNotLike", variable = "aws:PrincipalArn", values = tolist(["arn:aws:iam::123456789012:role/restore"]) })
    error_message = "the restore may overwrite"
  }
}

run "an_existing_bucket_is_left_alone" {
  variables {
    name                = "theirs"
    existing            = true
    write_once_prefixes = ["plant-7/"]
  }
  assert {
    condition = (length(aws_s3_bucket.footage) + length(aws_s3_bucket_policy.footage) + length(aws_s3_bucket_notification.footage) +
      length(aws_s3_bucket_lifecycle_configuration.footage) + length(aws_s3_bucket_versioning.footage) +
      length(aws_s3_bucket_public_access_block.footage) + length(aws_s3_bucket_ownership_controls.footage) +
    length(aws_s3_bucket_server_side_encryption_configuration.footage)) == 0
    error_message = "nothing of somebody else's bucket may be changed"
  }
  assert {
    condition     = output.arn == "arn:aws:s3:::theirs"
    error_message = "its ARN is known"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.bucket.statement : s if s.sid == "WriteOnce"]).resources == toset(["arn:aws:s3:::theirs/plant-7/*"])
    error_message = "write once below the sites alone"
  }
}

run "footage_can_be_given_up" {
  variables {
    keep_footage = false
  }
  assert {
    condition     = aws_s3_bucket.footage[0].force_destroy
    error_message = "keep_footage = false destroys the footage with the bucket"
  }
}

run "bad_name" {
  command = plan
  variables {
    name = "Footage"
  }
  expect_failures = [var.name]
}

run "bad_expiry" {
  command = plan
  variables {
    expire_days = 0
  }
  expect_failures = [var.expire_days]
}

run "bad_class" {
  command = plan
  variables {
    transitions = [{ days = 30, class = "CHEAP" }]
  }
  expect_failures = [var.transitions]
}

run "too_early_for_infrequent_access" {
  command = plan
  variables {
    transitions = [{ days = 7, class = "STANDARD_IA" }]
  }
  expect_failures = [var.transitions]
}

run "transitions_out_of_order" {
  command = plan
  variables {
    transitions = [{ days = 90, class = "GLACIER_IR" }, { days = 30, class = "STANDARD_IA" }]
  }
  expect_failures = [var.transitions]
}

run "transition_after_the_end" {
  command = plan
  variables {
    transitions = [{ days = 90, class = "GLACIER_IR" }]
    expire_days = 60
  }
  expect_failures = [var.transitions]
}

run "no_time_to_undo" {
  command = plan
  variables {
    noncurrent_days = 0
  }
  expect_failures = [var.noncurrent_days]
}

run "an_overwriter_is_an_arn" {
  command = plan
  variables {
    overwriters = ["restore"]
  }
  expect_failures = [var.overwriters]
}

run "a_warmer_class_later_is_refused" {
  command = plan
  variables {
    transitions = [{ days = 10, class = "GLACIER" }, { days = 60, class = "STANDARD_IA" }]
  }
  expect_failures = [var.transitions]
}

run "a_short_stay_in_infrequent_access_is_refused" {
  command = plan
  variables {
    transitions = [{ days = 30, class = "STANDARD_IA" }, { days = 45, class = "GLACIER" }]
  }
  expect_failures = [var.transitions]
}

run "one_zone_before_instant_retrieval_is_refused" {
  command = plan
  variables {
    transitions = [{ days = 30, class = "ONEZONE_IA" }, { days = 90, class = "GLACIER_IR" }]
  }
  expect_failures = [var.transitions]
}

run "no_page_reads_unless_it_may" {
  assert {
    condition     = length(aws_s3_bucket_cors_configuration.footage) == 0
    error_message = "nobody asked for it"
  }
}

run "a_page_reads_and_does_nothing_else" {
  variables {
    pages_read = true
  }
  assert {
    condition = one([for rule in aws_s3_bucket_cors_configuration.footage[0].cors_rule :
    rule.allowed_methods]) == toset(["GET"]) && contains(one(aws_s3_bucket_cors_configuration.footage[0].cors_rule[*].expose_headers), "content-range")
    error_message = "with ranges"
  }
}

run "an_existing_buckets_owner_says_which_page_reads" {
  variables {
    existing   = true
    pages_read = true
  }
  assert {
    condition     = length(aws_s3_bucket_cors_configuration.footage) == 0
    error_message = "its rules for pages would be replaced"
  }
}
