# Alarms and charts of the catalogue's database and of the functions that answer requests.

locals {
  catalogue = var.catalogue == null ? {} : { catalogue = var.catalogue }
  answering = { for function, f in var.functions : function => f.service_name if f.answers_requests }
  of_sql    = "monitored_resource=\"cloudsql_database\",database_id=\"${try(var.catalogue.instance, "")}\""

  catalogue_alarms = merge(
    merge([for name, database in local.catalogue : {
      "${name}-storage" = {
        condition  = "max(cloudsql_googleapis_com:database_disk_bytes_used{${local.of_sql}}) >= ${var.alarms.catalogue_gib * 1024 * 1024 * 1024}"
        meaning    = "The catalogue has more than ${var.alarms.catalogue_gib} GiB. It grows by itself, and so does what it costs."
        what_to_do = "Keep less footage (bucket.expire_days): what is gone from the bucket goes from the catalogue. Or raise alarms.catalogue_gib."
        severity   = "WARNING"
      }
      "${name}-connections" = {
        condition  = "sum(cloudsql_googleapis_com:database_postgresql_num_backends{${local.of_sql}}) >= ${floor(database.connections_max * 0.8)}"
        meaning    = "Four fifths of the connections that the catalogue takes are in use. Functions that get none wait and try again."
        what_to_do = "Choose a larger catalogue.tier, or lower max_concurrency of the functions."
        severity   = "WARNING"
      }
    }]...),
    merge([for function, service in local.answering : {
      "${function}-5xx" = {
        condition  = "sum(increase(run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\",service_name=\"${service}\",response_code_class=\"5xx\"}[5m])) >= ${var.alarms.errors}"
        meaning    = "${function} could not answer requests: it failed, or the catalogue did."
        what_to_do = "Read its errors (saved query `errors`)."
        severity   = "ERROR"
      }
      "${function}-latency" = {
        condition  = "histogram_quantile(0.9, sum by (le) (increase(run_googleapis_com:request_latencies_bucket{monitored_resource=\"cloud_run_revision\",service_name=\"${service}\"}[15m]))) > ${var.alarms.latency_ms}"
        meaning    = "For a quarter of an hour, one in ten requests to ${function} has taken longer than ${var.alarms.latency_ms} ms."
        what_to_do = "Look at the database's processors and connections on the dashboard; raise max_concurrency, or choose a larger catalogue.tier."
        severity   = "WARNING"
      }
    }]...),
  )

  catalogue_charts = concat(
    length(local.answering) == 0 ? [] : [{
      title = "Requests' time, ms (p50, p90)"
      queries = { for legend, quantile in { p50 = 0.5, p90 = 0.9 } : legend =>
      "histogram_quantile(${quantile}, sum by (service_name, le) (increase(run_googleapis_com:request_latencies_bucket{monitored_resource=\"cloud_run_revision\",service_name=~\"${join("|", sort(values(local.answering)))}\"}[1m])))" }
    }],
    [for name, database in local.catalogue : {
      title = "Catalogue: connections, GiB and processors"
      queries = {
        connections = "sum(cloudsql_googleapis_com:database_postgresql_num_backends{${local.of_sql}})"
        GiB         = "max(cloudsql_googleapis_com:database_disk_bytes_used{${local.of_sql}}) / 1073741824"
        processors  = "max(cloudsql_googleapis_com:database_cpu_utilization{${local.of_sql}})"
      }
    }],
  )
}
