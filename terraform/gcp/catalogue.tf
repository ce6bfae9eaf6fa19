# The catalogue: its database, and which functions use it.
#
# A function uses it that names FRAMEPOST_CATALOG in its function.yaml, and has not been given another one in functions.overrides.

locals {
  # What function.yaml leaves out is deployed with the catalogue, unless it is said otherwise.
  overrides = merge({ for name in ["api", "catalog"] : name => {} if var.catalogue.enabled }, var.functions.overrides)

  cataloguers = [for name, function in local.functions : name
  if var.catalogue.enabled && lookup(function.environment, "FRAMEPOST_CATALOG", "set") == ""]
  # What is written comes in events: a function without any reads.
  readers = [for name in local.cataloguers : name if length(local.functions[name].triggers) == 0]
  signers = [for name in local.cataloguers : name if lookup(local.functions[name].environment, "FRAMEPOST_API_KEY", "set") == ""]
  # Without tokens it starts, and lets nobody in.
  tokens = coalesce(var.catalogue.tokens, "[]")

  # Connections that each instance of a function keeps at the most: CONNECTIONS in infra/sql.
  connections_each = 8
}

module "catalogue" {
  source = "../modules/gcp/catalogue"
  count  = var.catalogue.enabled ? 1 : 0

  project        = module.services.project
  region         = var.region
  name           = "${var.name}-catalogue"
  existing       = var.catalogue.existing
  tier           = var.catalogue.tier
  backup_days    = var.catalogue.backup_days
  keep           = var.catalogue.keep
  encryption_key = var.encryption_key
  # As many again while one revision takes over from another.
  connections_wanted = sum(concat([0], [for name in local.cataloguers : 2 * local.connections_each * ceil(
    local.functions[name].max_concurrency / min(local.functions[name].instance_concurrency, local.functions[name].max_concurrency)
  )]))
}
