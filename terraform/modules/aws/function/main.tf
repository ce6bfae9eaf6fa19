# One function: the program, its role, its log, and its queue or URL.
#
# Invariants: the role has only the rights that `grants` name, each on a single resource; the log group
# exists before the first log line, so that Lambda does not create one without expiry; each message of
# a batch is answered separately.

data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_caller_identity" "current" {}

data "aws_s3_object" "package" {
  count  = var.package.s3 == null ? 0 : 1
  bucket = var.package.s3.bucket
  key    = var.package.s3.key
}

locals {
  footage = { "footage:read" = ["s3:GetObject", "s3:GetObjectVersion"], "footage:write" = ["s3:PutObject"] }
  # The services that use the encryption key for the function, and the purpose.
  encrypted = { "footage:read" = "s3", "footage:write" = "s3", "exports:write" = "s3", "ledger:claim" = "dynamodb" }

  # The detectors that the function chooses among are in one setting: motion:, or a=onnx:s3://models/yolox@50,b=rekognition:@50.
  detectors = !contains(var.grants, "pictures:detect") ? "" : lookup(var.environment, "FRAMEPOST_DETECTOR", "")
  # Models in buckets: everything below each one's directory.
  models = distinct([for place in regexall("onnx:s3://([a-z0-9][a-z0-9.-]+)/([A-Za-z0-9!_.*'()/-]+)", local.detectors) :
  "arn:${data.aws_partition.current.partition}:s3:::${place[0]}/${trimsuffix(place[1], "/")}/*"])

  # S3 uses "null" as the version in a bucket without versions.
  package_version = one([for object in data.aws_s3_object.package : object.version_id if !contains(["", "null"], coalesce(object.version_id, "null"))])
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:logs carry keys and measurements, no footage; CloudWatch encrypts them with its own keys
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_115:the queue's maximum concurrency bounds it; reserving, as for requests, takes from the account's other functions
  #checkov:skip=CKV_AWS_116:that is for asynchronous invocations; the queue has its own dead-letter queue
  #checkov:skip=CKV_AWS_117:it is in a network where it needs one; elsewhere it would only add endpoints to pay for
  #checkov:skip=CKV_AWS_173:Lambda encrypts the environment with its own key; who may read the function's configuration reads it with any key
  #checkov:skip=CKV_AWS_272:the package's place is the user's, and so is its signing
  function_name = var.name
  description   = var.description
  role          = aws_iam_role.this.arn
  architectures = [var.architecture]
  package_type  = var.package.image == null ? "Zip" : "Image"
  runtime       = var.package.image == null ? "provided.al2023" : null
  handler       = var.package.image == null ? "bootstrap" : null
  image_uri     = var.package.image
  memory_size   = var.memory_mib
  timeout       = var.timeout_s

  # A queue limits its own concurrency. Requests are limited only by this setting, which reserves a
  # part of the account's concurrency.
  reserved_concurrent_executions = var.http == null ? -1 : var.max_concurrency

  filename          = var.package.file
  s3_bucket         = one(data.aws_s3_object.package[*].bucket)
  s3_key            = one(data.aws_s3_object.package[*].key)
  s3_object_version = local.package_version
  # A file is updated when its content changes, and an object when its ETag changes,
  # which also works without versions.
  source_code_hash = var.package.file != null ? try(filebase64sha256(var.package.file), null) : one(data.aws_s3_object.package[*].etag)

  environment {
    variables = merge(var.environment, var.secrets)
  }

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  tracing_config {
    mode = var.tracing
  }

  # The function writes JSON lines itself. This makes Lambda's own lines JSON too.
  logging_config {
    log_format       = "JSON"
    log_group        = aws_cloudwatch_log_group.this.name
    system_log_level = var.platform_log_level
  }

  depends_on = [aws_iam_role_policy.this]

  # Not a validation of the variable, because a destroy needs no package.
  lifecycle {
    precondition {
      condition     = var.package.file == null ? true : fileexists(var.package.file)
      error_message = "There is no package at ${coalesce(var.package.file, "?")}. Build it with cargo-lambda, as the README says, or set functions.packages to where it is: a directory with <function>/bootstrap.zip, or s3://bucket/prefix with <function>.zip."
    }
  }
}

resource "aws_lambda_event_source_mapping" "queue" {
  count                              = var.queue == null ? 0 : 1
  event_source_arn                   = var.queue.arn
  function_name                      = aws_lambda_function.this.arn
  batch_size                         = var.queue.batch_size
  maximum_batching_window_in_seconds = var.queue.batching_window_s
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.max_concurrency
  }
}

moved {
  from = aws_lambda_event_source_mapping.queue
  to   = aws_lambda_event_source_mapping.queue[0]
}

# Responses are streamed: the first byte is sent before the last one exists, and they may be larger than 6 MB.
resource "aws_lambda_function_url" "this" {
  #checkov:skip=CKV_AWS_258:a function with auth: function checks who asks
  count              = var.http == null ? 0 : 1
  function_name      = aws_lambda_function.this.function_name
  authorization_type = var.http.auth == "cloud" ? "AWS_IAM" : "NONE"
  invoke_mode        = "RESPONSE_STREAM"
}

# Since October 2025 a URL for everybody takes the right to invoke the function beside the one to its URL, which comes with
# the URL. This version of the provider cannot hold it to the URL; whoever invokes the function by itself can do no more.
resource "aws_lambda_permission" "everybody" {
  #checkov:skip=CKV_AWS_301:everybody may send requests, and the function checks who asks
  count         = var.http == null ? 0 : var.http.auth == "function" ? 1 : 0
  statement_id  = "everybody"
  function_name = aws_lambda_function.this.function_name
  action        = "lambda:InvokeFunction"
  principal     = "*"
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "this" {
  name               = var.name
  description        = "What the function ${var.name} may do"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "this" {
  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }

  dynamic "statement" {
    for_each = var.queue == null ? [] : [var.queue]

    content {
      sid       = "TakeWork"
      actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
      resources = [statement.value.arn]
    }
  }

  dynamic "statement" {
    for_each = var.queue == null ? [] : [var.queue]

    content {
      sid       = "ParkRejected"
      actions   = ["sqs:SendMessage"]
      resources = [statement.value.dead_letters_arn]
    }
  }

  # Only new objects: the bucket refuses a put that would replace one.
  dynamic "statement" {
    for_each = { for grant, actions in local.footage : grant => actions if contains(var.grants, grant) }

    content {
      sid       = statement.key == "footage:read" ? "ReadFootage" : "WriteFootage"
      actions   = statement.value
      resources = [for prefix in var.granted.prefixes : "${var.granted.bucket_arn}/${prefix}*"]
    }
  }

  # Without it S3 answers 403 where an object has been deleted, and the message would be retried for nothing. In a bucket that
  # others use too it would name their objects; S3 asks for it without a prefix there, so it cannot be held to one.
  dynamic "statement" {
    for_each = contains(var.grants, "footage:read") && contains(var.granted.prefixes, "") ? [1] : []

    content {
      sid       = "TellMissingFromForbidden"
      actions   = ["s3:ListBucket"]
      resources = [var.granted.bucket_arn]
    }
  }

  # Names and sizes alone. In a bucket that others use too it would name their objects, so nobody has it there.
  dynamic "statement" {
    for_each = contains(var.grants, "footage:list") && contains(var.granted.prefixes, "") ? [1] : []

    content {
      sid       = "ListFootage"
      actions   = ["s3:ListBucketVersions"]
      resources = [var.granted.bucket_arn]
    }
  }

  # What is written there is new: the program puts nothing over what is there. Whoever deletes an export deletes the newest version.
  dynamic "statement" {
    for_each = contains(var.grants, "exports:write") ? [1] : []

    content {
      sid       = "KeepExports"
      actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
      resources = ["${var.granted.bucket_arn}/exports/*"]
    }
  }

  dynamic "statement" {
    for_each = contains(var.grants, "exports:write") ? [1] : []

    content {
      sid       = "ListExports"
      actions   = ["s3:ListBucketVersions"]
      resources = [var.granted.bucket_arn]

      condition {
        test     = "StringLike"
        variable = "s3:prefix"
        values   = ["exports/*"]
      }
    }
  }

  # S3 and DynamoDB decrypt for the caller.
  dynamic "statement" {
    for_each = var.granted.encryption_key_arn != null && length(setintersection(var.grants, keys(local.encrypted))) > 0 ? [1] : []

    content {
      sid       = "Decrypt"
      actions   = concat(["kms:Decrypt"], length(setintersection(var.grants, ["footage:write", "exports:write"])) > 0 ? ["kms:GenerateDataKey"] : [])
      resources = [var.granted.encryption_key_arn]

      # Excludes direct decryption of any ciphertext.
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values = [for service in distinct([for grant, service in local.encrypted : service if contains(var.grants, grant)]) :
        "${service}.${data.aws_region.current.id}.amazonaws.com"]
      }
    }
  }

  dynamic "statement" {
    for_each = contains(var.grants, "records:publish") ? [1] : []

    content {
      sid       = "PublishRecords"
      actions   = ["events:PutEvents"]
      resources = [var.granted.bus_arn]
    }
  }

  dynamic "statement" {
    for_each = contains(var.grants, "ledger:claim") ? [1] : []

    content {
      sid       = "ClaimWork"
      actions   = ["dynamodb:GetItem", "dynamodb:PutItem"]
      resources = [var.granted.table_arn]
    }
  }

  # Rekognition's images have no names to hold a right to.
  dynamic "statement" {
    for_each = strcontains(local.detectors, "rekognition:") ? [1] : []

    content {
      sid       = "DetectLabels"
      actions   = ["rekognition:DetectLabels"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = length(local.models) > 0 ? [1] : []

    content {
      sid       = "ReadModels"
      actions   = ["s3:GetObject"]
      resources = local.models
    }
  }

  # The user of the database that it logs in as, with a token that it makes itself.
  dynamic "statement" {
    for_each = var.granted.database_user_arn == null ? [] : [var.granted.database_user_arn]

    content {
      sid       = "LogInToCatalogue"
      actions   = ["rds-db:connect"]
      resources = [statement.value]
    }
  }

  # Lambda makes interfaces in the network with the function's own role. AWS knows no resources for it.
  dynamic "statement" {
    for_each = var.network == null ? [] : [1]

    content {
      sid = "JoinNetwork"
      actions = [
        "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
      ]
      resources = ["*"]
    }
  }

  # The program has that role too, and has no business with interfaces.
  dynamic "statement" {
    for_each = var.network == null ? [] : [1]

    content {
      sid       = "OnlyLambdaItself"
      effect    = "Deny"
      actions   = ["ec2:*"]
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = ["arn:${data.aws_partition.current.partition}:lambda:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:function:${var.name}"]
      }
    }
  }

  dynamic "statement" {
    for_each = var.tracing == "Active" ? [1] : []

    content {
      sid       = "Trace"
      actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
      resources = ["*"]
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "grants"
  role   = aws_iam_role.this.id
  policy = data.aws_iam_policy_document.this.json
}
