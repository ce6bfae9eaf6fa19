mock_provider "google" {
  source = "../../mocks/google"

  mock_resource "google_service_account" {
    defaults = {
      name   = "projects/footage-prod/serviceAccounts/framepost-gw-0123abcd@footage-prod.iam.gserviceaccount.com"
      member = "serviceAccount:framepost-gw-0123abcd@footage-prod.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_iam_workload_identity_pool" {
    defaults = { name = "projects/123456789012/locations/global/workloadIdentityPools/framepost-gateways" }
  }
  mock_resource "google_iam_workload_identity_pool_provider" {
    defaults = { name = "projects/123456789012/locations/global/workloadIdentityPools/framepost-gateways/providers/gateways" }
  }
  mock_resource "google_service_account_key" {
    defaults = { private_key = "eyJ0eXBlIjoic2VydmljZV9hY2NvdW50In0=" }
  }
}

variables {
  project = "footage-prod"
  name    = "framepost"
  sites   = ["plant-7", "Dock_2.north"]
  bucket  = "framepost-footage-prod"
}

# The whole of what a stolen gateway could do.
run "a_gateway_creates_objects_below_its_site_and_nothing_else" {
  assert {
    condition     = toset([for m in google_storage_bucket_iam_member.create : m.role]) == toset(["roles/storage.objectCreator"])
    error_message = "objectCreator cannot get, list, delete, update or replace; another role can."
  }

  assert {
    condition     = google_storage_bucket_iam_member.create["plant-7"].condition[0].expression == "resource.type == \"storage.googleapis.com/Object\" && resource.name.startsWith(\"projects/_/buckets/framepost-footage-prod/objects/plant-7/\")"
    error_message = "Another condition: ${google_storage_bucket_iam_member.create["plant-7"].condition[0].expression}"
  }

  # plant-70/… must not begin with what plant-7 may write.
  assert {
    condition = alltrue([for site, m in google_storage_bucket_iam_member.create :
      alltrue([for other in ["plant-70", "plant-7x", "plant", "Dock_2.north2", "dock_2.north"] :
      !startswith("projects/_/buckets/framepost-footage-prod/objects/${other}/2026-11-20/gate/15/08-23Z.0.mp4", regex("startsWith\\(\"(.*)\"\\)", m.condition[0].expression)[0])])
    && startswith("projects/_/buckets/framepost-footage-prod/objects/${site}/2026-11-20/gate/15/08-23Z.0.mp4", regex("startsWith\\(\"(.*)\"\\)", m.condition[0].expression)[0])])
    error_message = "A gateway could write into another site, or not into its own."
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.create) == 2 && alltrue([for m in google_storage_bucket_iam_member.create : m.bucket == var.bucket])
    error_message = "One right a site, on the one bucket."
  }
}

run "keys" {
  assert {
    condition     = output.keys["plant-7"] == "{\"type\":\"service_account\"}" && length(google_iam_workload_identity_pool.gateways) == 0
    error_message = "The key is the file as Google's libraries read it."
  }

  assert {
    condition     = length(distinct([for a in google_service_account.gateway : a.account_id])) == 2 && alltrue([for a in google_service_account.gateway : can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", a.account_id))])
    error_message = "An account id is not valid, or two sites share one."
  }

  assert {
    condition     = strcontains(output.gateways["plant-7"].edge_toml, "site = \"plant-7\"\n") && strcontains(output.gateways["plant-7"].edge_toml, "upload = { to = \"gs://framepost-footage-prod\" }")
    error_message = "The snippet is for another site or bucket: ${output.gateways["plant-7"].edge_toml}"
  }
}

run "the_longest_names_fit" {
  variables {
    name  = "framepost-production-eu1"
    sites = ["a123456789012345678901234567890123456789012345678901234567890123"]
  }

  assert {
    condition     = alltrue([for a in google_service_account.gateway : length(a.account_id) <= 30 && length(a.display_name) <= 100 && length(a.description) <= 256])
    error_message = "IAM takes ids of 30 characters, names of 100 and descriptions of 256."
  }

  assert {
    condition     = alltrue([for m in google_storage_bucket_iam_member.create : length(m.condition[0].title) <= 100 && length(m.condition[0].description) <= 256])
    error_message = "A condition's title has at most 100 characters, its description 256."
  }
}

run "federation_needs_no_key" {
  variables {
    credential = "federation"
    oidc = {
      issuer    = "https://k3s.plant-7.example"
      audiences = ["framepost"]
      site      = "assertion.sub.extract('system:serviceaccount:{site}:')"
      condition = "assertion.sub.endsWith(':edge-uploader')"
    }
  }

  assert {
    condition     = google_storage_bucket_iam_member.create["plant-7"].member == "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/framepost-gateways/attribute.site/plant-7"
    error_message = "Another principal: ${google_storage_bucket_iam_member.create["plant-7"].member}"
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.gateways[0].attribute_mapping["attribute.site"] == var.oidc.site && google_iam_workload_identity_pool_provider.gateways[0].oidc[0].issuer_uri == var.oidc.issuer
    error_message = "The site is read elsewhere, or anybody's tokens are taken."
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.gateways[0].attribute_condition == "attribute.site in [\"Dock_2.north\",\"plant-7\"] && (assertion.sub.endsWith(':edge-uploader'))"
    error_message = "Tokens of other sites are taken: ${google_iam_workload_identity_pool_provider.gateways[0].attribute_condition}"
  }

  assert {
    condition     = length(google_service_account.gateway) == 0 && length(google_service_account_key.gateway) == 0 && length(output.keys) == 0
    error_message = "There are accounts or keys that nobody asked for."
  }

  assert {
    condition = jsondecode(output.gateways["plant-7"].external_account) == {
      type               = "external_account"
      audience           = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/framepost-gateways/providers/gateways"
      subject_token_type = "urn:ietf:params:oauth:token-type:jwt"
      token_url          = "https://sts.googleapis.com/v1/token"
      credential_source  = { file = "/var/lib/framepost/gateway.jwt" }
    }
    error_message = "The credentials file is another one: ${output.gateways["plant-7"].external_account}"
  }
}

run "an_attached_account_has_no_key" {
  variables {
    credential = "service-account"
  }

  assert {
    condition     = length(google_service_account.gateway) == 2 && length(google_service_account_key.gateway) == 0
    error_message = "An attached account needs no key."
  }
}

run "none_grants_nothing" {
  variables {
    credential = "none"
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.create) == 0 && strcontains(output.gateways["plant-7"].condition, "objects/plant-7/")
    error_message = "Only the conditions are there, to be granted elsewhere."
  }
}

run "too_many_sites_for_one_provider_are_refused" {
  command = plan

  variables {
    credential = "federation"
    oidc       = { issuer = "https://issuer.example" }
    sites      = [for n in range(80) : "a-site-with-a-name-that-is-as-long-as-a-name-may-be-in-all-${n}"]
  }

  expect_failures = [google_iam_workload_identity_pool_provider.gateways]
}

run "a_date_is_no_site" {
  command = plan

  variables {
    sites = ["2026-11-20"]
  }

  expect_failures = [var.sites]
}

run "a_site_with_a_slash_or_a_quote_is_refused" {
  command = plan

  variables {
    sites = ["plant/7\""]
  }

  expect_failures = [var.sites]
}

run "a_credential_of_the_other_cloud_is_refused" {
  command = plan

  variables {
    credential = "access-key"
  }

  expect_failures = [var.credential]
}

run "federation_without_an_issuer_is_refused" {
  command = plan

  variables {
    credential = "federation"
  }

  expect_failures = [var.oidc]
}

run "a_constant_site_is_refused" {
  command = plan

  variables {
    credential = "federation"
    oidc       = { issuer = "https://issuer.example", site = "'plant-7'" }
  }

  expect_failures = [var.oidc]
}

run "a_path_for_keys_is_refused" {
  command = plan

  variables {
    credential = "federation"
    oidc       = { issuer = "https://issuer.example", jwks_json = "jwks.json" }
  }

  expect_failures = [var.oidc]
}

run "a_name_that_google_keeps_is_refused" {
  command = plan

  variables {
    name = "gcp-framepost"
  }

  expect_failures = [var.name]
}
