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
