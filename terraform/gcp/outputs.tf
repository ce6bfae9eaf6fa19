output "bucket" {
  description = "The bucket, the topic on which its completed objects are announced, and, if a function asks for it, the one for removed objects."
  value = {
    name          = module.bucket.name
    topic         = module.bucket.topic
    removed_topic = module.bucket.removed_topic
  }
}

output "bucket_url" {
  description = "The bucket as a gateway's edge.toml names it in upload.to."
  value       = module.bucket.url
}

output "events" {
  description = "By function: its subscriptions by trigger, the topic for framepost replay, and its dead letters."
  value = {
    for name, route in module.event_route : name => {
      subscriptions = route.subscriptions
      replay_topic  = route.replay_topic
      dead_letters  = module.dead_letters[name]
    }
  }
}

output "functions" {
  description = "By function: its Cloud Run service, the service accounts that it runs as and that push messages to it, and, if requests trigger it, its URL."
  value = {
    for name, function in module.function : name => merge(function, {
      push_identity = try(module.event_route[name].push_identity, null)
    })
  }
}

output "records" {
  description = "Where records are published and where they can be read."
  value       = module.records
}

output "catalogue" {
  description = "Where the catalogue is answered from, and its database, where there is one."
  value = var.catalogue.enabled ? {
    url      = try(module.function["api"].url, null)
    instance = try(module.catalogue[0].database.connection_name, null)
  } : null
}

output "ledger" {
  description = "The bucket of claims, if a function asks for one."
  value       = one(module.ledger[*].bucket)
}

output "gateways" {
  description = "By site: the gateway's identity, its edge.toml, and how it gets its credential."
  value       = module.gateway.gateways
}

output "gateway_keys" {
  description = "By site: the service account's key file, if that is the credential. Read it with terraform output -json gateway_keys."
  sensitive   = true
  value       = module.gateway.keys
}

output "alarms" {
  description = "Names of all alarms, sorted, as Cloud Monitoring shows them."
  value       = { names = module.observability.alarm_names }
}

output "dashboard_url" {
  description = "URL of the dashboard in the cloud's console."
  value       = module.observability.dashboard_url
}

output "log_queries" {
  description = "The saved queries, and the log bucket that they read."
  value = {
    bucket  = module.observability.log_bucket
    queries = module.observability.log_queries
  }
}
