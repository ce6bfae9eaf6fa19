output "name" {
  description = "The Lambda function's name."
  value       = aws_lambda_function.this.function_name
}

output "arn" {
  description = "The Lambda function's ARN."
  value       = aws_lambda_function.this.arn
}

output "role_arn" {
  description = "The role that the function works under."
  value       = aws_iam_role.this.arn
}

output "log_group" {
  description = "The log group's name."
  value       = aws_cloudwatch_log_group.this.name
}

output "url" {
  description = "Where requests go, where they trigger it: its URL and the path."
  value       = try("${trimsuffix(aws_lambda_function_url.this[0].function_url, "/")}${var.http.path}", null)
}
