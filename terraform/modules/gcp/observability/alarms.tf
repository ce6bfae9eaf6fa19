# The alarms, with the names and the meaning that they have on AWS.

locals {
  minute_s = 60

  emails   = toset([for to in var.alarms.notify : to if !startswith(to, "projects/")])
  channels = concat([for to in var.alarms.notify : to if startswith(to, "projects/")], [for c in google_monitoring_notification_channel.email : c.id])

  subscription_alarms = {
    dead-letters = {
      metric      = "num_undelivered_messages"
      of          = local.dead_letters
      above       = 0
      duration_s  = 0
      meaning     = "Messages were rejected or never succeeded, and are parked."
      what_to_do  = "Read framepost-reason, mend the cause, redrive."
      description = "Parked messages"
    }
    oldest-message = {
      metric      = "oldest_unacked_message_age"
      of          = local.subscriptions
      above       = var.alarms.oldest_message_minutes * local.minute_s
      duration_s  = 3 * local.minute_s
      meaning     = "Work has been waiting for more than ${var.alarms.oldest_message_minutes} minutes: it fails and is retried, or more comes than can be done."
      what_to_do  = "Read the function's errors; for records, the subscription's state in the console. Nothing is lost for 7 days."
      description = "Age of the oldest message"
    }
  }

  log_alarms = merge(
    {
      errors = {
        condition  = "sum by (service_name) (increase(${local.promql}_errors{monitored_resource=\"cloud_run_revision\"}[5m])) >= ${var.alarms.errors}"
        meaning    = "A function crashed, ran out of time or out of memory. What it retries or rejects itself is no error."
        what_to_do = "Read its errors (saved query `errors`). The message comes again, and is parked after max_deliveries."
        severity   = "ERROR"
      }
      throttles = {
        condition  = "sum by (service_name) (increase(${local.promql}_throttles{monitored_resource=\"cloud_run_revision\"}[5m])) >= ${var.alarms.throttles}"
        meaning    = "Every instance that the function may have is busy: it is held back. Nothing is lost while it lasts."
        what_to_do = "Raise runtime.max_concurrency of the function, or wait until a backlog has gone."
        severity   = "WARNING"
      }
    },
    var.chunks_function == null ? {} : {
      integrity = {
        condition  = "sum by (site) (increase(${local.promql}_integrity{monitored_resource=\"cloud_run_revision\"}[5m])) >= 1"
        meaning    = "A chunk is not what its gateway signed or hashed: changed, replaced or taken out of its chain${var.signed ? ", or without a signature by one of the public keys" : ""}."
        what_to_do = "Saved query `integrity` names it. Look who wrote to the bucket, and keep the object."
        severity   = "CRITICAL"
      }
    },
    var.chunks_function == null ? {} : {
      for site, s in var.sites : "${site}-silence" => {
        condition  = "(sum(increase(${local.promql}_chunks{monitored_resource=\"cloud_run_revision\",site=\"${site}\"}[${s.silence_minutes}m])) or vector(0)) < 1"
        meaning    = "No chunk from ${site} for ${s.silence_minutes} minutes."
        what_to_do = "If oldest-message is quiet, the gateway or its uplink is down: look there. Its spool keeps recording."
        severity   = "CRITICAL"
      } if s.silence_minutes > 0
    },
    var.chunks_function == null ? {} : {
      for site in keys(var.sites) : "${site}-backlog" => {
        condition  = "sum(increase(${local.promql}_gateway_backlog{monitored_resource=\"cloud_run_revision\",site=\"${site}\"}[15m])) >= 1"
        meaning    = "Footage of ${site} has been waiting on its gateway for more than ${var.alarms.backlog_minutes} minutes: its uplink is too slow, or was down."
        what_to_do = "Look at the uplink. Nothing is lost until the spool is full; saved query `gateways` says how much waits."
        severity   = "WARNING"
      }
    },
    var.chunks_function == null ? {} : {
      for site in keys(var.sites) : "${site}-quarantine" => {
        condition  = "sum(increase(${local.promql}_gateway_quarantine{monitored_resource=\"cloud_run_revision\",site=\"${site}\"}[15m])) >= 1"
        meaning    = "The bucket refuses objects of ${site} for good."
        what_to_do = "On the gateway, `edge-uploader quarantine` says which and why."
        severity   = "ERROR"
      }
    },
    var.chunks_function == null ? {} : {
      for site in keys(var.sites) : "${site}-clock" => {
        condition  = "sum(increase(${local.promql}_gateway_clock{monitored_resource=\"cloud_run_revision\",site=\"${site}\"}[15m])) >= 1"
        meaning    = "The clock of the gateway of ${site} is not synchronised: the times of its footage may be off."
        what_to_do = "Start a time service on the gateway, or let it reach its servers."
        severity   = "WARNING"
      }
    },
    var.chunks_function == null ? {} : {
      for site in keys(var.sites) : "${site}-camera" => {
        condition  = "sum(increase(${local.promql}_gateway_camera{monitored_resource=\"cloud_run_revision\",site=\"${site}\"}[15m])) >= 1"
        meaning    = "A camera of ${site} is silent, and its gateway is not."
        what_to_do = "Saved query `cameras` says which and why."
        severity   = "ERROR"
      }
    },
  )
}

resource "google_monitoring_notification_channel" "email" {
  for_each     = local.emails
  project      = var.project
  type         = "email"
  display_name = "${var.name}: ${each.key}"
  labels       = { email_address = each.key }

  # Terraform deletes an address before it tells the alarms, and Google refuses that as long as one names it.
  force_delete = true
}

resource "google_monitoring_alert_policy" "subscription" {
  for_each              = var.alarms.enabled ? local.subscription_alarms : {}
  project               = var.project
  display_name          = "${var.name}-${each.key}"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = each.value.description

    condition_threshold {
      filter = join(" AND ", [
        "resource.type = \"pubsub_subscription\"",
        "metric.type = \"pubsub.googleapis.com/subscription/${each.value.metric}\"",
        "resource.labels.subscription_id = one_of(${join(", ", [for s in sort(values(each.value.of)) : "\"${s}\""])})",
      ])
      comparison      = "COMPARISON_GT"
      threshold_value = each.value.above
      duration        = "${each.value.duration_s}s"

      # Each subscription is an incident of its own.
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_MAX"
        group_by_fields      = ["resource.label.subscription_id"]
      }

      trigger {
        count = 1
      }
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.meaning}\n\nSubscription: $${resource.label.subscription_id}\n\n${each.value.what_to_do}"
  }
}

resource "google_monitoring_alert_policy" "log" {
  for_each              = { for name, alarm in merge(local.log_alarms, local.catalogue_alarms, local.infer_alarms) : name => alarm if var.alarms.enabled }
  project               = var.project
  display_name          = "${var.name}-${each.key}"
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.value.meaning

    condition_prometheus_query_language {
      query               = each.value.condition
      duration            = "0s"
      evaluation_interval = "60s"
      # A metric from logs is only there once the first line was counted.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.meaning}\n\n${each.value.what_to_do}"
  }

  depends_on = [google_logging_metric.count]
}
