//! Measures the probe as a Lambda and an empty Rust Lambda under the same Runtime API, alternating.
//!
//! Both are release builds made by `tests/run bench`. Objects come from the S3 endpoint of `framepost` and
//! records go to the log, so that moto is not measured.

use super::report::{Budget, MIB, median, row};
use super::{empty, resident_bytes, setting};
use framepost_events::KeyKind;
use framepost_tests::aws::account::Identity;
use framepost_tests::aws::lambda::{Function, Invoked, Sandbox};
use framepost_tests::aws::package::pack_file;
use framepost_tests::binaries::Program;
use framepost_tests::edge::backfill;
use framepost_tests::measure::{End, Measurement};
use framepost_tests::media::Clip;
use framepost_tests::onebox::Onebox;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

/// Number of batches of ten that a warm function gets.
const BATCHES: usize = 100;

/// Returns the batch that Lambda receives from SQS for S3's events about `keys`.
fn batch<'a>(keys: impl IntoIterator<Item = &'a String>) -> Value {
    let records = keys.into_iter().enumerate().map(|(n, key)| {
        let event = json!({
            "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
            "source": "aws.s3", "account": "123456789012", "time": "2026-11-20T12:00:05Z", "region": "us-east-1",
            "resources": ["arn:aws:s3:::footage"],
            "detail": { "version": "0", "bucket": { "name": "footage" }, "reason": "PutObject",
                "object": { "key": key, "size": 1, "etag": "0", "sequencer": "0055AED6DCD90281E5" } },
        });
        json!({
            "messageId": format!("message-{n}"), "receiptHandle": "receipt", "body": event.to_string(), "attributes": {},
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q", "awsRegion": "us-east-1",
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

fn answered(sandbox: &mut Sandbox, event: &Value) {
    let invoked = sandbox.invoke(event);
    let good = matches!(&invoked, Invoked::Answered(answer)
        if answer["batchItemFailures"].as_array().is_none_or(Vec::is_empty));
    assert!(good, "{invoked:?}\n{}", sandbox.log().join("\n"));
}

/// Starts the function once. Returns the time to the first answer in ms and the resident memory at that time.
fn start(function: &Function, event: &Value) -> (f64, f64) {
    let mut sandbox = Sandbox::start(function);
    answered(&mut sandbox, event);
    (sandbox.age().as_secs_f64() * 1e3, resident_bytes(sandbox.id()))
}

fn messages_per_second(function: &Function, event: &Value) -> f64 {
    let mut sandbox = Sandbox::start(function);
    answered(&mut sandbox, event);
    let started = Instant::now();
    for _ in 0..BATCHES {
        answered(&mut sandbox, event);
    }
    (BATCHES * 10) as f64 / started.elapsed().as_secs_f64()
}

pub(crate) fn compare(directory: &Path) {
    let onebox = Onebox::up::<&str>(&directory.join("lambda-onebox"), &[]);
    let endpoint = format!("http://{}", onebox.endpoint());
    let credentials = onebox.credentials();
    let mut upload = backfill(&Clip::Long.path(), &directory.join("lambda-spool"), "s3://footage");
    upload.args(["--endpoint-url", &endpoint, "--start", "2026-11-20T12:00:00Z"]);
    credentials.give_to(&mut upload);
    Measurement::start(&upload, End::ByItself).cost();
    let objects = onebox.bucket().of("gate", KeyKind::Chunk);
    let keys: Vec<String> = objects.iter().take(10).map(|object| object.key.to_string()).collect();
    assert_eq!(keys.len(), 10, "a batch of ten");

    let functions = [Program::Probe.built_for("aws"), empty("empty-lambda")].map(|executable| {
        let zip = directory.join("lambda.zip");
        pack_file(&executable, &zip);
        let code = std::fs::read(&zip).expect("the zip");
        let identity = Identity {
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.clone(),
            session_token: None,
        };
        let bytes = executable.metadata().expect("the executable").len() as f64;
        let packed = code.len() as f64;
        (bytes, packed, Function::undeployed(code, &[("FRAMEPOST_RECORDS", "log:")], identity, &endpoint))
    });
    let [(our_bytes, our_zip, ours), (their_bytes, their_zip, theirs)] = &functions;
    row("lambda bootstrap", "MiB", our_bytes / MIB, Some(their_bytes / MIB), Budget::None);
    row("lambda zip", "MiB", our_zip / MIB, Some(their_zip / MIB), Budget::None);

    let nothing = json!({ "Records": [] });
    for (what, event) in [("lambda start, nothing to do", &nothing), ("lambda start, one chunk", &batch(&keys[..1]))] {
        let runs = setting("BENCH_STARTS", 20);
        let (our, their): (Vec<_>, Vec<_>) = (0..runs).map(|_| (start(ours, event), start(theirs, event))).unzip();
        let of = |runs: &[(f64, f64)], value: fn(&(f64, f64)) -> f64| median(runs.iter().map(value).collect());
        row(what, "ms to answer", of(&our, |run| run.0), Some(of(&their, |run| run.0)), Budget::Ratio(2.0));
        row(what, "peak MiB", of(&our, |run| run.1) / MIB, Some(of(&their, |run| run.1) / MIB), Budget::Ratio(2.0));
    }
    let event = batch(&keys);
    row(
        "lambda, warm",
        "messages/s",
        messages_per_second(ours, &event),
        Some(messages_per_second(theirs, &event)),
        Budget::None,
    );
}
