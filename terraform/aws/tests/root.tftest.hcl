mock_provider "aws" {
  source = "../modules/mocks/aws"
}

variables {
  site = "plant-7"
  # Nobody reads the objects: the provider is a mock.
  functions = { packages = "s3://releases/v1" }
}

run "as_a_person_applies_it" {
  assert {
    condition     = output.bucket_url == "s3://framepost-footage-123456789012-eu-central-1"
    error_message = "a bucket's name is its account's and region's"
  }
  assert {
    condition     = contains(keys(output.functions), "probe") && output.functions["probe"].name == "framepost-probe"
    error_message = "functions are found by their function.yaml"
  }
  assert {
    condition     = keys(output.events) == keys(output.functions)
    error_message = "each with a queue of its own"
  }
  assert {
    condition     = keys(output.gateways) == ["plant-7"] && strcontains(output.gateways["plant-7"].edge_toml, "s3://framepost-footage-123456789012-eu-central-1")
    error_message = "a gateway for the site"
  }
  assert {
    condition     = output.ledger == null
    error_message = "no ledger, since no function here claims"
  }
}

run "what_function_yaml_says_is_what_is_deployed" {
  assert {
    condition     = local.functions["probe"].memory_mib == yamldecode(file("${path.module}/../../functions/probe/function.yaml")).runtime.memory_mib
    error_message = "memory"
  }
  assert {
    condition     = local.functions["probe"].grants == yamldecode(file("${path.module}/../../functions/probe/function.yaml")).grants
    error_message = "grants"
  }
  assert {
    condition     = local.prefixes == ["plant-7/"] && local.keys == "all"
    error_message = "all keys of a bucket of one's own raise events"
  }
}

run "one_site_and_more" {
  variables {
    sites = { dock = { silence_minutes = 60 } }
  }
  assert {
    condition     = local.sites == tomap({ plant-7 = { silence_minutes = 15 }, dock = { silence_minutes = 60 } })
    error_message = "site and sites are merged"
  }
}

run "overrides" {
  variables {
    functions = {
      packages    = "s3://releases"
      environment = { RUST_LOG = "info" }
      overrides = { probe = {
        memory_mib  = 512, timeout_s = 60, batch_size = 100, max_concurrency = 5,
        environment = { FRAMEPOST_CONTENT_CHECK = "full" }
      } }
    }
  }
  assert {
    condition = local.functions["probe"].memory_mib == 512 && local.functions["probe"].timeout_s == 60 && local.functions["probe"].batch_size == 100 && (
    local.functions["probe"].batching_window_s == 1) && local.functions["probe"].max_concurrency == 5
    error_message = "numbers; a large batch gets the window that it needs"
  }
  assert {
    condition     = local.functions["probe"].environment["FRAMEPOST_CONTENT_CHECK"] == "full" && local.functions["probe"].environment["RUST_LOG"] == "info"
    error_message = "variables of one function and of all"
  }
}

run "a_function_can_be_left_out" {
  variables {
    functions = { packages = "s3://releases", overrides = { probe = { enabled = false } } }
  }
  assert {
    condition     = !contains(keys(output.functions), "probe") && !anytrue([for name in output.alarms.names : endswith(name, "-silence")])
    error_message = "no probe, and nobody to say that a site is silent"
  }
}

run "a_function_that_claims_brings_the_ledger" {
  variables {
    functions = { directory = "../../tests/terraform/aws/functions", packages = "s3://releases" }
  }
  assert {
    condition     = output.ledger == "framepost-ledger" && keys(local.functions["watch"].triggers) == ["record"]
    error_message = "one table for the functions that ask for it"
  }
}

# Directories of functions, and nothing else, make them.
run "every_kind_of_trigger" {
  variables {
    functions = { directory = "../modules/any/functions/tests/good", packages = "s3://releases" }
  }
  assert {
    condition     = keys(output.functions) == ["ask", "watch"] && output.functions.ask.url == "https://abc.lambda-url.eu-central-1.on.aws/v1" && output.functions.watch.url == null
    error_message = "one answers requests"
  }
  assert {
    condition     = keys(output.events) == ["watch"] && keys(module.event_route["watch"].rule_arns) == ["object-finalized", "object-finalized-2", "object-removed", "record"]
    error_message = "the other has a rule for each trigger"
  }
  assert {
    condition     = !anytrue([for name in output.alarms.names : strcontains(name, "ask-dead")]) && contains(output.alarms.names, "framepost-ask-errors") && contains(output.alarms.names, "framepost-watch-dead-letters")
    error_message = "and alarms for what it has"
  }
}

run "an_existing_bucket_gives_the_sites_events_alone" {
  variables {
    bucket = { name = "theirs", existing = true }
  }
  assert {
    condition     = output.bucket.name == "theirs" && local.keys == "sites"
    error_message = "others may use the bucket too"
  }
}

run "the_catalogue_is_off" {
  assert {
    condition     = output.catalogue == null && length(module.catalogue) == 0 && length(setintersection(["api", "catalog"], keys(output.functions))) == 0
    error_message = "until it is asked for"
  }
}

run "one_variable_brings_the_catalogue" {
  variables {
    catalogue = { enabled = true }
  }
  assert {
    condition     = length(setintersection(["api", "catalog"], keys(output.functions))) == 2 && output.functions["api"].url != null && contains(keys(output.events), "catalog")
    error_message = "with the functions that fill it and answer from it"
  }
  assert {
    condition     = local.cataloguers == ["api", "catalog"] && local.signers == ["api"] && local.tokens == "[]"
    error_message = "both use it, and the api lets nobody in yet"
  }
  assert {
    condition     = output.catalogue.cluster == "framepost-catalogue" && length(setsubtract(["framepost-catalogue-storage", "framepost-catalogue-connections", "framepost-api-5xx", "framepost-api-latency"], output.alarms.names)) == 0
    error_message = "and alarms for it"
  }
}

run "a_catalogue_of_one_s_own" {
  variables {
    functions = { packages = "s3://releases", overrides = { api = { environment = { FRAMEPOST_CATALOG = "postgres://a@b/c", FRAMEPOST_API_KEY = "00" } } } }
    catalogue = { enabled = true, tokens = "[{\"id\":\"1\",\"sha256\":\"00\",\"reads\":[\"*\"]}]" }
  }
  assert {
    condition     = local.cataloguers == ["catalog"] && local.signers == []
    error_message = "what a function was given is what it uses"
  }
}

run "tokens_that_are_none" {
  command = plan
  variables {
    catalogue = { enabled = true, tokens = "fp_secret" }
  }
  expect_failures = [var.catalogue]
}

run "a_catalogue_without_its_functions" {
  command = plan
  variables {
    functions = { packages = "s3://releases", directory = "../../tests/terraform/aws/functions" }
    catalogue = { enabled = true }
  }
  expect_failures = [var.catalogue]
}

run "an_existing_database_nowhere" {
  command = plan
  variables {
    catalogue = { enabled = true, existing = { url_secret = "theirs" } }
  }
  expect_failures = [var.catalogue]
}

run "records_in_a_table" {
  variables {
    records = { table = true, expire_days = 400 }
  }
  assert {
    condition     = output.records.table == "framepost_records.records" && contains(keys(output.records.queries), "chunks") && length(setsubtract(["framepost-records-dead-letters", "framepost-records-undelivered"], output.alarms.names)) == 0
    error_message = "with questions, and alarms for what does not reach it"
  }
}

run "no_table_to_expire" {
  command = plan
  variables {
    records = { expire_days = 400 }
  }
  expect_failures = [var.records]
}

run "who_looks_at_pictures_is_an_image" {
  variables {
    functions = {
      packages  = "s3://releases"
      images    = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/framepost/{function}:1.4.0"
      overrides = { infer = { environment = { FRAMEPOST_DETECTOR = "rekognition:", FRAMEPOST_BUDGET = "2.50 dollars" } } }
    }
  }
  assert {
    condition     = local.functions["infer"].package == "image" && local.functions["infer"].memory_mib == 1536 && local.functions["infer"].timeout_s == 120 && output.ledger == "framepost-ledger"
    error_message = "with its memory and time, and a ledger for what costs"
  }
  assert {
    condition     = contains(output.alarms.names, "framepost-infer-budget")
    error_message = "and an alarm for a budget that is used up"
  }
}

run "the_catalogue_brings_exports_and_a_comparison" {
  variables {
    catalogue = { enabled = true }
    functions = { packages = "s3://releases", overrides = { probe = { environment = { FRAMEPOST_PUBLIC_KEYS = "6f1c" } } } }
  }
  assert {
    condition     = local.exporters == ["api"] && local.comparers == ["catalog"] && local.public_keys == "6f1c"
    error_message = "One writes exports and one lists the bucket."
  }
}

run "media_come_through_the_api" {
  variables {
    catalogue = { enabled = true }
  }
  assert {
    condition     = local.redirectors == []
    error_message = "until the bucket is to send them"
  }
}

run "media_come_from_the_bucket" {
  variables {
    catalogue = { enabled = true, media_from_bucket = true }
    bucket    = { name = "plant-footage" }
  }
  assert {
    condition     = local.redirectors == ["api"] && local.media_origin == "https://plant-footage.s3.${data.aws_region.current.id}.amazonaws.com"
    error_message = "and the policy of the console's page names it: ${local.media_origin}"
  }
}

run "media_come_from_a_bucket_with_a_dot" {
  variables {
    catalogue = { enabled = true, media_from_bucket = true }
    bucket    = { name = "footage.example.org", existing = true }
  }
  assert {
    condition     = local.media_origin == "https://s3.${data.aws_region.current.id}.amazonaws.com"
    error_message = "which has no host of its own: ${local.media_origin}"
  }
}

run "an_existing_bucket_is_not_listed" {
  variables {
    catalogue = { enabled = true }
    bucket    = { name = "theirs", existing = true }
  }
  assert {
    condition     = local.exporters == ["api"] && local.comparers == []
    error_message = "Its owner's objects would be named."
  }
}

run "no_site_is_called_exports" {
  command = plan
  variables {
    sites = { exports = {} }
  }
  expect_failures = [var.site]
}

run "no_site" {
  command = plan
  variables {
    site = null
  }
  expect_failures = [var.site]
}

run "bad_name" {
  command = plan
  variables {
    name = "Framepost"
  }
  expect_failures = [var.name]
}

run "an_existing_bucket_has_a_name" {
  command = plan
  variables {
    bucket = { existing = true }
  }
  expect_failures = [var.bucket]
}

run "an_existing_bucket_s_lifecycle_is_its_owner_s" {
  command = plan
  variables {
    bucket = { name = "theirs", existing = true, expire_days = 30 }
  }
  expect_failures = [var.bucket]
}

run "an_alias_is_no_key" {
  command = plan
  variables {
    encryption_key = "alias/footage"
  }
  expect_failures = [var.encryption_key]
}

run "unknown_keys" {
  command = plan
  variables {
    events = { keys = "some" }
  }
  expect_failures = [var.events]
}

run "no_functions" {
  command = plan
  variables {
    functions = { packages = "s3://releases", directory = "tests" }
  }
  expect_failures = [var.functions]
}

run "an_override_of_nothing" {
  command = plan
  variables {
    functions = { packages = "s3://releases", overrides = { prob = {} } }
  }
  expect_failures = [var.functions]
}

run "a_misspelt_variable" {
  command = plan
  variables {
    functions = { packages = "s3://releases", overrides = { probe = { environment = { FRAMEPOST_CONTENT_CHEK = "full" } } } }
  }
  expect_failures = [var.functions]
}

run "no_bucket_in_the_url" {
  command = plan
  variables {
    functions = { packages = "s3://" }
  }
  expect_failures = [var.functions]
}
