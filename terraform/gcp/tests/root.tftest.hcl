mock_provider "google" {
  source = "../modules/mocks/google"
}

variables {
  project   = "footage-prod"
  region    = "europe-west1"
  site      = "plant-7"
  functions = { images = "europe-west1-docker.pkg.dev/footage-prod/framepost/{function}:1.4.0" }
}

run "as_it_is_applied" {
  assert {
    condition     = output.bucket_url == "gs://framepost-footage-footage-prod"
    error_message = "Another bucket: ${output.bucket_url}"
  }

  assert {
    condition     = keys(output.functions) == ["probe"] && output.functions.probe.service.url == "https://mocked-ew.a.run.app"
    error_message = "Each functions/*/function.yaml is a function, and nothing else is."
  }

  assert {
    condition     = output.events.probe.subscriptions["object-finalized"].name == "framepost-probe" && output.events.probe.dead_letters.name == "framepost-probe-dead-letters"
    error_message = "Another way of events: ${jsonencode(output.events)}"
  }

  assert {
    condition     = output.records.table == "footage-prod.framepost.records" && output.records.topic == "projects/footage-prod/topics/mocked" && contains(keys(output.records.views), "chunks")
    error_message = "Records are elsewhere: ${jsonencode(output.records)}"
  }

  assert {
    condition     = keys(output.gateways) == ["plant-7"] && strcontains(output.gateways["plant-7"].edge_toml, "gs://framepost-footage-footage-prod") && nonsensitive(output.gateway_keys["plant-7"]) == "{}"
    error_message = "The site has no gateway, or one for another bucket."
  }

  assert {
    condition     = output.ledger == null
    error_message = "No function claims anything, so there is nothing to keep claims in."
  }

  assert {
    condition     = contains(output.alarms.names, "framepost-plant-7-silence") && contains(keys(output.log_queries.queries), "handled") && startswith(output.dashboard_url, "https://console.cloud.google.com/monitoring/")
    error_message = "Nobody would notice."
  }
}

run "functions_of_ones_own" {
  variables {
    functions = {
      images      = "europe-west1-docker.pkg.dev/footage-prod/framepost/{function}:1.4.0"
      directory   = "tests/functions"
      environment = { RUST_LOG = "debug" }
      overrides = {
        probe = { memory_mib = 256, environment = { FRAMEPOST_CONTENT_CHECK = "full" } }
      }
    }
    sites = { dock-2 = {}, plant-7 = { silence_minutes = 5 } }
  }

  assert {
    condition     = keys(output.functions) == ["infer", "probe"] && toset(output.functions.infer.grants) == toset(["footage:read", "records:publish", "ledger:claim"])
    error_message = "Not the functions of that directory."
  }

  assert {
    condition     = output.ledger == "framepost-ledger-footage-prod"
    error_message = "A function claims work, and there is no ledger."
  }

  assert {
    condition     = keys(output.gateways) == ["dock-2", "plant-7"] && contains(output.alarms.names, "framepost-dock-2-silence")
    error_message = "site and sites are merged."
  }
}

# Directories of functions, and nothing else, make them.
run "every_kind_of_trigger" {
  variables {
    functions = {
      images    = "europe-west1-docker.pkg.dev/footage-prod/framepost/{function}:1.4.0"
      directory = "../modules/any/functions/tests/good"
    }
  }

  assert {
    condition     = keys(output.functions) == ["ask", "watch"] && output.functions.ask.url == "https://mocked-ew.a.run.app/v1" && output.functions.watch.url == null
    error_message = "One answers requests."
  }

  assert {
    condition     = keys(output.events) == ["watch"] && keys(output.events.watch.subscriptions) == ["object-finalized", "object-finalized-2", "object-removed", "record"]
    error_message = "The other has a subscription for each trigger: ${jsonencode(keys(output.events.watch.subscriptions))}"
  }

  assert {
    condition     = output.bucket.removed_topic != null && contains(module.services.apis, "cloudscheduler.googleapis.com") && keys(module.event_route["watch"].schedules) == ["schedule-nightly", "schedule-sweep"]
    error_message = "What triggers need is there."
  }
}

run "no_removals_and_no_schedules" {
  assert {
    condition     = output.bucket.removed_topic == null && !contains(module.services.apis, "cloudscheduler.googleapis.com")
    error_message = "What no function asks for is left out."
  }
}

run "a_function_left_out" {
  variables {
    functions = {
      images    = "europe-west1-docker.pkg.dev/footage-prod/framepost/{function}:1.4.0"
      directory = "tests/functions"
      overrides = { infer = { enabled = false } }
    }
  }

  assert {
    condition     = keys(output.functions) == ["probe"] && output.ledger == null
    error_message = "enabled = false leaves a function out, and what only it needs."
  }
}

run "everything_chosen" {
  variables {
    name           = "fp"
    enable_apis    = false
    encryption_key = "projects/footage-prod/locations/europe-west1/keyRings/r/cryptoKeys/k"
    bucket         = { name = "our-own-bucket", existing = true }
    gateways       = { credential = "federation", oidc = { issuer = "https://issuer.example" } }
    records        = { archive_days = 7, expire_days = 400 }
    alarms         = { notify = ["ops@plant.example"], throttles = 100 }
    labels         = { team = "video" }
  }

  assert {
    condition     = output.bucket_url == "gs://our-own-bucket" && output.gateways["plant-7"].external_account != null && length(nonsensitive(output.gateway_keys)) == 0
    error_message = "A choice was not followed."
  }
}

run "no_site_is_refused" {
  command = plan

  variables {
    site = null
  }

  expect_failures = [var.site]
}

run "a_name_in_capitals_is_refused" {
  command = plan

  variables {
    name = "Framepost"
  }

  expect_failures = [var.name]
}

run "a_multi_region_is_refused" {
  command = plan

  variables {
    region = "EU"
  }

  expect_failures = [var.region]
}

run "an_existing_bucket_without_a_name_is_refused" {
  command = plan

  variables {
    bucket = { existing = true }
  }

  expect_failures = [var.bucket]
}

run "the_lifecycle_of_an_existing_bucket_is_refused" {
  command = plan

  variables {
    bucket = { name = "our-own-bucket", existing = true, expire_days = 30 }
  }

  expect_failures = [var.bucket]
}

run "a_key_of_the_other_cloud_is_refused" {
  command = plan

  variables {
    encryption_key = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }

  expect_failures = [var.encryption_key]
}

run "some_events_are_refused" {
  command = plan

  variables {
    events = { keys = "some" }
  }

  expect_failures = [var.events]
}

run "no_images_are_refused" {
  command = plan

  variables {
    functions = {}
  }

  expect_failures = [var.functions]
}

run "a_directory_without_functions_is_refused" {
  command = plan

  variables {
    functions = { images = "europe-west1-docker.pkg.dev/p/framepost/{function}:1", directory = "tests" }
  }

  expect_failures = [var.functions]
}

run "an_override_of_nothing_is_refused" {
  command = plan

  variables {
    functions = { images = "europe-west1-docker.pkg.dev/p/framepost/{function}:1", overrides = { prob = {} } }
  }

  expect_failures = [var.functions]
}

run "a_misspelt_setting_is_refused" {
  command = plan

  variables {
    functions = { images = "europe-west1-docker.pkg.dev/p/framepost/{function}:1", overrides = { probe = { environment = { FRAMEPOST_PUBLIC_KEY = "" } } } }
  }

  expect_failures = [var.functions]
}

run "a_label_in_capitals_is_refused" {
  command = plan

  variables {
    labels = { Team = "video" }
  }

  expect_failures = [var.labels]
}

run "a_key_of_another_region_is_refused" {
  command = plan

  variables {
    encryption_key = "projects/footage-prod/locations/europe-west3/keyRings/r/cryptoKeys/k"
  }

  expect_failures = [var.encryption_key]
}

run "a_regional_key_for_a_multi_region_is_refused" {
  command = plan

  variables {
    encryption_key = "projects/footage-prod/locations/europe-west1/keyRings/r/cryptoKeys/k"
    bucket         = { location = "EU" }
  }

  expect_failures = [var.bucket]
}

run "the_catalogue_is_off" {
  assert {
    condition     = output.catalogue == null && length(module.catalogue) == 0 && length(setintersection(["api", "catalog"], keys(output.functions))) == 0
    error_message = "Nobody asked for it."
  }
}

run "one_variable_brings_the_catalogue" {
  variables {
    catalogue = { enabled = true }
  }

  assert {
    condition     = length(setintersection(["api", "catalog"], keys(output.functions))) == 2 && output.functions["api"].url != null && contains(keys(output.events), "catalog")
    error_message = "A function is missing that fills it or answers from it."
  }

  assert {
    condition     = local.cataloguers == ["api", "catalog"] && local.signers == ["api"] && local.tokens == "[]"
    error_message = "Somebody else uses it, or is let in."
  }

  assert {
    condition     = output.catalogue.instance == "footage-prod:europe-west1:framepost-catalogue" && length(setsubtract(["framepost-catalogue-storage", "framepost-catalogue-connections", "framepost-api-5xx", "framepost-api-latency"], output.alarms.names)) == 0
    error_message = "Nobody would notice that it fails: ${jsonencode(output.alarms)}"
  }
}

run "a_database_that_is_there" {
  variables {
    catalogue = { enabled = true, existing = { url_secret = "theirs" } }
  }

  assert {
    condition     = output.catalogue.instance == null && output.catalogue.url != null
    error_message = "An instance is made beside it."
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
    functions = { images = "europe-west1-docker.pkg.dev/footage-prod/framepost/{function}:1.4.0", directory = "tests/functions" }
    catalogue = { enabled = true }
  }
  expect_failures = [var.catalogue]
}

run "who_looks_at_pictures" {
  variables {
    functions = {
      images    = "europe-west1-docker.pkg.dev/footage-prod/framepost/{function}:1.4.0"
      overrides = { infer = { environment = { FRAMEPOST_DETECTOR = "vision:", FRAMEPOST_BUDGET = "2.50 dollars" } } }
    }
  }

  assert {
    condition     = local.functions["infer"].memory_mib == 1536 && output.ledger != null && contains(output.alarms.names, "framepost-infer-budget")
    error_message = "It has too little memory, no ledger, or nobody is told that its budget is used up."
  }
}

run "the_catalogue_brings_exports_and_a_comparison" {
  variables {
    catalogue = { enabled = true }
    functions = { images = "europe-west1-docker.pkg.dev/footage-prod/framepost/{function}:1.4.0", overrides = { probe = { environment = { FRAMEPOST_PUBLIC_KEYS = "6f1c" } } } }
  }

  assert {
    condition     = local.exporters == ["api"] && local.comparers == ["catalog"] && local.public_keys == "6f1c" && module.bucket.exports == "exports/"
    error_message = "One writes exports and one lists the bucket."
  }
}

run "media_come_from_the_bucket" {
  variables {
    catalogue = { enabled = true, media_from_bucket = true }
    bucket    = { name = "plant-footage" }
  }

  assert {
    condition     = local.redirectors == ["api"] && local.media_origin == "https://plant-footage.storage.googleapis.com"
    error_message = "The policy of the console's page names another bucket: ${local.media_origin}"
  }
}

run "media_come_through_the_api" {
  variables {
    catalogue = { enabled = true }
  }

  assert {
    condition     = local.redirectors == []
    error_message = "Nobody asked for it."
  }
}

run "an_existing_bucket_is_not_listed" {
  variables {
    catalogue = { enabled = true }
    bucket    = { name = "theirs", existing = true }
  }

  assert {
    condition     = local.exporters == ["api"] && local.comparers == [] && module.bucket.exports == "exports/"
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
