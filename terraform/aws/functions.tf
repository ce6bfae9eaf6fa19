# The functions: one for each functions/<name>/function.yaml, with a queue of its own.

locals {
  functions_dir = coalesce(var.functions.directory, "${path.module}/../../functions")
  packages      = coalesce(var.functions.packages, "${path.module}/../../target/lambda")
  in_s3         = startswith(local.packages, "s3://")
  packages_s3   = local.in_s3 ? regex("^s3://(?P<bucket>[^/]+)/?(?P<prefix>.*?)/?$", local.packages) : null

  declared = { for file in fileset(local.functions_dir, "*/function.yaml") : dirname(file) => yamldecode(file("${local.functions_dir}/${file}")) }

  # What each function is told otherwise, with null for what it is not.
  overrides = {
    for name in keys(local.declared) : name => {
      for key in ["batch_size", "batching_window_s", "max_deliveries", "memory_mib", "timeout_s", "max_concurrency"] :
      key => try(var.functions.overrides[name][key], null)
    }
  }
  batch_sizes = { for name, declared in local.declared : name => coalesce(local.overrides[name].batch_size, declared.trigger.batch_size) }

  functions = {
    for name, declared in local.declared : name => {
      description = declared.description
      event       = declared.trigger.event
      types       = try(declared.trigger.types, [])
      suffixes    = try(declared.trigger.suffixes, [])
      batch_size  = local.batch_sizes[name]
      # Lambda wants one for more than ten messages.
      batching_window_s = coalesce(local.overrides[name].batching_window_s, local.batch_sizes[name] > 10 ? 1 : 0)
      max_deliveries    = coalesce(local.overrides[name].max_deliveries, declared.trigger.max_deliveries)
      memory_mib        = coalesce(local.overrides[name].memory_mib, declared.runtime.memory_mib)
      timeout_s         = coalesce(local.overrides[name].timeout_s, declared.runtime.timeout_s)
      max_concurrency   = coalesce(local.overrides[name].max_concurrency, declared.runtime.max_concurrency)
      environment       = merge(try(declared.environment, {}), var.functions.environment, try(var.functions.overrides[name].environment, {}))
      grants            = try(declared.grants, [])
    } if try(var.functions.overrides[name].enabled, true)
  }
}

module "event_route" {
  source   = "../modules/aws/event-route"
  for_each = local.functions

  name              = "${var.name}-${each.key}"
  description       = each.value.description
  timeout_s         = each.value.timeout_s
  batching_window_s = each.value.batching_window_s
  max_deliveries    = each.value.max_deliveries

  objects = each.value.event != "object-finalized" ? null : {
    bucket   = local.bucket_name
    prefixes = local.keys == "sites" ? local.prefixes : []
    suffixes = each.value.suffixes
  }

  records = each.value.event != "record" ? null : {
    bus_name = module.records.bus_name
    types    = each.value.types
  }
}

module "function" {
  source   = "../modules/aws/function"
  for_each = local.functions

  name               = "${var.name}-${each.key}"
  description        = each.value.description
  architecture       = var.functions.architecture
  memory_mib         = each.value.memory_mib
  timeout_s          = each.value.timeout_s
  tracing            = var.functions.tracing
  platform_log_level = var.functions.platform_log_level
  log_retention_days = var.log_retention_days
  grants             = each.value.grants
  dead_letters_arn   = module.event_route[each.key].dead_letters.arn

  package = {
    file = local.in_s3 ? null : "${local.packages}/${each.key}/bootstrap.zip"
    s3   = !local.in_s3 ? null : { bucket = local.packages_s3.bucket, key = trimprefix("${local.packages_s3.prefix}/${each.key}.zip", "/") }
  }

  environment = merge(
    each.value.environment,
    { FRAMEPOST_DEAD_LETTERS = "sqs:${module.event_route[each.key].dead_letters.url}" },
    contains(each.value.grants, "records:publish") ? { FRAMEPOST_RECORDS = "eventbridge:${module.records.bus_name}" } : {},
    contains(each.value.grants, "ledger:claim") ? { FRAMEPOST_LEDGER = "dynamodb:${module.ledger[0].table_name}" } : {},
  )

  queue = {
    arn               = module.event_route[each.key].queue.arn
    batch_size        = each.value.batch_size
    batching_window_s = each.value.batching_window_s
    max_concurrency   = each.value.max_concurrency
  }

  granted = {
    bucket_arn         = module.bucket.arn
    prefixes           = var.bucket.existing ? local.prefixes : [""]
    encryption_key_arn = var.encryption_key
    bus_arn            = module.records.bus_arn
    table_arn          = one(module.ledger[*].table_arn)
  }
}
