variables {
  directory = "tests/good"
}

run "every_kind_of_trigger" {
  command = plan

  assert {
    condition     = keys(output.functions) == ["ask", "watch"]
    error_message = "Each */function.yaml is a function."
  }

  assert {
    condition     = keys(output.functions.watch.triggers) == ["object-finalized", "object-finalized-2", "object-removed", "record", "schedule-nightly", "schedule-sweep"] && output.functions.watch.http == null
    error_message = "Triggers have keys that stay: ${jsonencode(keys(output.functions.watch.triggers))}"
  }

  assert {
    condition     = output.functions.watch.triggers["object-finalized-2"].suffixes == [".mp4"] && output.functions.watch.triggers["record"].filters == { site = ["\"plant-7\""], startsWithRandomAccess = ["true"] }
    error_message = "Filters keep their types."
  }

  assert {
    condition     = output.functions.watch.triggers["schedule-sweep"].cron == "0 */2 * * *" && output.functions.watch.triggers["schedule-nightly"].cron == "0 3 * * *"
    error_message = "Minutes become cron."
  }

  assert {
    condition     = length(output.functions.ask.triggers) == 0 && output.functions.ask.http == { path = "/v1", auth = "function" }
    error_message = "Requests fill no inbox."
  }
}

run "overrides" {
  command = plan

  variables {
    environment = { RUST_LOG = "info" }
    overrides = {
      ask   = { enabled = false, environment = {}, memory_mib = null, timeout_s = null }
      watch = { enabled = true, environment = { WATCH_MODEL = "large" }, memory_mib = 512, timeout_s = null }
    }
  }

  assert {
    condition     = keys(output.functions) == ["watch"] && output.functions.watch.memory_mib == 512 && output.functions.watch.timeout_s == 60 && output.functions.watch.environment == { WATCH_MODEL = "large", RUST_LOG = "info" }
    error_message = "What is not said otherwise stays."
  }
}

run "one_that_is_left_out_is_there_for_who_names_it" {
  command = plan

  variables {
    overrides = { look = { enabled = null, environment = { FRAMEPOST_DETECTOR = "rekognition:" }, memory_mib = null } }
  }

  assert {
    condition     = keys(output.functions) == ["ask", "look", "watch"] && output.functions.look.package == "image" && output.functions.watch.package == "zip" && output.functions.look.environment == { FRAMEPOST_DETECTOR = "rekognition:" }
    error_message = "Named in overrides, it is deployed: ${jsonencode(output.functions.look)}"
  }
}

run "and_for_nobody_else" {
  command = plan

  variables {
    overrides = { look = { enabled = false, environment = {} } }
  }

  assert {
    condition     = keys(output.functions) == ["ask", "watch"]
    error_message = "enabled = false leaves it out."
  }
}

run "what_cannot_be_honoured_is_refused" {
  command = plan

  variables {
    directory = "tests/bad"
  }

  expect_failures = [output.functions]
}

# Each file of tests/bad is wrong in the ways that it says.
run "with_words_for_each_fault" {
  command = plan

  variables {
    directory = "tests/bad"
  }

  assert {
    condition = local.faults["watch"] == [
      "trigger is not one of name, description, triggers, delivery, runtime, environment, grants, enabled, package",
      "delivery.batchsize is not one of batch_size, max_deliveries",
      "runtime.memory is not one of memory_mib, timeout_s, max_concurrency, cpu, instance_concurrency",
      "grants: footage:delete is not one of footage:read, footage:list, footage:write, exports:write, records:publish, ledger:claim, pictures:detect",
      "package: tarball is not one of zip, image",
      "enabled is true or false",
      "name is wacht, and its directory is watch",
      "triggers[0]: prefix is no option of object-finalized, which takes prefixes, suffixes",
      "triggers[1]: job-ended is reserved, nothing runs jobs yet",
      "triggers[2]: object-created is not one of http, object-finalized, object-removed, record, schedule",
      "triggers[3]: record needs types",
      "triggers[4]: http needs auth: cloud or function",
      "triggers[5]: schedule needs name",
      "triggers[5]: schedule needs either every_minutes or cron",
      "triggers[6]: a prefix or suffix is not empty and holds no quotes, backslashes, asterisks or control characters",
      "triggers: one http trigger at most",
      "delivery.max_deliveries is missing",
      "triggers: no program both answers requests (http) and takes messages: make two functions of it",
      "triggers: two schedules are called a",
    ]
    error_message = jsonencode(local.faults)
  }

  assert {
    condition     = local.faults["nothing"] == ["triggers: a function has one at least"]
    error_message = jsonencode(local.faults["nothing"])
  }

  expect_failures = [output.functions]
}
