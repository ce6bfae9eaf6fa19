variable "directory" {
  description = "Where */function.yaml are."
  type        = string
}

variable "environment" {
  description = "Variables of every function."
  type        = map(string)
  default     = {}
}

variable "overrides" {
  description = "By function, what its function.yaml says otherwise; enabled says whether it is deployed, true unless given."
  type        = any
  default     = {}
}
