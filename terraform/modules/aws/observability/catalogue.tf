# Alarms and charts of the catalogue's database and of the functions that answer requests.

locals {
  catalogue = var.catalogue == null ? {} : { catalogue = var.catalogue }
  answering = { for function, f in var.functions : function => f if f.answers_requests }

  catalogue_alarms = merge(
    merge([for name, database in local.catalogue : {
      "${name}-storage" = {
        meaning    = "The catalogue has more than ${var.alarms.catalogue_gib} GiB. It grows by itself, and so does what it costs."
        namespace  = "AWS/RDS"
        metric     = "VolumeBytesUsed"
        dimensions = { DBClusterIdentifier = database.cluster }
        threshold  = var.alarms.catalogue_gib * 1024 * 1024 * 1024
        period_s   = 3600
      }
      "${name}-connections" = {
        meaning    = "Four fifths of the connections that the catalogue takes are in use. Functions that get none wait and try again."
        namespace  = "AWS/RDS"
        metric     = "DatabaseConnections"
        dimensions = { DBClusterIdentifier = database.cluster }
        threshold  = floor(database.connections_max * 0.8)
        period_s   = 300
      }
    }]...),
    merge([for function, f in local.answering : {
      "${function}-5xx" = {
        meaning    = "${function} could not answer requests: it failed, or the catalogue did."
        namespace  = "AWS/Lambda"
        metric     = "Url5xxCount"
        dimensions = { FunctionName = f.lambda_name }
        statistic  = "Sum"
        threshold  = var.alarms.errors
        period_s   = 300
      }
      "${function}-latency" = {
        meaning    = "For a quarter of an hour, one in ten requests to ${function} has taken longer than ${var.alarms.latency_ms} ms."
        namespace  = "AWS/Lambda"
        metric     = "UrlRequestLatency"
        dimensions = { FunctionName = f.lambda_name }
        percentile = "p90"
        comparison = "GreaterThanThreshold"
        threshold  = var.alarms.latency_ms
        period_s   = 300
        periods    = 3
      }
    }]...),
  )

  catalogue_widgets = concat(
    length(local.answering) == 0 ? [] : [merge(local.half, {
      type = "metric"
      properties = {
        title = "Requests, refused (4xx), failed (5xx), and ms (p50, p90)", region = local.region, stat = "Sum", period = 60
        metrics = concat([], [for function in sort(keys(local.answering)) : concat(
          [for metric, label in { UrlRequestCount = "requests", Url4xxCount = "4xx", Url5xxCount = "5xx" } :
          ["AWS/Lambda", metric, "FunctionName", var.functions[function].lambda_name, { label = "${function} ${label}" }]],
          [for stat in ["p50", "p90"] :
          ["AWS/Lambda", "UrlRequestLatency", "FunctionName", var.functions[function].lambda_name, { label = "${function} ${stat}", stat = stat, yAxis = "right" }]],
        )]...)
      }
    })],
    [for name, database in local.catalogue : merge(local.half, {
      type = "metric"
      properties = {
        title = "Catalogue: connections, ACU, and GiB", region = local.region, stat = "Maximum", period = 300
        metrics = [
          ["AWS/RDS", "DatabaseConnections", "DBClusterIdentifier", database.cluster, { label = "connections" }],
          ["AWS/RDS", "ServerlessDatabaseCapacity", "DBClusterIdentifier", database.cluster, { label = "ACU", yAxis = "right" }],
          ["AWS/RDS", "VolumeBytesUsed", "DBClusterIdentifier", database.cluster, { id = "bytes", visible = false, period = 3600 }],
          [{ expression = "bytes / 1073741824", label = "GiB", yAxis = "right" }],
        ]
      }
    })],
  )
}
