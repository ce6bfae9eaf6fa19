# What the module refuses, with a message.
mock_provider "aws" {
  source = "../../mocks/aws"
}

variables {
  name = "framepost-probe"
  # Any file will do: nobody runs it.
  package            = { file = "main.tf" }
  memory_mib         = 128
  timeout_s          = 30
  environment        = { FRAMEPOST_RECORDS = "eventbridge:framepost-records" }
  max_concurrency    = 50
  log_retention_days = 30
  queue = {
    arn              = "arn:aws:sqs:eu-central-1:123456789012:framepost-probe"
    dead_letters_arn = "arn:aws:sqs:eu-central-1:123456789012:framepost-probe-dead-letters"
  }
}

run "messages_of_everybody" {
  command = plan
  variables {
    http = { auth = "function" }
  }
  expect_failures = [var.http]
}

run "no_trigger" {
  command = plan
  variables {
    queue = null
  }
  expect_failures = [var.http]
}

run "a_prefix_without_its_slash" {
  command = plan
  variables {
    granted = { prefixes = ["plant-7"] }
  }
  expect_failures = [var.granted]
}

run "no_package" {
  command = plan
  variables {
    package = { file = "nowhere/bootstrap.zip" }
  }
  expect_failures = [aws_lambda_function.this]
}

run "two_packages" {
  command = plan
  variables {
    package = { file = "main.tf", s3 = { bucket = "b", key = "k" } }
  }
  expect_failures = [var.package]
}

run "long_name" {
  command = plan
  variables {
    name = "a-name-that-is-longer-than-the-fifty-six-that-there-are-place-for"
  }
  expect_failures = [var.name]
}

run "unknown_architecture" {
  command = plan
  variables {
    architecture = "riscv64"
  }
  expect_failures = [var.architecture]
}

run "too_little_memory" {
  command = plan
  variables {
    memory_mib = 64
  }
  expect_failures = [var.memory_mib]
}

run "too_long" {
  command = plan
  variables {
    timeout_s = 1000
  }
  expect_failures = [var.timeout_s]
}

run "lambda_s_own_variables" {
  command = plan
  variables {
    environment = { AWS_REGION = "x" }
  }
  expect_failures = [var.environment]
}

run "empty_batches" {
  command = plan
  variables {
    queue = { arn = "arn:aws:sqs:eu-central-1:123456789012:q", dead_letters_arn = "d", batch_size = 0 }
  }
  expect_failures = [var.queue]
}

run "large_batches_need_a_window" {
  command = plan
  variables {
    queue = { arn = "arn:aws:sqs:eu-central-1:123456789012:q", dead_letters_arn = "d", batch_size = 100 }
  }
  expect_failures = [var.queue]
}

run "concurrency_of_one" {
  command = plan
  variables {
    max_concurrency = 1
  }
  expect_failures = [var.max_concurrency]
}

run "an_image_of_another_registry" {
  command = plan
  variables {
    package = { image = "docker.io/framepost/infer:1.4.0" }
  }
  expect_failures = [var.package]
}

run "unknown_grant" {
  command = plan
  variables {
    grants = ["footage:delete"]
  }
  expect_failures = [var.grants]
}

run "grants_without_their_resources" {
  command = plan
  variables {
    grants = ["footage:read", "records:publish", "ledger:claim"]
  }
  expect_failures = [var.grants]
}

run "unknown_tracing" {
  command = plan
  variables {
    tracing = "On"
  }
  expect_failures = [var.tracing]
}

run "unknown_platform_log_level" {
  command = plan
  variables {
    platform_log_level = "ERROR"
  }
  expect_failures = [var.platform_log_level]
}

run "a_retention_that_cloudwatch_has_not" {
  command = plan
  variables {
    log_retention_days = 31
  }
  expect_failures = [var.log_retention_days]
}
