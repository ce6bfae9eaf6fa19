# The function of the guide in functions/README.md. tests/terraform/run lays this file beside the root's own tests, and
# what the guide writes into guide/functions.
mock_provider "google" {
  source = "../modules/mocks/google"
}

run "a_function_is_added_in_ten_steps" {
  variables {
    project = "footage-prod"
    region  = "europe-west1"
    site    = "plant-7"
    functions = {
      images    = "europe-west1-docker.pkg.dev/footage-prod/framepost/{function}:1.4.0"
      directory = "../../guide/functions"
    }
  }

  assert {
    condition     = keys(output.functions) == ["pace"] && keys(output.events.pace.subscriptions) == ["record"] && output.events.pace.replay_topic != null
    error_message = "The function of the guide is not there, or not triggered by records: ${jsonencode(output.events)}"
  }

  assert {
    condition     = module.function["pace"].service.name == "framepost-pace" && length(output.functions.pace.grants) == 0
    error_message = "It runs as something else, or may do something: ${jsonencode(output.functions)}"
  }
}
