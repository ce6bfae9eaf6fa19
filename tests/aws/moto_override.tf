# Laid beside a copy of the root by the end-to-end tests, and by nothing else. AWS_ENDPOINT_URL says where moto is; this is
# what the environment cannot say.
provider "aws" {
  # Buckets are no hosts on loopback.
  s3_use_path_style = true
}
