# The functions: one for each functions/<name>/function.yaml, with subscriptions of its own where messages trigger it.

locals {
  functions_dir = coalesce(var.functions.directory, "${path.module}/../../functions")
  functions     = module.functions.functions
  # The functions that messages trigger.
  subscribers = { for name, function in local.functions : name => function if length(function.triggers) > 0 }
  events      = distinct(flatten([for function in local.functions : [for trigger in function.triggers : trigger.event]]))
}

locals {
  # The functions that make exports, and those that compare the catalogue with the bucket. Its listing names all objects in it, so
  # not in a bucket that others use too.
  exporters = [for name, function in local.functions : name
  if contains(function.grants, "exports:write") && lookup(function.environment, "FRAMEPOST_API_EXPORTS", "set") == ""]
  comparers = [for name, function in local.functions : name
  if !var.bucket.existing && contains(function.grants, "footage:list") && lookup(function.environment, "FRAMEPOST_CATALOG_BUCKET", "set") == ""]
  # The functions that send callers to the bucket for media, and the bucket as a browser names it.
  redirectors = [for name, function in local.functions : name
  if var.catalogue.media_from_bucket && lookup(function.environment, "FRAMEPOST_API_MEDIA_ORIGINS", "set") == ""]
  # Google's certificate is for one label.
  media_origin = strcontains(local.bucket_name, ".") ? "https://storage.googleapis.com" : "https://${local.bucket_name}.storage.googleapis.com"
  public_keys  = try(local.functions["probe"].environment["FRAMEPOST_PUBLIC_KEYS"], "")
}

module "functions" {
  source = "../modules/any/functions"

  directory   = local.functions_dir
  environment = var.functions.environment
  overrides   = local.overrides
}

module "dead_letters" {
  source   = "../modules/gcp/dead-letters"
  for_each = local.subscribers

  project        = module.services.project
  region         = var.region
  name           = "${var.name}-${each.key}-dead-letters"
  pubsub_agent   = module.services.agents.pubsub
  encryption_key = var.encryption_key
}

module "event_route" {
  source   = "../modules/gcp/event-route"
  for_each = local.subscribers

  project         = module.services.project
  name            = "${var.name}-${each.key}"
  triggers        = each.value.triggers
  timeout_s       = each.value.timeout_s
  max_deliveries  = each.value.max_deliveries
  service         = module.function[each.key].service
  dead_letters    = module.dead_letters[each.key].topic
  pubsub_agent    = module.services.agents.pubsub
  encryption_key  = var.encryption_key
  finalized_topic = module.bucket.topic
  removed_topic   = module.bucket.removed_topic
  records_topic   = module.records.topic
}

module "function" {
  source   = "../modules/gcp/function"
  for_each = local.functions

  project          = module.services.project
  region           = var.region
  name             = "${var.name}-${each.key}"
  function         = each.key
  description      = each.value.description
  image            = replace(coalesce(var.functions.images, "unset"), "{function}", each.key)
  catalogue        = contains(local.cataloguers, each.key) ? module.catalogue[0].database : null
  catalogue_access = contains(local.readers, each.key) ? "read" : "write"
  grants           = each.value.grants
  http             = each.value.http
  bucket           = module.bucket.name
  prefixes         = var.bucket.existing ? local.prefixes : []
  records          = module.records.topic
  dead_letters     = contains(keys(local.subscribers), each.key) ? { topic = module.dead_letters[each.key].topic } : null
  ledger           = one(module.ledger[*])
  exports          = module.bucket.exports
  signs_urls       = contains(local.redirectors, each.key)

  environment = merge(
    each.value.environment,
    contains(local.signers, each.key) ? { FRAMEPOST_API_TOKENS = local.tokens } : {},
    contains(local.exporters, each.key) ? { FRAMEPOST_API_EXPORTS = module.bucket.url } : {},
    contains(local.redirectors, each.key) ? { FRAMEPOST_API_MEDIA_ORIGINS = local.media_origin } : {},
    contains(local.exporters, each.key) && lookup(each.value.environment, "FRAMEPOST_PUBLIC_KEYS", "") == "" ? { FRAMEPOST_PUBLIC_KEYS = local.public_keys } : {},
    contains(local.comparers, each.key) ? { FRAMEPOST_CATALOG_BUCKET = module.bucket.url } : {},
  )

  secrets = merge(
    contains(local.cataloguers, each.key) && var.catalogue.existing != null ? { FRAMEPOST_CATALOG = module.catalogue[0].url_secret } : {},
    contains(local.signers, each.key) ? { FRAMEPOST_API_KEY = module.catalogue[0].key_secret } : {},
  )

  runtime = {
    memory_mib           = each.value.memory_mib
    timeout_s            = each.value.timeout_s
    max_concurrency      = each.value.max_concurrency
    cpu                  = each.value.cpu
    instance_concurrency = each.value.instance_concurrency
  }
}
