output "name" {
  description = "The bucket's name, once it is as it should be: whoever uses this writes into a bucket that is protected."
  value       = var.name

  depends_on = [
    aws_s3_bucket_policy.footage,
    aws_s3_bucket_versioning.footage,
    aws_s3_bucket_server_side_encryption_configuration.footage,
    aws_s3_bucket_notification.footage,
  ]
}

# Does not depend on the policy, which itself depends on the gateways' ARNs.
output "arn" {
  description = "ARN of the bucket; unlike the name, it is known before the bucket's policy is in place."
  value       = local.bucket.arn
}

output "policy_json" {
  description = "The bucket's policy. For a bucket brought along: the statements that its owner adds to its policy."
  value       = data.aws_iam_policy_document.bucket.json
}
