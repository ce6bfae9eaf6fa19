output "functions" {
  description = "The functions that are not left out, by name."
  value       = local.functions

  precondition {
    condition = length(flatten(values(local.faults))) == 0
    error_message = join("\n", flatten([for name, faults in local.faults :
    [for fault in faults : "${var.directory}/${name}/function.yaml: ${fault}."]]))
  }
}
