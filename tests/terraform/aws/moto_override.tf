# Copied beside a copy of the root by the tests, and by nothing else; Terraform merges it into the root's provider block.
# Where the server is, AWS_ENDPOINT_URL says.
provider "aws" {
  # On loopback a bucket cannot be a host name.
  s3_use_path_style = true
}
