mock_provider "aws" {
  source = "../../mocks/aws"

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/framepost-probe" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/aws/lambda/framepost-probe" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:framepost-probe" }
  }
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

run "runs_the_zip_on_arm" {
  assert {
    condition     = aws_lambda_function.this.runtime == "provided.al2023" && aws_lambda_function.this.handler == "bootstrap" && aws_lambda_function.this.architectures == tolist(["arm64"])
    error_message = "a Rust bootstrap on arm64"
  }
  assert {
    condition     = aws_lambda_function.this.source_code_hash == filebase64sha256("main.tf")
    error_message = "another zip is another deployment"
  }
  assert {
    condition     = one(aws_lambda_function.this.environment).variables == tomap({ FRAMEPOST_RECORDS = "eventbridge:framepost-records" })
    error_message = "its environment and nothing else"
  }
}

run "answers_message_by_message" {
  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "one bad message must not bring nine good ones back"
  }
  assert {
    condition     = one(aws_lambda_event_source_mapping.queue[0].scaling_config).maximum_concurrency == 50 && aws_lambda_function.this.reserved_concurrent_executions == -1
    error_message = "concurrency is bounded at the queue, and taken from nobody"
  }
  assert {
    condition     = aws_lambda_event_source_mapping.queue[0].batch_size == 10 && aws_lambda_event_source_mapping.queue[0].event_source_arn == var.queue.arn
    error_message = "from its queue"
  }
}

run "logs_are_kept_as_long_as_was_said" {
  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/framepost-probe" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "the group that Lambda would otherwise make for ever"
  }
  assert {
    condition     = one(aws_lambda_function.this.logging_config).log_format == "JSON" && one(aws_lambda_function.this.logging_config).log_group == "/aws/lambda/framepost-probe"
    error_message = "Lambda's own lines are JSON too"
  }
}

run "without_grants_it_can_only_work_its_queue" {
  assert {
    condition = sort(flatten([for s in data.aws_iam_policy_document.this.statement : tolist(s.actions)])) == sort([
      "logs:CreateLogStream", "logs:PutLogEvents",
      "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage", "sqs:SendMessage",
    ])
    error_message = "take work, park what is rejected, log"
  }
  assert {
    condition     = !anytrue(flatten([for s in data.aws_iam_policy_document.this.statement : [for r in s.resources : r == "*"]]))
    error_message = "each on one resource"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s if s.sid == "ParkRejected"]).resources == toset([var.queue.dead_letters_arn])
    error_message = "it may send to its dead-letter queue alone"
  }
}

run "every_grant" {
  variables {
    grants = ["footage:read", "footage:write", "records:publish", "ledger:claim"]
    granted = {
      bucket_arn         = "arn:aws:s3:::footage"
      encryption_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
      bus_arn            = "arn:aws:events:eu-central-1:123456789012:event-bus/framepost-records"
      table_arn          = "arn:aws:dynamodb:eu-central-1:123456789012:table/framepost-ledger"
    }
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.this.statement : s.sid => one(s.resources) if !contains(["Log", "TakeWork", "ParkRejected"], s.sid) } == {
      ReadFootage              = "arn:aws:s3:::footage/*"
      WriteFootage             = "arn:aws:s3:::footage/*"
      TellMissingFromForbidden = "arn:aws:s3:::footage"
      Decrypt                  = "arn:aws:kms:eu-central-1:123456789012:key/1"
      PublishRecords           = "arn:aws:events:eu-central-1:123456789012:event-bus/framepost-records"
      ClaimWork                = "arn:aws:dynamodb:eu-central-1:123456789012:table/framepost-ledger"
    }
    error_message = "each grant on its resource"
  }
  assert {
    condition     = !anytrue([for a in flatten([for s in data.aws_iam_policy_document.this.statement : tolist(s.actions)]) : can(regex("^s3:Delete|\\*", a))])
    error_message = "no function may delete footage, and none has a wildcard"
  }
  assert {
    condition = one([for s in data.aws_iam_policy_document.this.statement : s.condition if s.sid == "Decrypt"]) == toset([
    { test = "StringEquals", variable = "kms:ViaService", values = tolist(["s3.eu-central-1.amazonaws.com", "dynamodb.eu-central-1.amazonaws.com"]) }])
    error_message = "the key is used through the services that hold what is encrypted, and not by itself"
  }
}

run "exports_are_kept_below_exports" {
  variables {
    grants  = ["footage:read", "exports:write"]
    granted = { bucket_arn = "arn:aws:s3:::footage", prefixes = ["plant-7/"], encryption_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1" }
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.this.statement : s.sid => [s.actions, s.resources] if contains(["ReadFootage", "KeepExports", "ListExports"], s.sid) } == {
      ReadFootage = [toset(["s3:GetObject", "s3:GetObjectVersion"]), toset(["arn:aws:s3:::footage/plant-7/*"])]
      KeepExports = [toset(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]), toset(["arn:aws:s3:::footage/exports/*"])]
      ListExports = [toset(["s3:ListBucketVersions"]), toset(["arn:aws:s3:::footage"])]
    }
    error_message = "it writes and deletes nothing else: ${jsonencode(data.aws_iam_policy_document.this.statement)}"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s.condition if s.sid == "ListExports"]) == toset([{ test = "StringLike", variable = "s3:prefix", values = tolist(["exports/*"]) }])
    error_message = "and lists nothing else"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s.actions if s.sid == "Decrypt"]) == toset(["kms:Decrypt", "kms:GenerateDataKey"])
    error_message = "S3 encrypts what it writes"
  }
}

run "listing_is_no_reading" {
  variables {
    grants  = ["footage:list"]
    granted = { bucket_arn = "arn:aws:s3:::footage" }
  }
  assert {
    condition     = flatten([for s in data.aws_iam_policy_document.this.statement : [for action in s.actions : action if startswith(action, "s3:")]]) == ["s3:ListBucketVersions"]
    error_message = "names and sizes alone"
  }
}

run "in_a_bucket_of_others_nothing_is_listed" {
  variables {
    grants  = ["footage:list"]
    granted = { bucket_arn = "arn:aws:s3:::footage", prefixes = ["plant-7/"] }
  }
  assert {
    condition     = !anytrue([for s in data.aws_iam_policy_document.this.statement : s.sid == "ListFootage"])
    error_message = "it would name their objects"
  }
}

run "writing_is_no_reading" {
  variables {
    grants  = ["footage:write"]
    granted = { bucket_arn = "arn:aws:s3:::footage", encryption_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1" }
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.this.statement : s.sid => s.actions if !contains(["Log", "TakeWork", "ParkRejected"], s.sid) } == {
      WriteFootage = toset(["s3:PutObject"])
      Decrypt      = toset(["kms:Decrypt", "kms:GenerateDataKey"])
    }
    error_message = "new objects, encrypted"
  }
}

run "requests_of_whom_iam_lets" {
  variables {
    queue           = null
    http            = { path = "/v1", auth = "cloud" }
    max_concurrency = 20
  }
  assert {
    condition     = aws_lambda_function_url.this[0].authorization_type == "AWS_IAM" && aws_lambda_function_url.this[0].invoke_mode == "RESPONSE_STREAM" && length(aws_lambda_permission.everybody) == 0
    error_message = "a URL that IAM guards, and streams"
  }
  assert {
    condition     = output.url == "https://abc.lambda-url.eu-central-1.on.aws/v1"
    error_message = "with its path: ${output.url}"
  }
  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 20 && length(aws_lambda_event_source_mapping.queue) == 0
    error_message = "max_concurrency bounds requests"
  }
  assert {
    condition     = [for s in data.aws_iam_policy_document.this.statement : s.sid] == ["Log"]
    error_message = "there is no queue to work"
  }
}

run "requests_of_everybody" {
  variables {
    queue = null
    http  = { auth = "function" }
  }
  assert {
    condition     = aws_lambda_function_url.this[0].authorization_type == "NONE" && aws_lambda_permission.everybody[0].principal == "*" && aws_lambda_permission.everybody[0].action == "lambda:InvokeFunction"
    error_message = "both rights that a public URL takes"
  }
}

run "in_a_bucket_of_others_it_reads_below_the_sites" {
  variables {
    grants = ["footage:read"]
    granted = {
      bucket_arn         = "arn:aws:s3:::theirs"
      prefixes           = ["dock/", "plant-7/"]
      encryption_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/1"
    }
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s.resources if s.sid == "ReadFootage"]) == toset(["arn:aws:s3:::theirs/dock/*", "arn:aws:s3:::theirs/plant-7/*"])
    error_message = "the sites' objects"
  }
  assert {
    condition     = !contains(flatten([for s in data.aws_iam_policy_document.this.statement : tolist(s.actions)]), "s3:ListBucket")
    error_message = "and no names of others"
  }
  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.this.statement : s.condition if s.sid == "Decrypt"])).values == tolist(["s3.eu-central-1.amazonaws.com"])
    error_message = "the key through S3 alone"
  }
}

run "tracing_brings_its_permission" {
  variables {
    tracing = "Active"
  }
  assert {
    condition     = one(aws_lambda_function.this.tracing_config).mode == "Active" && contains([for s in data.aws_iam_policy_document.this.statement : s.sid], "Trace")
    error_message = "traces can be sent"
  }
}

run "from_s3_with_a_version" {
  variables {
    package = { s3 = { bucket = "releases", key = "framepost/v1/probe.zip" } }
  }
  assert {
    condition     = aws_lambda_function.this.s3_bucket == "releases" && aws_lambda_function.this.s3_key == "framepost/v1/probe.zip" && aws_lambda_function.this.s3_object_version == "v1"
    error_message = "that version of the object"
  }
  assert {
    condition     = aws_lambda_function.this.source_code_hash == "e1"
    error_message = "another object is another deployment"
  }
}

run "from_s3_without_versions" {
  variables {
    package = { s3 = { bucket = "releases", key = "probe.zip" } }
  }
  override_data {
    target = data.aws_s3_object.package[0]
    values = { version_id = "null", etag = "e2" }
  }
  assert {
    condition     = aws_lambda_function.this.s3_object_version == null
    error_message = "\"null\" is no version"
  }
}

run "an_image_has_no_runtime" {
  variables {
    package = { image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/framepost/infer:1.4.0" }
  }
  assert {
    condition     = aws_lambda_function.this.package_type == "Image" && aws_lambda_function.this.image_uri == var.package.image && aws_lambda_function.this.handler == null && aws_lambda_function.this.filename == null
    error_message = "the image says what is run"
  }
}

run "detecting_is_what_the_detectors_need" {
  variables {
    grants      = ["pictures:detect"]
    environment = { FRAMEPOST_DETECTOR = "a=onnx:s3://their-models/yolox/nano@50,b=rekognition:@50" }
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.this.statement : s.sid => tolist(s.resources) if contains(["DetectLabels", "ReadModels"], s.sid) } == {
      DetectLabels = tolist(["*"])
      ReadModels   = tolist(["arn:aws:s3:::their-models/yolox/nano/*"])
    }
    error_message = "the service and the model, and no other object of that bucket"
  }
}

run "detecting_here_needs_nothing" {
  variables {
    grants      = ["pictures:detect"]
    environment = { FRAMEPOST_DETECTOR = "motion:" }
  }
  assert {
    condition     = !anytrue([for s in data.aws_iam_policy_document.this.statement : contains(["DetectLabels", "ReadModels"], s.sid)])
    error_message = "no service is called"
  }
}

run "without_the_grant_a_detector_brings_no_right" {
  variables {
    environment = { FRAMEPOST_DETECTOR = "rekognition:" }
  }
  assert {
    condition     = !anytrue([for s in data.aws_iam_policy_document.this.statement : s.sid == "DetectLabels"])
    error_message = "rights come from grants"
  }
}

run "in_a_network" {
  variables {
    network = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
    secrets = { FRAMEPOST_CATALOG = "postgres://framepost@db/framepost?sslmode=require&login=aws" }
    granted = { database_user_arn = "arn:aws:rds-db:eu-central-1:123456789012:dbuser:cluster-1/framepost" }
  }
  assert {
    condition     = one(aws_lambda_function.this.vpc_config).subnet_ids == toset(["subnet-1", "subnet-2"]) && one(aws_lambda_function.this.vpc_config).security_group_ids == toset(["sg-1"])
    error_message = "it runs in the subnets"
  }
  assert {
    condition     = nonsensitive(one(aws_lambda_function.this.environment).variables["FRAMEPOST_CATALOG"]) == "postgres://framepost@db/framepost?sslmode=require&login=aws" && contains(keys(one(aws_lambda_function.this.environment).variables), "FRAMEPOST_RECORDS")
    error_message = "secrets are a part of its environment"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s if s.sid == "LogInToCatalogue"]).resources == toset(["arn:aws:rds-db:eu-central-1:123456789012:dbuser:cluster-1/framepost"])
    error_message = "it logs in as one user of one database"
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.this.statement : s.effect if s.sid == "OnlyLambdaItself"]) == "Deny" && one(one([for s in data.aws_iam_policy_document.this.statement : s.condition if s.sid == "OnlyLambdaItself"])).values == tolist(["arn:aws:lambda:eu-central-1:123456789012:function:framepost-probe"])
    error_message = "the program itself makes no interfaces"
  }
}

run "without_a_network" {
  assert {
    condition     = length(aws_lambda_function.this.vpc_config) == 0 && !anytrue([for s in data.aws_iam_policy_document.this.statement : contains(["JoinNetwork", "OnlyLambdaItself", "LogInToCatalogue"], s.sid)])
    error_message = "and no rights that only a network needs"
  }
}
