mock_provider "google" {
  source = "../../mocks/google"

  mock_resource "google_service_account" {
    defaults = {
      email  = "framepost-probe@footage-prod.iam.gserviceaccount.com"
      member = "serviceAccount:framepost-probe@footage-prod.iam.gserviceaccount.com"
    }
  }
}

variables {
  project      = "footage-prod"
  region       = "europe-west1"
  name         = "framepost-probe"
  function     = "probe"
  description  = "Says of each finished object what video it holds."
  image        = "europe-west1-docker.pkg.dev/footage-prod/framepost/probe:1.4.0"
  runtime      = { memory_mib = 128, timeout_s = 30, max_concurrency = 50 }
  environment  = { FRAMEPOST_CONTENT_CHECK = "head", FRAMEPOST_PUBLIC_KEYS = "" }
  grants       = ["footage:read", "records:publish"]
  bucket       = "framepost-footage-prod"
  records      = "projects/footage-prod/topics/framepost-records"
  dead_letters = { topic = "projects/footage-prod/topics/framepost-probe-dead-letters" }
}

run "the_service_is_what_the_function_says" {
  assert {
    condition     = google_cloud_run_v2_service.this.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY"
    error_message = "The service can be reached from outside."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].service_account == "framepost-probe@footage-prod.iam.gserviceaccount.com"
    error_message = "The service works under another identity than its own."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].image == var.image && google_cloud_run_v2_service.this.template[0].timeout == "30s"
    error_message = "Another image or timeout."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].containers[0].resources[0].limits == tomap({ cpu = "1", memory = "128Mi" }) && google_cloud_run_v2_service.this.template[0].containers[0].resources[0].cpu_idle
    error_message = "Other resources, or paid for while nothing is to do."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].max_instance_request_concurrency * google_cloud_run_v2_service.this.template[0].scaling[0].max_instance_count == 50
    error_message = "Not max_concurrency events at once."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.scaling[0].max_instance_count == google_cloud_run_v2_service.this.template[0].scaling[0].max_instance_count
    error_message = "Two revisions could have more in hand than one."
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].execution_environment == "EXECUTION_ENVIRONMENT_GEN1"
    error_message = "128 MiB are too few for the second generation."
  }

  assert {
    condition = { for e in google_cloud_run_v2_service.this.template[0].containers[0].env : e.name => e.value } == {
      FRAMEPOST_CONTENT_CHECK = "head"
      FRAMEPOST_DEAD_LETTERS  = "pubsub:projects/footage-prod/topics/framepost-probe-dead-letters"
      FRAMEPOST_RECORDS       = "pubsub:projects/footage-prod/topics/framepost-records"
    }
    error_message = "Another environment: ${jsonencode(google_cloud_run_v2_service.this.template[0].containers[0].env)}"
  }
}

run "grants_are_what_the_function_says_and_no_more" {
  assert {
    condition     = google_storage_bucket_iam_member.footage["footage:read:all"].role == "roles/storage.objectViewer" && google_storage_bucket_iam_member.footage["footage:read:all"].bucket == "framepost-footage-prod"
    error_message = "footage:read is reading that bucket."
  }

  assert {
    condition     = google_pubsub_topic_iam_member.records_publish[0].role == "roles/pubsub.publisher" && google_pubsub_topic_iam_member.records_publish[0].topic == var.records
    error_message = "records:publish is publishing on that topic."
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.footage) == 1 && length(google_storage_bucket_iam_member.ledger_claim) == 0
    error_message = "More than the grants name."
  }

  assert {
    condition     = google_pubsub_topic_iam_member.dead_letters[0].topic == var.dead_letters.topic && google_pubsub_topic_iam_member.dead_letters[0].member == google_service_account.this.member
    error_message = "The function cannot park what it rejects."
  }
}

run "in_a_bucket_of_others_grants_end_at_the_sites" {
  variables {
    grants   = ["footage:read", "footage:write"]
    bucket   = "theirs"
    prefixes = ["plant-7/", "dock/"]
  }

  assert {
    condition = alltrue([for m in google_storage_bucket_iam_member.footage :
    m.condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/theirs/objects/dock/\") || resource.name.startsWith(\"projects/_/buckets/theirs/objects/plant-7/\")"])
    error_message = "It reads what is not footage: ${google_storage_bucket_iam_member.footage["footage:read:0"].condition[0].expression}"
  }

  assert {
    condition     = keys(google_storage_bucket_iam_member.footage) == ["footage:read:0", "footage:write:0"]
    error_message = "There is another grant beside it, without a condition."
  }
}

run "exports_are_kept_in_their_folder" {
  variables {
    grants   = ["footage:read", "exports:write"]
    bucket   = "theirs"
    prefixes = ["plant-7/"]
    exports  = "exports/"
  }

  assert {
    condition     = google_storage_managed_folder_iam_member.exports[0].managed_folder == "exports/" && google_storage_managed_folder_iam_member.exports[0].bucket == "theirs" && google_storage_managed_folder_iam_member.exports[0].role == "roles/storage.objectUser" && google_storage_managed_folder_iam_member.exports[0].member == google_service_account.this.member
    error_message = "It writes and deletes there, and nowhere else."
  }

  assert {
    condition     = [for m in google_storage_bucket_iam_member.footage : m.role] == ["roles/storage.objectViewer"] && length(google_storage_bucket_iam_member.list) == 0
    error_message = "Footage is only read."
  }
}

run "exports_nowhere" {
  command = plan

  variables {
    grants = ["exports:write"]
  }

  expect_failures = [var.grants]
}

run "listing_is_no_reading" {
  variables {
    grants = ["footage:list"]
  }

  assert {
    condition     = google_storage_bucket_iam_member.list[0].role == "roles/storage.legacyBucketReader" && length(google_storage_bucket_iam_member.footage) == 0
    error_message = "Names and sizes alone."
  }
}

run "in_a_bucket_of_others_nothing_is_listed" {
  variables {
    grants   = ["footage:list"]
    prefixes = ["plant-7/"]
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.list) == 0
    error_message = "It would name their objects."
  }
}

run "more_sites_than_a_condition_holds" {
  variables {
    grants   = ["footage:read"]
    prefixes = [for n in range(23) : "site-${n}/"]
  }

  assert {
    condition     = length(google_storage_bucket_iam_member.footage) == 3 && alltrue([for m in google_storage_bucket_iam_member.footage : length(split("||", m.condition[0].expression)) <= 10])
    error_message = "IAM takes up to twelve operators in a condition."
  }
}

run "a_prefix_without_its_slash" {
  command = plan
  variables {
    prefixes = ["plant-7"]
  }
  expect_failures = [var.prefixes]
}

run "claims_only_below_its_own_name" {
  variables {
    grants = ["ledger:claim", "footage:write"]
    ledger = { bucket = "framepost-ledger-prod", url = "gs://framepost-ledger-prod" }
  }

  assert {
    condition     = google_storage_bucket_iam_member.ledger_claim[0].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/framepost-ledger-prod/objects/probe/\")"
    error_message = "It could take another function's claims: ${google_storage_bucket_iam_member.ledger_claim[0].condition[0].expression}"
  }

  assert {
    condition     = contains([for e in google_cloud_run_v2_service.this.template[0].containers[0].env : "${e.name}=${e.value}"], "FRAMEPOST_LEDGER=gs://framepost-ledger-prod/probe")
    error_message = "The function does not know its ledger."
  }

  assert {
    condition     = contains([for e in google_cloud_run_v2_service.this.template[0].containers[0].env : "${e.name}=${e.value}"], "FRAMEPOST_RECORDS=log:") && length(google_pubsub_topic_iam_member.records_publish) == 0
    error_message = "What may not be published is logged."
  }

  assert {
    condition     = { for key, member in google_storage_bucket_iam_member.footage : key => member.role } == { "footage:write:all" = "roles/storage.objectCreator" }
    error_message = "footage:write creates objects, and neither reads nor replaces them."
  }
}

run "requests_of_whom_iam_lets" {
  variables {
    dead_letters = null
    http         = { path = "/v1", auth = "cloud" }
  }

  assert {
    condition     = google_cloud_run_v2_service.this.ingress == "INGRESS_TRAFFIC_ALL" && length(google_cloud_run_v2_service_iam_member.everybody) == 0
    error_message = "It is reached from everywhere, by whom run.invoker is granted."
  }

  assert {
    condition     = output.url == "https://mocked-ew.a.run.app/v1"
    error_message = "Its URL has its path: ${output.url}"
  }

  assert {
    condition     = !contains([for e in google_cloud_run_v2_service.this.template[0].containers[0].env : e.name], "FRAMEPOST_DEAD_LETTERS") && length(google_pubsub_topic_iam_member.dead_letters) == 0
    error_message = "Without messages nothing is parked."
  }
}

run "requests_of_everybody" {
  variables {
    dead_letters = null
    http         = { auth = "function" }
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_member.everybody[0].member == "allUsers" && google_cloud_run_v2_service_iam_member.everybody[0].role == "roles/run.invoker"
    error_message = "Somebody is kept out."
  }
}

run "messages_of_everybody_are_refused" {
  command = plan

  variables {
    http = { auth = "function" }
  }

  expect_failures = [var.http]
}

run "no_trigger_is_refused" {
  command = plan

  variables {
    dead_letters = null
  }

  expect_failures = [var.http]
}

run "one_at_a_time_is_one_at_a_time" {
  variables {
    runtime = { memory_mib = 2048, timeout_s = 570, max_concurrency = 3, cpu = 2, instance_concurrency = 1 }
  }

  assert {
    condition     = google_cloud_run_v2_service.this.template[0].max_instance_request_concurrency == 1 && google_cloud_run_v2_service.this.template[0].scaling[0].max_instance_count == 3
    error_message = "instance_concurrency is not followed."
  }
}

run "a_short_and_a_long_name_have_an_identity" {
  variables {
    name = "fp-x"
  }

  assert {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", google_service_account.this.account_id))
    error_message = "Not an account id: ${google_service_account.this.account_id}"
  }
}

run "a_long_name_has_an_identity" {
  variables {
    name = "framepost-production-europe-transcode"
  }

  assert {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", google_service_account.this.account_id))
    error_message = "Not an account id: ${google_service_account.this.account_id}"
  }
}

run "a_name_with_underscores_is_refused" {
  command = plan

  variables {
    name = "framepost_probe"
  }

  expect_failures = [var.name]
}

run "a_short_image_name_is_refused" {
  command = plan

  variables {
    image = "probe:latest"
  }

  expect_failures = [var.image]
}

run "half_a_cpu_is_refused" {
  command = plan

  variables {
    runtime = { memory_mib = 512, timeout_s = 30, max_concurrency = 10, cpu = 0.5 }
  }

  expect_failures = [var.runtime]
}

run "too_little_memory_for_the_cpus_is_refused" {
  command = plan

  variables {
    runtime = { memory_mib = 1024, timeout_s = 30, max_concurrency = 10, cpu = 4 }
  }

  expect_failures = [var.runtime]
}

run "no_concurrency_is_refused" {
  command = plan

  variables {
    runtime = { memory_mib = 128, timeout_s = 30, max_concurrency = 0 }
  }

  expect_failures = [var.runtime]
}

run "more_than_an_instance_takes_is_refused" {
  command = plan

  variables {
    runtime = { memory_mib = 128, timeout_s = 30, max_concurrency = 5000, instance_concurrency = 2000 }
  }

  expect_failures = [var.runtime]
}

run "an_environment_that_is_ours_is_refused" {
  command = plan

  variables {
    environment = { FRAMEPOST_RECORDS = "log:" }
  }

  expect_failures = [var.environment]
}

run "detecting_is_what_the_detectors_need" {
  variables {
    grants      = ["pictures:detect"]
    environment = { FRAMEPOST_DETECTOR = "a=onnx:gs://their-models/yolox/nano@50,b=vision:@50" }
  }

  assert {
    condition     = google_project_iam_member.detect[0].role == "roles/serviceusage.serviceUsageConsumer" && keys(google_storage_bucket_iam_member.models) == ["their-models/yolox/nano"]
    error_message = "The service and the model."
  }

  assert {
    condition     = google_storage_bucket_iam_member.models["their-models/yolox/nano"].bucket == "their-models" && google_storage_bucket_iam_member.models["their-models/yolox/nano"].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/their-models/objects/yolox/nano/\")"
    error_message = "No other object of that bucket."
  }
}

run "detecting_here_needs_nothing" {
  variables {
    grants      = ["pictures:detect"]
    environment = { FRAMEPOST_DETECTOR = "motion:" }
  }

  assert {
    condition     = length(google_project_iam_member.detect) + length(google_storage_bucket_iam_member.models) == 0
    error_message = "No service is called."
  }
}

run "an_unknown_grant_is_refused" {
  command = plan

  variables {
    grants = ["footage:delete"]
  }

  expect_failures = [var.grants]
}

run "claims_without_a_ledger_are_refused" {
  command = plan

  variables {
    grants = ["ledger:claim"]
  }

  expect_failures = [var.grants]
}

run "half_an_event_at_a_time_is_refused" {
  command = plan

  variables {
    runtime = { memory_mib = 128, timeout_s = 30, max_concurrency = 10, instance_concurrency = 1.5 }
  }

  expect_failures = [var.runtime]
}

run "it_logs_in_to_the_catalogue_as_itself" {
  variables {
    catalogue = { instance = "framepost-catalogue", connection_name = "footage-prod:europe-west1:framepost-catalogue", name = "framepost" }
    secrets   = { FRAMEPOST_API_KEY = "framepost-catalogue-key" }
  }

  assert {
    condition     = google_sql_user.catalogue[0].name == "framepost-probe@footage-prod.iam" && google_sql_user.catalogue[0].type == "CLOUD_IAM_SERVICE_ACCOUNT" && google_sql_user.catalogue[0].password == null
    error_message = "The database's user is not the service account, or has a password."
  }

  assert {
    condition = one([for env in google_cloud_run_v2_service.this.template[0].containers[0].env : env.value if env.name == "FRAMEPOST_CATALOG"]) == join("", [
      "postgres:///framepost?host=/cloudsql/footage-prod:europe-west1:framepost-catalogue&user=framepost-probe%40footage-prod.iam",
      "&login=gcp&sslmode=disable&reader=public&options=-c%20role%3Dcloudsqlsuperuser",
    ]) && google_sql_user.catalogue[0].database_roles == tolist(["cloudsqlsuperuser"])
    error_message = "It connects elsewhere, or as somebody else."
  }

  assert {
    condition     = one(google_cloud_run_v2_service.this.template[0].volumes[0].cloud_sql_instance[0].instances) == "footage-prod:europe-west1:framepost-catalogue" && google_cloud_run_v2_service.this.template[0].containers[0].volume_mounts[0].mount_path == "/cloudsql"
    error_message = "There is no socket."
  }

  assert {
    condition     = keys(google_project_iam_member.catalogue) == ["roles/cloudsql.client", "roles/cloudsql.instanceUser"] && alltrue([for member in google_project_iam_member.catalogue : strcontains(member.condition[0].expression, "instances/framepost-catalogue")])
    error_message = "It may connect to other instances too, or not to this one."
  }

  assert {
    condition     = one([for env in google_cloud_run_v2_service.this.template[0].containers[0].env : env.value_source[0].secret_key_ref[0].secret if env.name == "FRAMEPOST_API_KEY"]) == "framepost-catalogue-key" && google_secret_manager_secret_iam_member.read["framepost-catalogue-key"].role == "roles/secretmanager.secretAccessor"
    error_message = "It cannot read its secret."
  }
}

run "it_reads_the_catalogue_and_owns_nothing" {
  variables {
    catalogue        = { instance = "framepost-catalogue", connection_name = "footage-prod:europe-west1:framepost-catalogue", name = "framepost" }
    catalogue_access = "read"
  }

  assert {
    condition = one([for env in google_cloud_run_v2_service.this.template[0].containers[0].env : env.value if env.name == "FRAMEPOST_CATALOG"]) == join("", [
      "postgres:///framepost?host=/cloudsql/footage-prod:europe-west1:framepost-catalogue&user=framepost-probe%40footage-prod.iam",
      "&login=gcp&sslmode=disable&tables=awaited",
    ]) && length(google_sql_user.catalogue[0].database_roles) == 0
    error_message = "It may write."
  }
}

run "it_signs_for_nobody" {
  assert {
    condition     = length(google_service_account_iam_member.sign) == 0
    error_message = "Nobody asked for it."
  }
}

run "it_signs_for_itself_alone" {
  variables {
    signs_urls = true
  }

  assert {
    condition     = google_service_account_iam_member.sign[0].role == "roles/iam.serviceAccountTokenCreator" && google_service_account_iam_member.sign[0].service_account_id == google_service_account.this.name
    error_message = "It signs for somebody else."
  }
}
