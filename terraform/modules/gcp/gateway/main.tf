# What a gateway may do: create objects below its own site. Nothing else, and nothing of another site.
#
# roles/storage.objectCreator holds storage.objects.create and neither get, list, delete nor update. Replacing an object takes
# storage.objects.delete as well, so what is there stays as it is. The condition holds it to one site's prefix; the
# slash at its end keeps plant-70 from being a part of plant-7.

locals {
  federated = var.credential == "federation"
  keyed     = contains(["key", "service-account"], var.credential)

  # Whatever has a site's name in its token, by the pool; or the site's own service account.
  principals = merge(
    { for site in var.sites : site => "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.gateways[0].name}/attribute.site/${site}" if local.federated },
    { for site in var.sites : site => google_service_account.gateway[site].member if local.keyed },
  )
}

resource "google_storage_bucket_iam_member" "create" {
  for_each = var.credential == "none" ? toset([]) : var.sites
  bucket   = var.bucket
  role     = "roles/storage.objectCreator"
  member   = local.principals[each.key]

  condition {
    title       = "below-${each.key}"
    description = "Framepost: the gateway of ${each.key} writes below ${each.key}/."
    expression  = local.conditions[each.key]
  }
}

locals {
  conditions = {
    for site in var.sites : site => join(" && ", [
      "resource.type == \"storage.googleapis.com/Object\"",
      "resource.name.startsWith(\"projects/_/buckets/${var.bucket}/objects/${site}/\")",
    ])
  }
}

# ---- federation: a token from an issuer that the gateway has anyway is exchanged for one that expires. No key, no account.

resource "google_iam_workload_identity_pool" "gateways" {
  count                     = local.federated ? 1 : 0
  project                   = var.project
  workload_identity_pool_id = "${substr(var.name, 0, 23)}-gateways"
  display_name              = "${substr(var.name, 0, 23)}-gateways"
  description               = "Framepost: who may write footage from outside Google Cloud."
}

resource "google_iam_workload_identity_pool_provider" "gateways" {
  count                              = local.federated ? 1 : 0
  project                            = var.project
  workload_identity_pool_id          = google_iam_workload_identity_pool.gateways[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "gateways"
  display_name                       = "gateways"
  description                        = substr("Tokens of ${coalesce(var.oidc.issuer, "?")}; their site is ${var.oidc.site}.", 0, 256)

  attribute_mapping = {
    "google.subject" = "assertion.sub"
    "attribute.site" = var.oidc.site
  }

  # A token of the same issuer for anybody else is not taken.
  attribute_condition = local.token_condition

  oidc {
    issuer_uri        = var.oidc.issuer
    allowed_audiences = var.oidc.audiences
    jwks_json         = var.oidc.jwks_json
  }

  lifecycle {
    precondition {
      condition     = length(local.token_condition) <= 4096
      error_message = "${length(var.sites)} sites make a condition of ${length(local.token_condition)} characters, and a workload identity provider takes 4096: deploy some sites under another name."
    }
  }
}

locals {
  token_condition = join(" && ", compact([
    "attribute.site in ${jsonencode(sort(var.sites))}",
    var.oidc.condition == null ? "" : "(${var.oidc.condition})",
  ]))
}

# ---- service accounts: for a VM of Google's own, or with a key, the simplest and the only one that does not expire. The key
# is in Terraform's state.

resource "google_service_account" "gateway" {
  for_each     = local.keyed ? var.sites : []
  project      = var.project
  account_id   = "${substr(var.name, 0, 17)}-gw-${substr(sha256(each.key), 0, 8)}"
  display_name = substr("${var.name}: gateway of ${each.key}", 0, 100)
  description  = "Creates objects below ${each.key}/ and can do nothing else."
}

resource "google_service_account_key" "gateway" {
  for_each           = var.credential == "key" ? var.sites : []
  service_account_id = google_service_account.gateway[each.key].name

  # Another word makes another key.
  keepers = { rotation = var.key_rotation }
}
