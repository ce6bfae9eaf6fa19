# The functions' logs, kept for as long as is asked for, and the questions that are asked of them.
#
# A project has one retention for everything in its bucket _Default. So these lines go to a bucket of their own, and not
# to _Default as well: each bucket is paid for. Cloud Run's own line about a request that went well is kept nowhere: the
# function's says more. Metrics from logs count lines wherever they go.

locals {
  of_kept = "${local.of_services} AND NOT (${local.request_log} AND httpRequest.status<400)"
}

resource "google_logging_project_bucket_config" "this" {
  project        = var.project
  location       = var.region
  bucket_id      = var.name
  description    = "Framepost: the functions' logs."
  retention_days = var.log_retention_days
}

resource "google_logging_project_sink" "this" {
  project                = var.project
  name                   = var.name
  description            = "Framepost: the functions' logs into their own bucket."
  destination            = "logging.googleapis.com/projects/${var.project}/locations/${google_logging_project_bucket_config.this.location}/buckets/${google_logging_project_bucket_config.this.bucket_id}"
  filter                 = local.of_kept
  unique_writer_identity = true
}

resource "google_logging_project_exclusion" "this" {
  project     = var.project
  name        = var.name
  description = "Framepost: these lines are in the log bucket ${var.name}."
  filter      = local.of_services

  # Not before they are kept elsewhere.
  depends_on = [google_logging_project_sink.this]
}

locals {
  queries = merge(
    {
      handled    = { description = "Every event and how it ended", filter = local.of_handled }
      rejected   = { description = "Events that were parked, with their reason", filter = "${local.of_handled} AND jsonPayload.outcome=\"reject\"" }
      retried    = { description = "Events that come again, with their reason", filter = "${local.of_handled} AND jsonPayload.outcome=\"retry\"" }
      slow       = { description = "Events that took a second or more", filter = "${local.of_handled} AND jsonPayload.latency_ms>=1000" }
      detections = { description = "What detectors saw in each chunk, or why they did not look", filter = "${local.of_services} AND jsonPayload.type=\"io.framepost.chunk.inferred.v1\"" }
      errors     = { description = "Crashes, panics, exhausted time and memory", filter = local.metrics.errors.filter }
    },
    var.infer_function == null ? {} : {
      budget = { description = "Chunks that were not looked at because a site's budget was used up", filter = "${local.of_inferred} AND jsonPayload.skipped=\"budget\"" }
    },
    var.chunks_function == null ? {} : {
      chunks    = { description = "Every chunk with what it holds", filter = "${local.of_chunks} AND jsonPayload.type=\"io.framepost.chunk.probed.v1\"" }
      spans     = { description = "Unbroken runs of recording that ended", filter = "${local.of_chunks} AND jsonPayload.type=\"io.framepost.span.ended.v1\"" }
      rejects   = { description = "Objects that nothing downstream touches, with their reason", filter = "${local.of_chunks} AND jsonPayload.type=\"io.framepost.object.rejected.v1\"" }
      gateways  = { description = "What gateways say of themselves", filter = "${local.of_chunks} AND jsonPayload.type=\"io.framepost.gateway.reported.v1\"" }
      cameras   = { description = "What gateways say of each camera", filter = "${local.of_chunks} AND jsonPayload.event=\"camera\"" }
      gaps      = { description = "Gaps with their cause", filter = "${local.of_chunks} AND jsonPayload.type=\"io.framepost.gap.recorded.v1\"" }
      integrity = { description = "Chunks that are not what their gateway signed or hashed", filter = local.metrics.integrity.filter }
    },
  )
}

resource "google_logging_saved_query" "this" {
  for_each     = local.queries
  parent       = "projects/${var.project}"
  location     = "global"
  name         = "${var.name}-${each.key}"
  display_name = "${var.name}: ${each.key}"
  description  = each.value.description
  visibility   = "SHARED"

  logging_query {
    filter = each.value.filter
  }
}
