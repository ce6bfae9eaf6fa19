# Reads, completes and checks the function.yaml files of all functions, for both
# clouds. It creates no resources.
#
# infra/host/src/manifest parses these files strictly, and a test checks every file in the repository
# with it. The checks here cover mistakes that would otherwise be ignored silently in directories that
# the test has not seen.

locals {
  texts    = { for file in fileset(var.directory, "*/function.yaml") : dirname(file) => file("${var.directory}/${file}") }
  declared = { for name, text in local.texts : name => yamldecode(text) }
  # Who names a function in overrides wants it, unless it says otherwise.
  enabled = { for name, declared in local.declared : name => declared
  if try(coalesce(var.overrides[name].enabled), contains(keys(var.overrides), name) || try(tobool(declared.enabled), true)) }

  keys = {
    manifest = ["name", "description", "triggers", "delivery", "runtime", "environment", "grants", "enabled", "package"]
    delivery = ["batch_size", "max_deliveries"]
    runtime  = ["memory_mib", "timeout_s", "max_concurrency", "cpu", "instance_concurrency"]
  }
  options = {
    object-finalized = ["prefixes", "suffixes"]
    object-removed   = ["prefixes", "suffixes"]
    record           = ["types", "filters"]
    http             = ["path", "auth"]
    schedule         = ["name", "every_minutes", "cron"]
  }
  grants = ["footage:read", "footage:list", "footage:write", "exports:write", "records:publish", "ledger:claim", "pictures:detect"]

  lists = { for name, declared in local.enabled : name => try([for trigger in declared.triggers : merge({ event = "?" }, trigger)], []) }

  # Number of earlier triggers with the same event.
  before = { for name, list in local.lists : name => [
    for n, trigger in list : length([for other in slice(list, 0, n) : other if other.event == trigger.event])
  ] }

  # The key of a trigger is its event. A second one with the same event is record-2, a schedule is
  # schedule-NAME. Resources are identified by these keys, so a further trigger at the end changes no other one.
  triggers = {
    for name, list in local.lists : name => {
      for n, trigger in list : (
        trigger.event == "schedule" ? "schedule-${try(trigger.name, n)}" :
        local.before[name][n] == 0 ? trigger.event : "${trigger.event}-${local.before[name][n] + 1}"
        ) => {
        event    = trigger.event
        prefixes = [for prefix in try(trigger.prefixes, []) : tostring(prefix)]
        suffixes = [for suffix in try(trigger.suffixes, []) : tostring(suffix)]
        types    = [for type in try(trigger.types, []) : tostring(type)]
        # Allowed values by field, as JSON: a quoted text, true or false.
        filters = { for field, values in try(trigger.filters, {}) : field => [for value in values : jsonencode(value)] }
        name    = try(trigger.name, "")
        cron = try(trigger.cron,
          trigger.every_minutes < 60 ? "*/${trigger.every_minutes} * * * *" :
          trigger.every_minutes < 1440 ? "0 */${floor(trigger.every_minutes / 60)} * * *" : "0 0 * * *",
        "")
      }...
    }
  }

  messages = { for name, list in local.lists : name => [for trigger in list : trigger if trigger.event != "http"] }
  requests = { for name, list in local.lists : name => [for trigger in list : trigger if trigger.event == "http"] }

  # The problems of each file, by function.
  faults = { for name, declared in local.enabled : name => flatten([
    [for key in setsubtract(keys(declared), local.keys.manifest) :
    "${key} is not one of ${join(", ", local.keys.manifest)}"],
    [for part in ["delivery", "runtime"] : [for key in setsubtract(try(keys(declared[part]), []), local.keys[part]) :
    "${part}.${key} is not one of ${join(", ", local.keys[part])}"]],
    [for grant in setsubtract(try(declared.grants, []), local.grants) :
    "grants: ${grant} is not one of ${join(", ", local.grants)}"],
    contains(["zip", "image"], try(declared.package, "zip")) ? [] : ["package: ${declared.package} is not one of zip, image"],
    try(tobool(declared.enabled), null) != null || !can(declared.enabled) ? [] : ["enabled is true or false"],
    try(declared.name, name) == name ? [] : ["name is ${declared.name}, and its directory is ${name}"],
    length(local.lists[name]) > 0 ? [] : ["triggers: a function has one at least"],
    [for n, trigger in local.lists[name] : [for fault in flatten([
      trigger.event == "job-ended" ? ["job-ended is reserved, nothing runs jobs yet"] :
      !contains(keys(local.options), trigger.event) ? ["${trigger.event} is not one of ${join(", ", keys(local.options))}"] :
      [for option in setsubtract(keys(trigger), concat(["event"], local.options[trigger.event])) :
      "${option} is no option of ${trigger.event}, which takes ${join(", ", local.options[trigger.event])}"],
      trigger.event == "record" && length(try(trigger.types, [])) == 0 ? ["record needs types"] : [],
      trigger.event == "http" && !contains(["cloud", "function"], try(trigger.auth, "")) ? ["http needs auth: cloud or function"] : [],
      trigger.event == "schedule" && !can(trigger.name) ? ["schedule needs name"] : [],
      trigger.event == "schedule" && can(trigger.cron) == can(trigger.every_minutes) ? ["schedule needs either every_minutes or cron"] : [],
      can([for key in concat(try(trigger.prefixes, []), try(trigger.suffixes, [])) : regex("^[^\"\\\\*[:cntrl:]]+$", key)]) ? [] :
      ["a prefix or suffix is not empty and holds no quotes, backslashes, asterisks or control characters"],
    ]) : "triggers[${n}]: ${fault}"]],
    length(local.requests[name]) <= 1 ? [] : ["triggers: one http trigger at most"],
    length(local.messages[name]) == 0 || can(declared.delivery.max_deliveries) ? [] : ["delivery.max_deliveries is missing"],
    length(local.messages[name]) == 0 || length(local.requests[name]) == 0 ? [] :
    ["triggers: no program both answers requests (http) and takes messages: make two functions of it"],
    [for schedule in distinct([for trigger in local.messages[name] : trigger.name if trigger.event == "schedule" && can(trigger.name)]) :
      "triggers: two schedules are called ${schedule}"
    if length([for trigger in local.messages[name] : trigger if trigger.event == "schedule" && try(trigger.name, "") == schedule]) > 1],
  ]) }

  functions = {
    for name, declared in local.enabled : name => {
      description = try(declared.description, "")
      package     = try(declared.package, "zip")
      # What fills the inbox, and what does not.
      triggers = { for key, triggers in local.triggers[name] : key => triggers[0] if triggers[0].event != "http" }
      http     = one([for trigger in slice(local.requests[name], 0, min(1, length(local.requests[name]))) : { path = try(trigger.path, "/"), auth = try(trigger.auth, "") }])

      batch_size           = try(coalesce(var.overrides[name].batch_size), declared.delivery.batch_size, 10)
      batching_window_s    = try(coalesce(var.overrides[name].batching_window_s), null)
      max_deliveries       = try(coalesce(var.overrides[name].max_deliveries), declared.delivery.max_deliveries, 8)
      memory_mib           = try(coalesce(var.overrides[name].memory_mib), declared.runtime.memory_mib)
      timeout_s            = try(coalesce(var.overrides[name].timeout_s), declared.runtime.timeout_s)
      max_concurrency      = try(coalesce(var.overrides[name].max_concurrency), declared.runtime.max_concurrency)
      cpu                  = try(coalesce(var.overrides[name].cpu), declared.runtime.cpu, 1)
      instance_concurrency = try(coalesce(var.overrides[name].instance_concurrency), declared.runtime.instance_concurrency, 10)
      environment          = merge(try(declared.environment, {}), var.environment, try(var.overrides[name].environment, {}))
      grants               = [for grant in try(declared.grants, []) : tostring(grant)]
    }
  }
}
