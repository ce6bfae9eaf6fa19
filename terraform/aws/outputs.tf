output "bucket" {
  description = "The bucket, and the policy it has; for an existing bucket, the policy that its owner merges into its own."
  value = {
    name        = module.bucket.name
    arn         = module.bucket.arn
    policy_json = module.bucket.policy_json
  }
}

output "bucket_url" {
  description = "The bucket as a gateway's edge.toml names it in upload.to."
  value       = "s3://${module.bucket.name}"
}

output "events" {
  description = "By function: its queue, its dead-letter queue, and the queue for what EventBridge could not deliver."
  value = {
    for name, route in module.event_route : name => {
      queue        = route.queue
      dead_letters = route.dead_letters
      undelivered  = route.undelivered
    }
  }
}

output "functions" {
  description = "By function: its Lambda function, role, log group and, if requests trigger it, URL."
  value       = module.function
}

output "records" {
  description = "Where records are published and where they can be read."
  value = {
    bus_name   = module.records.bus_name
    bus_arn    = module.records.bus_arn
    table      = one(module.analytics[*].table)
    workgroup  = one(module.analytics[*].workgroup)
    queries    = try(module.analytics[0].queries, {})
    log_groups = concat(compact([module.records.log_group]), [for function in module.function : function.log_group])
  }
}

output "catalogue" {
  description = "Where the catalogue is answered from, and its database, where there is one."
  value = var.catalogue.enabled ? {
    url     = try(module.function["api"].url, null)
    cluster = try(module.catalogue[0].cluster.identifier, null)
  } : null
}

output "ledger" {
  description = "The table of claims, if a function asks for one."
  value       = one(module.ledger[*].table_name)
}

output "gateways" {
  description = "By site: the gateway's identity, its edge.toml, and how it gets its credential."
  value       = module.gateway.gateways
}

output "gateway_access_keys" {
  description = "By site: the access key, if that is the credential. Read it with terraform output -json gateway_access_keys."
  sensitive   = true
  value       = module.gateway.access_keys
}

output "alarms" {
  description = "The topic to subscribe to, where none was given, and every alarm."
  value = {
    topic_arn = module.observability.topic_arn
    names     = module.observability.alarm_names
  }
}

output "dashboard_url" {
  description = "URL of the dashboard in the cloud's console."
  value       = module.observability.dashboard_url
}

output "log_queries" {
  description = "Queries of CloudWatch Logs Insights, which are also saved there."
  value       = module.observability.log_queries
}
