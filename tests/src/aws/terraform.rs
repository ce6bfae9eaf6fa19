//! Terraform on a copy of the unmodified root, with one test-only file added that sets AWS's endpoints
//! (`tests/terraform/aws/moto_override.tf`). Providers come from a directory, so no registry is used.

use super::REGION;
use super::account::Identity;
use crate::bucket::files;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The directory with providers in CI. Directories in `FRAMEPOST_TF_PLUGINS` (separated by colons) come first.
const PLUGIN_DIRECTORY: &str = "/opt/tf-plugins";

/// Returns a directory with the AWS provider. Returns `None` and logs a skip if Terraform
/// or the provider is missing.
pub fn plugins() -> Option<PathBuf> {
    if !Command::new("terraform").arg("version").output().is_ok_and(|tried| tried.status.success()) {
        crate::skip("terraform is not installed, and this test applies the AWS root");
        return None;
    }
    let named = std::env::var_os("FRAMEPOST_TF_PLUGINS").unwrap_or_default();
    let mut directories = std::env::split_paths(&named).chain([PathBuf::from(PLUGIN_DIRECTORY)]);
    let found = directories.find(|directory| directory.join("registry.terraform.io/hashicorp/aws").is_dir());
    if found.is_none() {
        crate::skip("no directory of FRAMEPOST_TF_PLUGINS has the AWS provider, and this test applies the AWS root");
    }
    found
}

/// The result of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    Empty,
    /// The plan's text, if there are changes.
    Changes(String),
}

#[derive(Debug)]
pub struct Terraform {
    directory: tempfile::TempDir,
    plugins: PathBuf,
    endpoint: String,
}

impl Terraform {
    /// Copies this repository's Terraform, to apply it to the account at `endpoint` with `variables`.
    pub fn new(plugins: &Path, endpoint: &str, variables: &Value) -> Self {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests lie in the repository");
        let directory = tempfile::tempdir().expect("a temporary directory");
        for part in ["terraform/aws", "terraform/modules/any", "terraform/modules/aws", "functions", "events/schemas"] {
            for file in files(&repository.join(part)) {
                let name = file.strip_prefix(repository).expect("a file of the repository");
                let is_needed = name.extension().is_some_and(|kind| kind == "tf" || kind == "json")
                    || name.ends_with("function.yaml");
                if is_needed && !name.components().any(|part| part.as_os_str() == "tests") {
                    let place = directory.path().join(name);
                    std::fs::create_dir_all(place.parent().expect("a file lies in a directory")).expect("a directory");
                    std::fs::copy(&file, &place).expect("a file is copied");
                }
            }
        }
        let this = Self { directory, plugins: plugins.to_owned(), endpoint: endpoint.to_owned() };
        let override_file = repository.join("tests/terraform/aws/moto_override.tf");
        std::fs::copy(override_file, this.root().join("moto_override.tf")).expect("the override is copied");
        this.set(variables);
        this
    }

    /// Sets other variables for the next plan.
    pub fn set(&self, variables: &Value) {
        let file = self.root().join("terraform.tfvars.json");
        std::fs::write(file, variables.to_string()).expect("the variables are written");
    }

    fn root(&self) -> PathBuf {
        self.directory.path().join("terraform/aws")
    }

    /// Runs `terraform ARGUMENTS…` in an environment without AWS's own files and services.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("terraform");
        command.arg(format!("-chdir={}", self.root().display())).args(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") || name.to_string_lossy().starts_with("TF_") {
                command.env_remove(name);
            }
        }
        Identity::administrator().give_to(&mut command);
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("CHECKPOINT_DISABLE", "true")
            .env("TF_IN_AUTOMATION", "true");
        command.output().unwrap_or_else(|error| panic!("terraform cannot be started: {error}"))
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "terraform {arguments:?}: {}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn init(&self) {
        let plugins = format!("-plugin-dir={}", self.plugins.display());
        self.done(&["init", "-input=false", "-no-color", &plugins]);
    }

    pub fn validate(&self) {
        self.done(&["validate", "-no-color"]);
    }

    pub fn plan(&self) -> Plan {
        let output = self.run(&["plan", "-input=false", "-no-color", "-detailed-exitcode"]);
        match output.status.code() {
            Some(0) => Plan::Empty,
            Some(2) => Plan::Changes(String::from_utf8_lossy(&output.stdout).into_owned()),
            _ => panic!("terraform plan: {}", said(&output)),
        }
    }

    pub fn apply(&self) {
        self.done(&["apply", "-input=false", "-no-color", "-auto-approve"]);
    }

    /// Every output's value, sensitive ones too.
    pub fn outputs(&self) -> Value {
        let text = self.done(&["output", "-json", "-no-color"]);
        let outputs: Value = serde_json::from_str(&text).expect("terraform output says JSON");
        let outputs = outputs.as_object().into_iter().flatten();
        outputs.map(|(name, output)| (name.clone(), output["value"].clone())).collect::<serde_json::Map<_, _>>().into()
    }

    /// Runs `terraform destroy`. Returns its error text if anything is left in the state.
    pub fn destroy(&self) -> Result<(), String> {
        let output = self.run(&["destroy", "-input=false", "-no-color", "-auto-approve"]);
        if !output.status.success() {
            return Err(said(&output));
        }
        let left = self.done(&["state", "list"]);
        if left.trim().is_empty() { Ok(()) } else { Err(format!("still in the state: {left}")) }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
