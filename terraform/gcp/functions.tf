# The functions: one for each functions/<name>/function.yaml, with a subscription of its own.

locals {
  functions_dir = coalesce(var.functions.directory, "${path.module}/../../functions")

  declared  = { for file in fileset(local.functions_dir, "*/function.yaml") : dirname(file) => yamldecode(file("${local.functions_dir}/${file}")) }
  overrides = { for name in keys(local.declared) : name => try(var.functions.overrides[name], null) }

  functions = {
    for name, declared in local.declared : name => {
      description          = declared.description
      event                = declared.trigger.event
      types                = try(declared.trigger.types, [])
      suffixes             = try(declared.trigger.suffixes, [])
      prefixes             = try(declared.trigger.prefixes, [])
      max_deliveries       = try(coalesce(local.overrides[name].max_deliveries), declared.trigger.max_deliveries)
      memory_mib           = try(coalesce(local.overrides[name].memory_mib), declared.runtime.memory_mib)
      timeout_s            = try(coalesce(local.overrides[name].timeout_s), declared.runtime.timeout_s)
      max_concurrency      = try(coalesce(local.overrides[name].max_concurrency), declared.runtime.max_concurrency)
      cpu                  = try(coalesce(local.overrides[name].cpu), declared.runtime.cpu, 1)
      instance_concurrency = try(coalesce(local.overrides[name].instance_concurrency), declared.runtime.instance_concurrency, 10)
      environment          = merge(try(declared.environment, {}), var.functions.environment, try(local.overrides[name].environment, {}))
      grants               = try(declared.grants, [])
    } if try(local.overrides[name].enabled, true)
  }
}

module "dead_letters" {
  source   = "../modules/gcp/dead-letters"
  for_each = local.functions

  project        = module.services.project
  region         = var.region
  name           = "${var.name}-${each.key}-dead-letters"
  pubsub_agent   = module.services.agents.pubsub
  encryption_key = var.encryption_key
}

module "event_route" {
  source   = "../modules/gcp/event-route"
  for_each = local.functions

  project        = module.services.project
  name           = "${var.name}-${each.key}"
  timeout_s      = each.value.timeout_s
  max_deliveries = each.value.max_deliveries
  service        = module.function[each.key].service
  dead_letters   = module.dead_letters[each.key].topic
  pubsub_agent   = module.services.agents.pubsub

  objects = each.value.event != "object-finalized" ? null : {
    topic    = module.bucket.topic
    prefixes = each.value.prefixes
    suffixes = each.value.suffixes
  }

  records = each.value.event != "record" ? null : {
    topic = module.records.topic
    types = each.value.types
  }
}

module "function" {
  source   = "../modules/gcp/function"
  for_each = local.functions

  project      = module.services.project
  region       = var.region
  name         = "${var.name}-${each.key}"
  function     = each.key
  description  = each.value.description
  image        = replace(coalesce(var.functions.images, "unset"), "{function}", each.key)
  environment  = each.value.environment
  grants       = each.value.grants
  bucket       = module.bucket.name
  prefixes     = var.bucket.existing ? local.prefixes : []
  records      = module.records.topic
  dead_letters = module.dead_letters[each.key].topic
  ledger       = one(module.ledger[*])

  runtime = {
    memory_mib           = each.value.memory_mib
    timeout_s            = each.value.timeout_s
    max_concurrency      = each.value.max_concurrency
    cpu                  = each.value.cpu
    instance_concurrency = each.value.instance_concurrency
  }
}
