output "bucket" {
  description = "The bucket, and the topic on which its completed objects are announced."
  value = {
    name  = module.bucket.name
    topic = module.bucket.topic
  }
}

output "bucket_url" {
  description = "What a gateway uploads to."
  value       = module.bucket.url
}

output "events" {
  description = "Function to its subscription and its dead letters."
  value = {
    for name, route in module.event_route : name => {
      subscription = route.subscription
      dead_letters = module.dead_letters[name]
    }
  }
}

output "functions" {
  description = "Function to its Cloud Run service and its identities: as whom it works, and who alone may call it."
  value = {
    for name, function in module.function : name => merge(function, {
      push_identity = module.event_route[name].push_identity
    })
  }
}

output "records" {
  description = "Where records are published and where they can be read."
  value       = module.records
}

output "ledger" {
  description = "The bucket of claims, if a function asks for one."
  value       = one(module.ledger[*].bucket)
}

output "gateways" {
  description = "Site to what its gateway is, its edge.toml and how it gets its credential."
  value       = module.gateway.gateways
}

output "gateway_keys" {
  description = "Site to its service account's key file, where that is the credential: terraform output -json gateway_keys."
  sensitive   = true
  value       = module.gateway.keys
}

output "alarms" {
  description = "Every alarm."
  value       = { names = module.observability.alarm_names }
}

output "dashboard_url" {
  description = "Where to look."
  value       = module.observability.dashboard_url
}

output "log_queries" {
  description = "The saved queries, and the log bucket that they are asked of."
  value = {
    bucket  = module.observability.log_bucket
    queries = module.observability.log_queries
  }
}
