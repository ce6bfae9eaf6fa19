variable "directory" {
  description = "Directory whose subdirectories are functions, each with a function.yaml."
  type        = string
}

variable "environment" {
  description = "Environment variables that every function gets."
  type        = map(string)
  default     = {}
}

variable "overrides" {
  description = "By function: keys that replace those of its function.yaml. enabled says whether it is deployed, true unless set."
  type        = any
  default     = {}
}
