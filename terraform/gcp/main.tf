# Framepost on Google Cloud, as it is applied: bucket ▶ Pub/Sub ▶ functions ▶ Pub/Sub ▶ BigQuery, and what gateways need to
# write into it.
#
#   terraform init && terraform apply -var project=my-project -var region=europe-west1 -var site=plant-7 \
#     -var 'functions={images="europe-west1-docker.pkg.dev/my-project/framepost/{function}:1.4.0"}'

provider "google" {
  project        = var.project
  region         = var.region
  default_labels = merge({ framepost = var.name }, var.labels)
}

locals {
  sites = merge(var.site == null ? {} : { (var.site) = { silence_minutes = 15 } }, var.sites)

  # Bucket names are unique worldwide, and so are project ids.
  bucket_name = coalesce(var.bucket.name, replace("${var.name}-footage-${var.project}", "/[.:]/", "-"))
  # An existing bucket sends its events to other users too.
  keys     = coalesce(var.events.keys, var.bucket.existing ? "sites" : "all")
  prefixes = [for site in sort(keys(local.sites)) : "${site}/"]
}

module "services" {
  source = "../modules/gcp/services"

  project        = var.project
  enable_apis    = var.enable_apis
  encryption_key = var.encryption_key
  schedules      = contains(local.events, "schedule")
  catalogue      = var.catalogue.enabled
  vision = anytrue([for function in local.functions :
  contains(function.grants, "pictures:detect") && strcontains(lookup(function.environment, "FRAMEPOST_DETECTOR", ""), "vision:")])
}

module "bucket" {
  source = "../modules/gcp/bucket"

  project          = module.services.project
  region           = var.region
  name             = local.bucket_name
  existing         = var.bucket.existing
  keep_footage     = var.bucket.keep_footage
  location         = coalesce(var.bucket.location, var.region)
  encryption_key   = var.encryption_key
  versioning       = var.bucket.versioning
  noncurrent_days  = var.bucket.noncurrent_days
  soft_delete_days = var.bucket.soft_delete_days
  expire_days      = var.bucket.expire_days
  transitions      = var.bucket.transitions
  reports_days     = var.bucket.reports_days
  topic_name       = "${var.name}-finalized"
  # Without a subscriber, messages would only cost money.
  removed_topic_name = contains(local.events, "object-removed") ? "${var.name}-removed" : null
  prefixes           = local.keys == "sites" ? local.prefixes : []
  storage_agent      = module.services.agents.storage
  # Exports stay until somebody deletes them.
  pages_read       = length(local.redirectors) > 0
  exports          = anytrue([for function in local.functions : contains(function.grants, "exports:write")])
  footage_prefixes = length(local.exporters) > 0 ? local.prefixes : []
}

module "records" {
  source = "../modules/gcp/records"

  project        = module.services.project
  region         = var.region
  name           = var.name
  schema_file    = "${path.module}/../../events/schemas/bigquery/records.json"
  archive_days   = var.records.archive_days
  expire_days    = var.records.expire_days
  keep_footage   = var.bucket.keep_footage
  encryption_key = var.encryption_key
  pubsub_agent   = module.services.agents.pubsub
}

module "ledger" {
  source = "../modules/gcp/ledger"
  count  = anytrue([for function in local.functions : contains(function.grants, "ledger:claim")]) ? 1 : 0

  project        = module.services.project
  name           = replace("${var.name}-ledger-${var.project}", "/[.:]/", "-")
  location       = var.region
  encryption_key = var.encryption_key
}

module "gateway" {
  source = "../modules/gcp/gateway"

  project      = module.services.project
  name         = var.name
  sites        = keys(local.sites)
  bucket       = module.bucket.name
  credential   = var.gateways.credential
  key_rotation = var.gateways.key_rotation
  oidc         = var.gateways.oidc
}

module "observability" {
  source = "../modules/gcp/observability"

  project         = module.services.project
  region          = var.region
  name            = var.name
  sites           = local.sites
  chunks_function = contains(keys(local.functions), "probe") ? "probe" : null
  infer_function  = contains(keys(local.functions), "infer") ? "infer" : null
  # Entries may contain any other text between the commas.
  signed             = can(regex("[0-9A-Fa-f]", try(local.functions["probe"].environment["FRAMEPOST_PUBLIC_KEYS"], "")))
  alarms             = var.alarms
  log_retention_days = var.log_retention_days

  functions = {
    for name, function in local.functions : name => {
      service_name       = module.function[name].service.name
      answers_requests   = function.http != null
      subscription_names = length(function.triggers) == 0 ? {} : { for trigger, subscription in module.event_route[name].subscriptions : trigger => subscription.name }
      dead_letters_name  = length(function.triggers) == 0 ? null : module.dead_letters[name].name
    }
  }

  catalogue = try({ instance = "${var.project}:${module.catalogue[0].database.instance}", connections_max = module.catalogue[0].connections_max }, null)

  records = {
    subscription_name = module.records.subscription.name
    dead_letters_name = module.records.dead_letters.name
  }
}
