# What tells a person that something is wrong, and where they look then.
#
# The functions write one line for each event (`event = "handled"`); the metrics that Cloud Monitoring lacks are counted from
# those. "No chunk from a site" is the absence of such lines: a gateway that is off, an uplink that is down and a broken
# event route all look like this, and none of them can raise an alarm itself. So missing data is the alarm, also for a
# site that never sent anything: PromQL's `or vector(0)` makes a zero of nothing, which a plain threshold does not.

locals {
  # Of a log-based metric, and of its name in PromQL.
  prefix   = replace(var.name, "-", "_")
  promql   = "logging_googleapis_com:user_${local.prefix}"
  services = { for function, f in var.functions : function => f.service_name }
  # Every subscription that delivers, and every one that keeps what could not be delivered, by what they are for.
  subscriptions = merge(concat(
    [for function, f in var.functions : { for trigger, name in f.subscription_names : "${function}/${trigger}" => name }],
    [{ records = var.records.subscription_name }],
  )...)
  dead_letters = merge({ for function, f in var.functions : function => f.dead_letters_name if f.dead_letters_name != null },
  { records = var.records.dead_letters_name })

  of_services = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${join(" OR ", [for s in sort(values(local.services)) : "\"${s}\""])})"
  of_handled  = "${local.of_services} AND jsonPayload.event=\"handled\""
  of_chunks   = var.chunks_function == null ? null : "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.services[var.chunks_function]}\""
  of_inferred = var.infer_function == null ? null : "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.services[var.infer_function]}\" AND jsonPayload.type=\"io.framepost.chunk.inferred.v1\""
  of_seen     = var.infer_function == null ? null : "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${local.services[var.infer_function]}\" AND jsonPayload.event=\"seen\""
  of_reports  = var.chunks_function == null ? null : "${local.of_chunks} AND jsonPayload.type=\"io.framepost.gateway.reported.v1\""
  request_log = "log_id(\"run.googleapis.com/requests\")"
  # Who signs its chunks is told of one that nobody signed, or whose key is not known: that is what a forger's looks like.
  of_violations = join(" OR ", concat(
    ["jsonPayload.integrity.signature=\"invalid\"", "jsonPayload.integrity.content=\"mismatch\"", "jsonPayload.integrity.chain.state=\"broken\""],
    var.signed ? ["jsonPayload.integrity.signature=\"absent\"", "jsonPayload.integrity.signature=\"unknown\""] : [],
  ))

  metrics = merge(
    {
      handled = {
        description = "Events that a function handled, by how that ended"
        filter      = local.of_handled
        labels      = { function = "jsonPayload.function", outcome = "jsonPayload.outcome", reason = "jsonPayload.reason" }
      }
      # Cloud Run answers 504 for the function when its time is up. What a function retries it answers with 5xx itself,
      # and says so with a warning: that is no error.
      errors = {
        description = "A function crashed, ran out of time or out of memory"
        filter      = "${local.of_services} AND ((severity>=ERROR AND NOT ${local.request_log}) OR (${local.request_log} AND httpRequest.status=504))"
        labels      = {}
      }
      # Cloud Run's own request metric leaves out what did not reach an instance.
      throttles = {
        description = "A push was refused because every instance was busy"
        filter      = "${local.of_services} AND ${local.request_log} AND httpRequest.status=429"
        labels      = {}
      }
    },
    var.chunks_function == null ? {} : {
      chunks = {
        description = "Chunks that arrived and were understood, by site"
        filter      = "${local.of_chunks} AND jsonPayload.event=\"handled\" AND jsonPayload.outcome=\"done\" AND jsonPayload.key=~\"[.]mp4$\""
        labels      = { site = "jsonPayload.site" }
      }
      gateway_backlog    = { description = "Reports of gateways whose footage waits for long, by site", filter = "${local.of_reports} AND jsonPayload.spool.oldestAgeSeconds>${local.minute_s * var.alarms.backlog_minutes}", labels = { site = "jsonPayload.site" } }
      gateway_quarantine = { description = "Reports of gateways whose objects are refused for good, by site", filter = "${local.of_reports} AND jsonPayload.quarantinedObjects>0", labels = { site = "jsonPayload.site" } }
      gateway_clock      = { description = "Reports of gateways whose clock is not synchronised, by site", filter = "${local.of_reports} AND jsonPayload.gatewayClock.synchronized=false", labels = { site = "jsonPayload.site" } }
      gateway_camera     = { description = "Reports of gateways with a silent camera, by site", filter = "${local.of_reports} AND jsonPayload.camerasSilent>0", labels = { site = "jsonPayload.site" } }
      integrity = {
        description = "Chunks that are not what their gateway signed or hashed, by site"
        filter      = "${local.of_chunks} AND (${local.of_violations})"
        labels      = { site = "jsonPayload.site" }
      }
    },
  )

  infer_metrics = var.infer_function == null ? {} : {
    seen    = { description = "Chunks in which something was seen, by label", filter = local.of_seen, labels = { label = "jsonPayload.label" } }
    skipped = { description = "Chunks that were not looked at, by reason", filter = "${local.of_inferred} AND jsonPayload.skipped:*", labels = { reason = "jsonPayload.skipped" } }
  }

  infer_distributions = var.infer_function == null ? {} : {
    dollars = { description = "US dollars that looking at a chunk cost", filter = "${local.of_inferred} AND jsonPayload.dollars>0", field = "dollars", unit = "USD", labels = { site = "jsonPayload.site" }, scale = 0.0001, buckets = 20 }
  }

  distributions = {
    latency_ms   = { description = "Time for an event", field = "latency_ms", unit = "ms", labels = { function = "jsonPayload.function" }, scale = 1, buckets = 20 }
    object_bytes = { description = "Size of the objects handled", field = "object_bytes", unit = "By", labels = { site = "jsonPayload.site" }, scale = 1024, buckets = 22 }
  }
}

resource "google_logging_metric" "count" {
  for_each         = merge(local.metrics, local.infer_metrics)
  project          = var.project
  name             = "${local.prefix}_${each.key}"
  description      = each.value.description
  filter           = each.value.filter
  label_extractors = { for label, field in each.value.labels : label => "EXTRACT(${field})" }

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "INT64"
    unit         = "1"
    display_name = each.value.description

    dynamic "labels" {
      for_each = each.value.labels

      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }
}

resource "google_logging_metric" "distribution" {
  for_each         = merge({ for name, metric in local.distributions : name => merge(metric, { filter = "${local.of_handled} AND jsonPayload.${metric.field}>=0" }) }, local.infer_distributions)
  project          = var.project
  name             = "${local.prefix}_${each.key}"
  description      = each.value.description
  filter           = each.value.filter
  value_extractor  = "EXTRACT(jsonPayload.${each.value.field})"
  label_extractors = { for label, field in each.value.labels : label => "EXTRACT(${field})" }

  metric_descriptor {
    metric_kind  = "DELTA"
    value_type   = "DISTRIBUTION"
    unit         = each.value.unit
    display_name = each.value.description

    dynamic "labels" {
      for_each = each.value.labels

      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  bucket_options {
    exponential_buckets {
      scale              = each.value.scale
      growth_factor      = 2
      num_finite_buckets = each.value.buckets
    }
  }
}
