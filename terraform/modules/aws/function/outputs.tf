output "name" {
  description = "Name of the Lambda function, which metrics and alarms go by."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "ARN of the Lambda function, without a version."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "The role that the function works under."
  value       = aws_iam_role.this.arn
}

output "log_group" {
  description = "Name of the log group that the function writes to."
  value       = aws_cloudwatch_log_group.this.name
}

output "url" {
  description = "The function's URL with the path for requests; null if requests do not trigger it."
  value       = try("${trimsuffix(aws_lambda_function_url.this[0].function_url, "/")}${var.http.path}", null)
}
