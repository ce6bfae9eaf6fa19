//! `framepost replay` in both clouds: objects that are in a bucket are given to one function again.

use framepost_events::finalized::{self, Notice};
use framepost_tests::aws::account::Account;
use framepost_tests::aws::moto::{self, Moto};
use framepost_tests::aws::queue::Queue;
use framepost_tests::binaries::{Output, Program, Running};
use framepost_tests::google_emulators::GoogleEmulators;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_mins(2);

fn keys() -> Vec<String> {
    let of_site =
        |site: &'static str| (0..12).map(move |n| format!("{site}/2026-11-20/gate/15/08-{:02}Z.{n}.mp4", 3 * n));
    of_site("plant-7").chain(of_site("plant-8")).collect()
}

/// Runs `framepost replay probe` over one site and returns what it said.
fn replay(bucket: &str, state: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let mut command = Program::Framepost.command();
    command.args(["replay", "probe", "--bucket", bucket, "--site", "plant-7", "--state"]).arg(state);
    command.args(arguments).envs(environment.iter().copied());
    let mut running = Running::start(&mut command);
    running.wait_for_exit_code(0, PATIENCE);
    running.lines(Output::Stderr).join("\n")
}

fn event(notices: &[Notice]) -> String {
    match notices {
        [Notice::Finalized(event)] => event.key.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn objects_of_cloud_storage_go_to_the_functions_own_topic() {
    let Some(google) = GoogleEmulators::start() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = google.bucket();
    for key in keys() {
        google.overwrite(&bucket, &key, "video/mp4", b"footage");
    }
    let topic = google.topic();
    let subscription = google.subscription(&topic, 60);
    let environment = [
        ("FRAMEPOST_GCS_ENDPOINT", google.storage.as_str()),
        ("FRAMEPOST_PUBSUB_ENDPOINT", google.pubsub.as_str()),
        ("GOOGLE_CLOUD_PROJECT", google.project()),
    ];
    let url = format!("gs://{bucket}");
    let inbox = format!("pubsub:{topic}");
    let counted = replay(&url, directory.path(), &environment, &["--dry-run"]);
    assert!(counted.contains("12 objects") && counted.contains("USD"), "{counted}");
    let given = replay(&url, directory.path(), &environment, &["--yes", "--inbox", &inbox]);
    assert!(given.contains("12 objects, 12 messages given to probe"), "{given}");
    let told = google.drain(&subscription, PATIENCE, |messages| messages.len() >= 12);
    let mut told: Vec<String> = told
        .iter()
        .map(|message| {
            let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            event(&finalized::parse_pubsub(attributes, &message.data).expect("an event"))
        })
        .collect();
    told.sort();
    assert_eq!(told, keys()[..12]);
}

#[test]
fn objects_of_s3_go_to_the_functions_own_queue() {
    let Some(python) = moto::python() else {
        framepost_tests::skip("there is no moto; `tests/run setup` installs it");
        return;
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let moto = Moto::start(&python);
    let account = Account::of(&moto);
    let location =
        "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    account.s3("PUT", "/footage", &[], location.as_bytes()).expect("a bucket");
    for key in keys() {
        account.put_new("footage", &key, b"footage");
    }
    let made = account.json("sqs", "AmazonSQS.CreateQueue", &json!({ "QueueName": "framepost-probe" }));
    let queue = Queue::at(&account, made["QueueUrl"].as_str().expect("a queue has a URL"));
    let endpoint = moto.url();
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "administrator"),
        ("AWS_SECRET_ACCESS_KEY", "any"),
    ];
    let given = replay("s3://footage", directory.path(), &environment, &["--yes"]);
    assert!(given.contains("12 objects, 12 messages given to probe"), "{given}");
    let mut told: Vec<String> = Vec::new();
    while told.len() < 12 {
        let messages = queue.take();
        assert!(!messages.is_empty(), "{told:?}");
        told.extend(
            messages.iter().map(|message| event(&finalized::parse(message.body.as_bytes()).expect("an event"))),
        );
    }
    told.sort();
    assert_eq!(told, keys()[..12]);
}
