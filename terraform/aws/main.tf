# Framepost on AWS, as it is applied: bucket ▶ EventBridge ▶ SQS ▶ functions ▶ bus, and what gateways need to put into it.
#
#   terraform init && terraform apply -var site=plant-7

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ framepost = var.name }, var.labels)
  }
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}
data "aws_partition" "current" {}

locals {
  sites = merge(var.site == null ? {} : { (var.site) = { silence_minutes = 15 } }, var.sites)

  bucket_name = coalesce(var.bucket.name, "${var.name}-footage-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}")
  # An existing bucket sends its events to other users too.
  keys     = coalesce(var.events.keys, var.bucket.existing ? "sites" : "all")
  prefixes = [for site in sort(keys(local.sites)) : "${site}/"]
}

module "bucket" {
  source = "../modules/aws/bucket"

  name               = local.bucket_name
  existing           = var.bucket.existing
  keep_footage       = var.bucket.keep_footage
  encryption_key_arn = var.encryption_key
  expire_days        = var.bucket.expire_days
  transitions        = var.bucket.transitions
  noncurrent_days    = var.bucket.noncurrent_days
  # Exports stay until somebody deletes them.
  footage_prefixes = length(local.exporters) > 0 ? local.prefixes : [""]
  # A bucket takes a thousand rules. Beyond that many sites, reports stay as long as footage.
  reports = {
    days     = var.bucket.reports_days
    prefixes = [for site in slice(sort(keys(local.sites)), 0, min(length(local.sites), 990 - (length(local.exporters) > 0 ? min(length(local.sites), 990) : 0))) : "${site}/reports/"]
  }
  write_once_prefixes = var.bucket.existing ? local.prefixes : [""]
  overwriters         = var.bucket.overwriters
  pages_read          = length(local.redirectors) > 0
  gateways            = module.gateway.principals
}

module "records" {
  source = "../modules/aws/records"

  name               = "${var.name}-records"
  archive_days       = var.records.archive_days
  log                = var.records.log
  log_retention_days = var.log_retention_days
}

module "analytics" {
  source = "../modules/aws/analytics"
  count  = var.records.table ? 1 : 0

  name               = "${var.name}-records"
  bucket_name        = "${var.name}-records-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.id}"
  bus_name           = module.records.bus_name
  columns_file       = "${path.module}/../../events/schemas/glue/records.json"
  expire_days        = var.records.expire_days
  keep               = var.bucket.keep_footage
  encryption_key_arn = var.encryption_key
  log_retention_days = var.log_retention_days
}

module "ledger" {
  source = "../modules/aws/ledger"
  count  = anytrue([for function in local.functions : contains(function.grants, "ledger:claim")]) ? 1 : 0

  name               = "${var.name}-ledger"
  encryption_key_arn = var.encryption_key
}

module "gateway" {
  source = "../modules/aws/gateway"

  name               = var.name
  sites              = keys(local.sites)
  bucket             = { name = local.bucket_name, arn = module.bucket.arn }
  encryption_key_arn = var.encryption_key
  credential         = var.gateways.credential
  roles_anywhere     = var.gateways.roles_anywhere
  iot_certificates   = var.gateways.iot_certificates
  session_s          = var.gateways.session_s
}

module "observability" {
  source = "../modules/aws/observability"

  name            = var.name
  sites           = local.sites
  chunks_function = contains(keys(local.functions), "probe") ? "probe" : null
  infer_function  = contains(keys(local.functions), "infer") ? "infer" : null
  # Entries may contain any other text between the commas.
  signed = can(regex("[0-9A-Fa-f]", try(local.functions["probe"].environment["FRAMEPOST_PUBLIC_KEYS"], "")))
  alarms = var.alarms

  records = var.records.table ? {
    stream_name      = module.analytics[0].stream_name
    undelivered_name = module.analytics[0].undelivered_name
  } : null

  catalogue = try({ cluster = module.catalogue[0].cluster.identifier, connections_max = module.catalogue[0].cluster.connections_max }, null)

  functions = {
    for name, function in local.functions : name => {
      lambda_name       = module.function[name].name
      log_group         = module.function[name].log_group
      answers_requests  = function.http != null
      queue_name        = length(function.triggers) == 0 ? null : module.event_route[name].queue.name
      dead_letters_name = length(function.triggers) == 0 ? null : module.event_route[name].dead_letters.name
      undelivered_name  = length(function.triggers) == 0 ? null : module.event_route[name].undelivered.name
    }
  }
}
