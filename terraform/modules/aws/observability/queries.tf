# Queries saved in CloudWatch Logs Insights. Inner fields of a record are single names with
# dots there, hence the backticks.

locals {
  log_groups = [for name in local.functions : var.functions[name].log_group]

  queries = {
    chunks           = <<-QUERY
      fields `duration.from`, site, camera, `duration.seconds`, codec, `resolution.width`, `resolution.height`, sizeBytes, mediaLink
      | filter type = "io.framepost.chunk.probed.v1"
      | sort `duration.from` desc
      | limit 200
    QUERY
    chunks-by-camera = <<-QUERY
      filter type = "io.framepost.chunk.probed.v1"
      | stats count(*) as chunks, sum(`duration.seconds`) as seconds, sum(sizeBytes) as bytes by site, camera, bin(5m)
    QUERY
    gaps             = <<-QUERY
      fields site, camera, `from`, `to`, cause, detail
      | filter type = "io.framepost.gap.recorded.v1"
      | sort `from` desc
    QUERY
    spans            = <<-QUERY
      fields `end`, site, camera, chunks, subject
      | filter type = "io.framepost.span.ended.v1"
      | sort `end` desc
      | limit 200
    QUERY
    gateways         = <<-QUERY
      filter type = "io.framepost.gateway.reported.v1"
      | stats latest(at) as reported, latest(gatewayVersion) as version, latest(camerasSilent) as silent, latest(`spool.oldestAgeSeconds`) as backlog_seconds, latest(quarantinedObjects) as quarantined, latest(`gatewayClock.synchronized`) as synchronized, latest(`disk.freeBytes`) as free_bytes by site
      | sort silent desc, backlog_seconds desc
    QUERY
    cameras          = <<-QUERY
      filter event = "camera"
      | stats latest(state) as state_, latest(lastFrame) as last_frame, latest(frameRate) as frame_rate, latest(bitrateKbps) as kbps, latest(packetsLost) as packets_lost, latest(connects) as connects_, latest(gaps) as gaps_, latest(lastError) as last_error by site, camera
      | sort state_ asc, last_frame asc
    QUERY
    detections       = <<-QUERY
      fields `duration.from`, site, camera, summary, skipped, `model.name`, subject
      | filter type = "io.framepost.chunk.inferred.v1"
      | sort `duration.from` desc
      | limit 200
    QUERY
    budget           = <<-QUERY
      filter type = "io.framepost.chunk.inferred.v1" and (skipped = "budget" or dollars > 0)
      | stats sum(dollars) as dollars_, sum(calls) as calls_, sum(skipped = "budget") as skipped_ by site, bin(1d)
    QUERY
    rejected         = <<-QUERY
      fields @timestamp, subject, reason, detail
      | filter type = "io.framepost.object.rejected.v1"
      | sort @timestamp desc
    QUERY
    integrity        = <<-QUERY
      fields @timestamp, subject, `integrity.signature`, `integrity.content`, `integrity.chain.state`
      | filter `integrity.signature` = "invalid" or `integrity.content` = "mismatch" or `integrity.chain.state` = "broken"${var.signed ? " or `integrity.signature` in [\"absent\", \"unknown\"]" : ""}
      | sort @timestamp desc
    QUERY
    errors           = <<-QUERY
      fields @timestamp, @log, message, error
      | filter level in ["ERROR", "WARN"] and not ispresent(type)
      | sort @timestamp desc
      | limit 200
    QUERY
  }
}

resource "aws_cloudwatch_query_definition" "this" {
  for_each        = local.queries
  name            = "${var.name}/${each.key}"
  log_group_names = local.log_groups
  query_string    = each.value
}
