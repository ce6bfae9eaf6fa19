# What the provider would have answered, for the tests of every module and of the root.

mock_data "aws_caller_identity" {
  defaults = { account_id = "123456789012" }
}
mock_data "aws_region" {
  defaults = { id = "eu-central-1" }
}
mock_data "aws_partition" {
  defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
}
mock_data "aws_iam_policy_document" {
  defaults = { json = "{}" }
}
mock_data "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::theirs" }
}
mock_data "aws_s3_object" {
  defaults = { version_id = "v1", etag = "e1" }
}
mock_data "aws_iot_endpoint" {
  defaults = { endpoint_address = "abc.credentials.iot.eu-central-1.amazonaws.com" }
}
mock_resource "aws_s3_bucket" {
  defaults = { arn = "arn:aws:s3:::framepost-footage-123456789012-eu-central-1" }
}
mock_resource "aws_sqs_queue" {
  defaults = { arn = "arn:aws:sqs:eu-central-1:123456789012:q", url = "https://sqs.eu-central-1.amazonaws.com/123456789012/q" }
}
mock_resource "aws_cloudwatch_event_bus" {
  defaults = { arn = "arn:aws:events:eu-central-1:123456789012:event-bus/b" }
}
mock_resource "aws_cloudwatch_event_rule" {
  defaults = { arn = "arn:aws:events:eu-central-1:123456789012:rule/r" }
}
mock_resource "aws_cloudwatch_log_group" {
  defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:l" }
}
mock_resource "aws_lambda_function" {
  defaults = { arn = "arn:aws:lambda:eu-central-1:123456789012:function:f" }
}
mock_resource "aws_iam_role" {
  defaults = { arn = "arn:aws:iam::123456789012:role/r" }
}
mock_resource "aws_iam_user" {
  defaults = { arn = "arn:aws:iam::123456789012:user/u" }
}
mock_resource "aws_iam_policy" {
  defaults = { arn = "arn:aws:iam::123456789012:policy/p" }
}
mock_resource "aws_sns_topic" {
  defaults = { arn = "arn:aws:sns:eu-central-1:123456789012:t" }
}
mock_resource "aws_dynamodb_table" {
  defaults = { arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/t" }
}
mock_resource "aws_lambda_function_url" {
  defaults = { function_url = "https://abc.lambda-url.eu-central-1.on.aws/" }
}
mock_data "aws_availability_zones" {
  defaults = { names = ["eu-central-1a", "eu-central-1b", "eu-central-1c"] }
}
mock_data "aws_secretsmanager_secret_version" {
  defaults = { secret_string = "postgres://framepost:secret@db.theirs/framepost?sslmode=require" }
}
mock_resource "aws_rds_cluster" {
  defaults = {
    arn                 = "arn:aws:rds:eu-central-1:123456789012:cluster:c"
    endpoint            = "c.cluster-1.eu-central-1.rds.amazonaws.com"
    port                = 5432
    cluster_resource_id = "cluster-1"
    master_user_secret  = [{ secret_arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:s", secret_status = "active", kms_key_id = "k" }]
  }
}
mock_resource "aws_vpc_endpoint" {
  defaults = { prefix_list_id = "pl-1" }
}
mock_resource "aws_kinesis_firehose_delivery_stream" {
  defaults = { arn = "arn:aws:firehose:eu-central-1:123456789012:deliverystream/s" }
}
