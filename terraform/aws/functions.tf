# The functions: one for each functions/<name>/function.yaml, with a queue of its own where messages trigger it.

locals {
  functions_dir = coalesce(var.functions.directory, "${path.module}/../../functions")
  packages      = coalesce(var.functions.packages, "${path.module}/../../target/lambda")
  in_s3         = startswith(local.packages, "s3://")
  packages_s3   = local.in_s3 ? regex("^s3://(?P<bucket>[^/]+)/?(?P<prefix>.*?)/?$", local.packages) : null

  functions = {
    for name, function in module.functions.functions : name => merge(function, {
      # Lambda requires a batching window for more than ten messages.
      batching_window_s = coalesce(function.batching_window_s, function.batch_size > 10 ? 1 : 0)
    })
  }
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
  # Amazon's certificate is for one label.
  media_origin = format(strcontains(local.bucket_name, ".") ? "https://%[2]s" : "https://%[1]s.%[2]s", local.bucket_name,
  "s3.${data.aws_region.current.id}.${data.aws_partition.current.dns_suffix}")
  public_keys = try(local.functions["probe"].environment["FRAMEPOST_PUBLIC_KEYS"], "")
}

module "functions" {
  source = "../modules/any/functions"

  directory   = local.functions_dir
  environment = var.functions.environment
  overrides   = local.overrides
}

module "event_route" {
  source   = "../modules/aws/event-route"
  for_each = { for name, function in local.functions : name => function if length(function.triggers) > 0 }

  name              = "${var.name}-${each.key}"
  description       = each.value.description
  triggers          = each.value.triggers
  bucket            = local.bucket_name
  key_prefixes      = local.keys == "sites" ? local.prefixes : []
  bus_name          = module.records.bus_name
  timeout_s         = each.value.timeout_s
  batching_window_s = each.value.batching_window_s
  max_deliveries    = each.value.max_deliveries
}

module "function" {
  source   = "../modules/aws/function"
  for_each = local.functions

  name               = "${var.name}-${each.key}"
  description        = each.value.description
  architecture       = var.functions.architecture
  memory_mib         = each.value.memory_mib
  timeout_s          = each.value.timeout_s
  max_concurrency    = each.value.max_concurrency
  tracing            = var.functions.tracing
  platform_log_level = var.functions.platform_log_level
  log_retention_days = var.log_retention_days
  grants             = each.value.grants
  http               = each.value.http

  package = {
    image = each.value.package == "zip" ? null : replace(coalesce(var.functions.images, "unset"), "{function}", each.key)
    file  = each.value.package == "image" || local.in_s3 ? null : "${local.packages}/${each.key}/bootstrap.zip"
    s3    = each.value.package == "image" || !local.in_s3 ? null : { bucket = local.packages_s3.bucket, key = trimprefix("${local.packages_s3.prefix}/${each.key}.zip", "/") }
  }

  network = contains(local.cataloguers, each.key) ? module.catalogue[0].network : null
  secrets = merge(
    contains(local.cataloguers, each.key) ? {
      FRAMEPOST_CATALOG = contains(local.readers, each.key) ? module.catalogue[0].reader_url : module.catalogue[0].url
    } : {},
    contains(local.signers, each.key) ? { FRAMEPOST_API_KEY = module.catalogue[0].key } : {},
  )

  environment = merge(
    each.value.environment,
    contains(local.signers, each.key) ? { FRAMEPOST_API_TOKENS = local.tokens } : {},
    contains(local.exporters, each.key) ? { FRAMEPOST_API_EXPORTS = "s3://${local.bucket_name}" } : {},
    contains(local.redirectors, each.key) ? { FRAMEPOST_API_MEDIA_ORIGINS = local.media_origin } : {},
    contains(local.exporters, each.key) && lookup(each.value.environment, "FRAMEPOST_PUBLIC_KEYS", "") == "" ? { FRAMEPOST_PUBLIC_KEYS = local.public_keys } : {},
    contains(local.comparers, each.key) ? { FRAMEPOST_CATALOG_BUCKET = "s3://${local.bucket_name}" } : {},
    length(each.value.triggers) == 0 ? {} : { FRAMEPOST_DEAD_LETTERS = "sqs:${module.event_route[each.key].dead_letters.url}" },
    contains(each.value.grants, "records:publish") ? { FRAMEPOST_RECORDS = "eventbridge:${module.records.bus_name}" } : {},
    contains(each.value.grants, "ledger:claim") ? { FRAMEPOST_LEDGER = "dynamodb:${module.ledger[0].table_name}" } : {},
  )

  queue = length(each.value.triggers) == 0 ? null : {
    arn               = module.event_route[each.key].queue.arn
    dead_letters_arn  = module.event_route[each.key].dead_letters.arn
    batch_size        = each.value.batch_size
    batching_window_s = each.value.batching_window_s
  }

  granted = {
    bucket_arn         = module.bucket.arn
    prefixes           = var.bucket.existing ? local.prefixes : [""]
    encryption_key_arn = var.encryption_key
    bus_arn            = module.records.bus_arn
    table_arn          = one(module.ledger[*].table_arn)
    database_user_arn = !contains(local.cataloguers, each.key) ? null : (
      contains(local.readers, each.key) ? module.catalogue[0].reader_arn : module.catalogue[0].user_arn
    )
  }
}
