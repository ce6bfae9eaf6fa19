//! A deployment of Framepost on AWS: an account with the root module applied to it.

use super::account::{Account, Identity};
use super::lambda::{Function, Mapping};
use super::moto::{Moto, python};
use super::package::{pack, pack_file};
use super::queue::Queue;
use super::terraform::{Terraform, plugins};
use super::{ACCOUNT, REGION};
use crate::binaries::{Program, Running};
use crate::edge::{EdgeConfig, SITE, backfill_as};
use crate::gateway::eventually;
use framepost_events::record::Record;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Terraform's variable for the directory with the functions' packages.
const PACKAGES: &str = "packages";

/// A deployment. Dropping it removes the account and everything in it.
#[derive(Debug)]
pub struct Deployment {
    pub moto: Moto,
    /// The account, as its administrator.
    pub account: Account,
    /// The root's working directory.
    pub terraform: Terraform,
    /// A directory for the test's own files.
    pub directory: tempfile::TempDir,
}

impl Deployment {
    /// Creates an account and applies the root to it. Returns `None` and logs a skip if a tool is missing.
    pub fn apply() -> Option<Self> {
        Self::apply_with(&json!({}))
    }

    /// The same with more in the variable `functions`.
    pub fn apply_with(functions: &Value) -> Option<Self> {
        Self::apply_all(functions, &json!({}), &[])
    }

    /// The same with other variables besides, and with packages of more functions, which are empty: what runs stands for them.
    pub fn apply_all(functions: &Value, besides: &Value, empty: &[Program]) -> Option<Self> {
        let plugins = plugins()?;
        let Some(python) = python() else {
            crate::skip(
                "moto 5.2.5 is not installed for Python (`tests/terraform/run setup` does), and this test needs it",
            );
            return None;
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let probe = directory.path().join(PACKAGES).join("probe");
        std::fs::create_dir_all(&probe).expect("a place for the package");
        pack(Program::Probe, &probe.join("bootstrap.zip"));
        for program in empty {
            let package = directory.path().join(PACKAGES).join(program.name());
            std::fs::create_dir_all(&package).expect("a place for the package");
            pack_file(Path::new("/dev/null"), &package.join("bootstrap.zip"));
        }
        let moto = Moto::start(&python);
        let mut variables = Self::variables(directory.path());
        for (name, value) in functions.as_object().into_iter().flatten() {
            variables["functions"][name] = value.clone();
        }
        for (name, value) in besides.as_object().into_iter().flatten() {
            variables[name] = value.clone();
        }
        let terraform = Terraform::new(&plugins, &moto.url(), &variables);
        terraform.init();
        terraform.validate();
        terraform.apply();
        Some(Self { account: Account::of(&moto), moto, terraform, directory })
    }

    fn variables(directory: &Path) -> Value {
        json!({
            "site": SITE, "region": REGION,
            "functions": { "packages": directory.join(PACKAGES), "architecture": "x86_64" },
        })
    }

    /// The same variables with others beside them.
    pub fn variables_with(&self, name: &str, value: Value) -> Value {
        let mut variables = Self::variables(self.directory.path());
        variables[name] = value;
        variables
    }

    /// Returns the root's outputs.
    pub fn outputs(&self) -> Outputs {
        Outputs(self.terraform.outputs())
    }

    /// Subscribes to all records with a rule on the bus and a queue.
    pub fn subscribe(&self, outputs: &Outputs) -> Subscriber {
        let bus = outputs.text("/records/bus_name");
        let rule_arn = format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{bus}/subscriber");
        let queue = Queue::for_rule(&self.account, "subscriber", &rule_arn);
        let pattern = json!({ "source": [{ "prefix": "framepost." }] }).to_string();
        let rule = json!({ "Name": "subscriber", "EventBusName": bus, "EventPattern": pattern });
        self.account.json("events", "AWSEvents.PutRule", &rule);
        let target = json!({ "Id": "queue", "Arn": queue.arn() });
        let targets = json!({ "Rule": "subscriber", "EventBusName": bus, "Targets": [target] });
        self.account.json("events", "AWSEvents.PutTargets", &targets);
        Subscriber { account: self.account.clone(), queue, bus }
    }

    /// The probe's event source mapping.
    pub fn probe(&self, outputs: &Outputs) -> Mapping {
        Mapping::deployed(&self.moto, self.probe_function(outputs))
    }

    pub fn probe_function(&self, outputs: &Outputs) -> Function {
        Function::deployed(&self.moto, &outputs.text("/functions/probe/name"))
    }

    /// Uploads `clip` in chunks of `window_s` seconds with the gateway's program and credential.
    pub fn backfill(&self, outputs: &Outputs, camera: &str, clip: &Path, window_s: u32) {
        let spool = self.directory.path().join("spool").join(camera);
        let mut command = backfill_as(camera, clip, &spool, &outputs.text("/bucket_url"));
        command.args([
            "--window",
            &format!("{window_s}s"),
            "--start",
            "2026-11-20T12:00:00Z",
            "--endpoint-url",
            &self.moto.url(),
        ]);
        outputs.gateway().give_to(&mut command);
        command.env("AWS_REGION", REGION);
        let mut running = Running::start(&mut command);
        running.wait_for_exit_code(0, Duration::from_mins(3));
    }
}

/// How long a gateway may take to put its first report, which it makes 10 s after its start.
const FIRST_REPORT: Duration = Duration::from_mins(1);

impl Deployment {
    /// Runs the gateway's program with the gateway's credential and `clip` for a live camera, until there is a report of it:
    /// the report's key.
    pub fn report(&self, outputs: &Outputs, camera: &str, clip: &Path) -> String {
        let spool = self.directory.path().join("spool").join(camera);
        let url = clip.to_string_lossy();
        let mut config = EdgeConfig::one_camera(&spool, &outputs.text("/bucket_url"), &url);
        camera.clone_into(&mut config.cameras[0].name);
        config.endpoint_url = Some(self.moto.url());
        config.report = "10s";
        let mut command = config.run(&self.directory.path().join("edge.toml"));
        outputs.gateway().give_to(&mut command);
        command.env("AWS_REGION", REGION);
        let mut running = Running::start(&mut command);
        let bucket = outputs.bucket();
        let report = || self.account.keys(&bucket).into_iter().find(|key| key.ends_with(".report.json"));
        eventually("a report is in the bucket", FIRST_REPORT, || report().is_some());
        running.interrupt();
        running.wait_for_exit_code(0, Duration::from_secs(30));
        report().expect("it was there")
    }
}

/// The outputs of the root.
#[derive(Debug, Clone)]
pub struct Outputs(pub Value);

impl Outputs {
    /// Returns an output's text by its JSON pointer.
    pub fn text(&self, pointer: &str) -> String {
        let found = self.0.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("the root has no output {pointer}: {:#}", self.0)).to_owned()
    }

    pub fn bucket(&self) -> String {
        self.text("/bucket/name")
    }

    /// The gateway's access key.
    pub fn gateway(&self) -> Identity {
        let key = |name| self.text(&format!("/gateway_access_keys/{SITE}/{name}"));
        Identity {
            access_key_id: key("access_key_id"),
            secret_access_key: key("secret_access_key"),
            session_token: None,
        }
    }

    /// One of the probe's queues: `queue`, `dead_letters` or `undelivered`.
    pub fn queue(&self, account: &Account, which: &str) -> Queue {
        Queue::at(account, &self.text(&format!("/events/probe/{which}/arn")))
    }
}

/// A subscriber to all records.
#[derive(Debug)]
pub struct Subscriber {
    account: Account,
    queue: Queue,
    bus: String,
}

impl Subscriber {
    /// Returns every record since the last call, including repeated ones. Checks that each envelope has
    /// the record's source and type.
    pub fn records(&self) -> Vec<Record> {
        let record = |text: &str| -> Result<Record, String> {
            let envelope: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
            let record: Record =
                serde_json::from_value(envelope["detail"].clone()).map_err(|error| error.to_string())?;
            let told = (envelope["source"].as_str(), envelope["detail-type"].as_str());
            let source = format!("framepost.{}", record.data.function());
            let expected = (Some(&*source), envelope["detail"]["type"].as_str());
            if told == expected { Ok(record) } else { Err(format!("the envelope says {told:?}")) }
        };
        let messages = self.queue.take();
        let records = messages.iter().map(|message| {
            record(&message.body).unwrap_or_else(|fault| panic!("not a record: {fault}: {}", message.body))
        });
        records.collect()
    }

    /// Removes the subscription, so that the bus can be destroyed.
    pub fn unsubscribe(self) {
        let bus = &self.bus;
        let targets = json!({ "Rule": "subscriber", "EventBusName": bus, "Ids": ["queue"] });
        self.account.json("events", "AWSEvents.RemoveTargets", &targets);
        let rule = json!({ "Name": "subscriber", "EventBusName": bus });
        self.account.json("events", "AWSEvents.DeleteRule", &rule);
    }
}
