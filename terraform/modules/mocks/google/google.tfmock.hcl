# What the provider would have answered, for the tests of every module and of the root.

mock_data "google_project" {
  defaults = { number = "123456789012" }
}
mock_data "google_storage_project_service_account" {
  defaults = { member = "serviceAccount:service-123456789012@gs-project-accounts.iam.gserviceaccount.com" }
}
mock_data "google_bigquery_default_service_account" {
  defaults = { email = "bq-123456789012@bigquery-encryption.iam.gserviceaccount.com" }
}
mock_data "google_storage_bucket" {
  defaults = { uniform_bucket_level_access = true }
}
mock_resource "google_pubsub_topic" {
  defaults = { id = "projects/footage-prod/topics/mocked" }
}
mock_resource "google_pubsub_subscription" {
  defaults = { id = "projects/footage-prod/subscriptions/mocked" }
}
mock_resource "google_service_account" {
  defaults = {
    name   = "projects/footage-prod/serviceAccounts/mocked@footage-prod.iam.gserviceaccount.com"
    email  = "mocked@footage-prod.iam.gserviceaccount.com"
    member = "serviceAccount:mocked@footage-prod.iam.gserviceaccount.com"
  }
}
mock_resource "google_service_account_key" {
  defaults = { private_key = "e30=" }
}
mock_resource "google_cloud_run_v2_service" {
  defaults = { uri = "https://mocked-ew.a.run.app" }
}
mock_resource "google_sql_database_instance" {
  defaults = { connection_name = "footage-prod:europe-west1:framepost-catalogue" }
}
