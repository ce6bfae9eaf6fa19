//! A service that is paid for, on both clouds: asked once about each chunk, within a budget, although messages come twice and in any
//! order, and although the function is killed while the service works on a call.
//!
//! The claims are in DynamoDB (moto) and Cloud Storage (an emulator). Each question is counted where the service is.

use crate::gcp::{PATIENCE, Scene, statuses};
use crate::inferred::{its_metrics_count_on_google, one_each};
use framepost_events::record::{Data, Record, Skipped};
use framepost_tests::aws::deployment::{Deployment, Subscriber};
use framepost_tests::aws::lambda::{Function, Invoked, Mapping};
use framepost_tests::aws::queue::{Messages, Queue};
use framepost_tests::binaries::Program;
use framepost_tests::cloud_run::{Manners, Wiring, push_all};
use framepost_tests::edge::SITE;
use framepost_tests::paid_service::PaidService;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Gives all that waits in the subscription to the function, twice and in any order, and counts what it asks Cloud Vision. Its
/// budget is one call less than there are chunks. It is killed while Vision works on the first call.
pub(crate) fn vision_is_asked_once(scene: &Scene, waiting: &str, chunks: &BTreeSet<String>) {
    let google = &scene.google;
    let vision = PaidService::stub(&person());
    let published = google.topic();
    let inferred = google.subscription(&published, 60);
    let variables = [
        ("FRAMEPOST_DETECTOR", "vision:".to_owned()),
        ("FRAMEPOST_PICTURES", "first".to_owned()),
        ("FRAMEPOST_VISION_ENDPOINT", vision.url()),
        ("FRAMEPOST_LEDGER", format!("gs://{}/infer", google.bucket())),
        ("FRAMEPOST_BUDGET", format!("{} calls", chunks.len() - 1)),
    ];
    let ledger = variables[3].1.trim_start_matches("gs://").trim_end_matches("/infer").to_owned();
    let variables = variables.into_iter().collect();
    let wiring = Wiring { program: Program::Infer, records: published, variables, ..scene.wiring.clone() };
    let begun = today();

    let messages = google.pull(waiting);
    let subject = |data: &[u8]| serde_json::from_slice::<Record>(data).expect("a record").subject;
    let first = messages.iter().find(|message| chunks.contains(&subject(&message.data))).expect("a chunk");
    let mut service = wiring.service(&scene.vouching);
    vision.hold();
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| service.push(waiting, first, &scene.vouching));
        vision.wait_for_held(PATIENCE);
        kill(service.running.id());
        assert_eq!(pushing.join().expect("no panic"), 0, "no answer");
    });
    service.running.kill();
    vision.release();
    // Whoever comes now is told that another one has claimed the chunk.
    let service = wiring.service(&scene.vouching);
    let again = service.push(waiting, first, &scene.vouching);
    assert!(again >= 400, "{again}: {}", service.running.log());
    assert_eq!((vision.asked(), google.drain_rest(&inferred).len()), (vec![1], 0), "{}", service.running.log());
    let over: usize =
        google.names(&ledger).iter().map(|name| usize::from(lease_is_over_on_google(scene, &ledger, name))).sum();
    assert_eq!(over, 1, "one chunk was being paid for: {:?}", google.names(&ledger));
    for message in &messages {
        google.give_back(waiting, message);
    }

    let pushed = push_all(google, waiting, &service, &scene.vouching, Manners::TwiceShuffled, PATIENCE);
    // At midnight, there is a new budget.
    let is_one_day = begun == today();
    assert_eq!(statuses(&pushed).keys().copied().collect::<Vec<_>>(), [204], "{}", service.running.log());
    let records = google.drain_rest(&inferred);
    let records = records.iter().map(|message| serde_json::from_slice::<Record>(&message.data).expect("a record"));
    let records = one_each(records);
    assert_eq!(&records.keys().cloned().collect::<BTreeSet<_>>(), chunks);
    let paid = assert_paid(&records, &subject(&first.data), 0.00225, "person");
    assert_eq!(vision.asked(), vec![1; paid], "each picture once");
    if is_one_day {
        assert_eq!(paid, chunks.len() - 1);
    }
    its_metrics_count_on_google(&service, &records);
}

/// Asserts that the record of `killed` says that its call was interrupted, and what all others say. Returns how many were paid for,
/// that one included.
fn assert_paid(records: &BTreeMap<String, Record>, killed: &str, dollars: f64, label: &str) -> usize {
    let mut paid = 0;
    for (key, record) in records {
        let Data::ChunkInferred(inferred) = &record.data else { panic!("{record:?}") };
        if key == killed {
            assert_eq!((inferred.skipped, inferred.frames.len()), (Some(Skipped::Interrupted), 0), "{record:?}");
        } else if inferred.skipped == Some(Skipped::Budget) {
            continue;
        } else {
            let labels: Vec<&str> = inferred.summary.iter().map(|label| label.label.as_str()).collect();
            let cost = (inferred.skipped, inferred.calls, inferred.dollars);
            assert_eq!((cost, labels), ((None, Some(1), Some(dollars)), vec![label]), "{record:?}");
        }
        paid += 1;
    }
    paid
}

pub(crate) fn kill(id: u32) {
    let id = i32::try_from(id).expect("a process id fits 31 bits");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL).expect("it runs");
}

/// The entry of a piece of work whose call was begun and has no answer, as if its lease had been over for a second; `None` for any
/// other. No test waits for the five minutes that a lease lasts.
fn with_a_lease_that_is_over(entry: &[u8]) -> Option<Vec<u8>> {
    let mut entry: Value = serde_json::from_slice(entry).expect("an entry is JSON");
    if (&entry["state"], &entry["job"]) != (&json!("working"), &json!("called")) {
        return None;
    }
    let until: jiff::Timestamp = entry["until"].as_str().and_then(|until| until.parse().ok()).expect("a time");
    let now = jiff::Timestamp::now();
    assert!(until > now, "{entry}");
    entry["until"] = json!(now - jiff::SignedDuration::from_secs(1));
    Some(entry.to_string().into_bytes())
}

/// Returns whether this was the claim of a call that was interrupted. Its lease is over then.
fn lease_is_over_on_google(scene: &Scene, ledger: &str, name: &str) -> bool {
    let over = with_a_lease_that_is_over(&scene.google.bytes(ledger, name));
    if let Some(over) = &over {
        scene.google.overwrite(ledger, name, "application/json", over);
    }
    over.is_some()
}

/// Ends the leases of calls that were interrupted, in a table of claims. Returns how many there were.
fn end_leases_on_aws(deployment: &Deployment, table: &str) -> usize {
    let call = |operation: &str, mut call: Value| {
        call["TableName"] = table.into();
        deployment.account.json("dynamodb", &format!("DynamoDB_20120810.{operation}"), &call)
    };
    let found = call("Scan", json!({}));
    let mut ended = 0;
    for item in found["Items"].as_array().expect("a list of items") {
        let entry = item["entry"]["S"].as_str().expect("an entry");
        let Some(over) = with_a_lease_that_is_over(entry.as_bytes()) else { continue };
        let mut item = item.clone();
        item["entry"]["S"] = String::from_utf8(over).expect("JSON").into();
        call("PutItem", json!({ "Item": item }));
        ended += 1;
    }
    ended
}

/// What Cloud Vision answers about a picture with a person in its middle.
fn person() -> Value {
    let corners =
        json!([{ "x": 0.25, "y": 0.25 }, { "x": 0.75, "y": 0.25 }, { "x": 0.75, "y": 0.75 }, { "x": 0.25, "y": 0.75 }]);
    let person = json!({ "name": "Person", "score": 0.875, "boundingPoly": { "normalizedVertices": corners } });
    json!({ "responses": [{ "localizedObjectAnnotations": [person] }] })
}

/// The day, to which a budget belongs.
fn today() -> String {
    jiff::Timestamp::now().to_string()[..10].to_owned()
}

/// What came of asking Rekognition, and what the function logged meanwhile.
pub(crate) struct Asked {
    /// Calls whose answers came.
    answered: usize,
    /// The records of chunks that were not looked at, repeated ones included, by the reason.
    skipped: BTreeMap<String, usize>,
    /// The JSON of each line of the log, the oldest first.
    log: Vec<Value>,
}

/// Gives these messages to the function, with a budget of one call less than there are chunks. It is killed while Rekognition works
/// on the first call. Returns its log.
pub(crate) fn rekognition_is_asked_once(
    deployment: &Deployment,
    function: Function,
    queue: &Queue,
    bodies: &[String],
    subscriber: &Subscriber,
    chunks: &BTreeSet<String>,
) -> Asked {
    let budget = chunks.len() - 1;
    let rekognition = PaidService::before(deployment.moto.address());
    let function = function.with_endpoint("REKOGNITION", &rekognition.url());
    let function = function.with_variable("FRAMEPOST_BUDGET", &format!("{budget} calls"));
    let table = function.variable("FRAMEPOST_LEDGER").and_then(|ledger| ledger.strip_prefix("dynamodb:"));
    let table = table.expect("a table of claims").to_owned();
    let mut infer = Mapping::deployed(&deployment.moto, function);
    let come_again = || deployment.moto.advance(Duration::from_secs(queue.number("VisibilityTimeout") + 1));
    let begun = today();

    // In a batch of its own, so that one call is interrupted, and no other claim.
    queue.send(&bodies[0]);
    let conduct = infer.conduct.clone();
    rekognition.hold();
    let first = std::thread::scope(|scope| {
        scope.spawn(|| {
            rekognition.wait_for_held(Duration::from_mins(1));
            assert_eq!(conduct.kill_running(), 1);
            rekognition.release();
        });
        infer.drain(1)
    });
    assert!(matches!(&first[..], [only] if matches!(only.invoked, Invoked::Crashed)), "{first:?}");
    come_again();
    // Whoever comes now is told that another one has claimed the chunk.
    let second = infer.drain(1);
    assert!(matches!(&second[..], [only] if only.failures.len() == 1), "{second:?}: {}", infer.log().join("\n"));
    assert_eq!(rekognition.asked(), [1], "{}", infer.log().join("\n"));
    assert_eq!(end_leases_on_aws(deployment, &table), 1, "one chunk was being paid for");
    come_again();

    queue.send_all(&bodies[1..]);
    // Who comes while another one has the chunk is told to come again.
    for _ in 0..10 {
        infer.drain(2);
        come_again();
        if queue.count(Messages::Visible) == 0 {
            break;
        }
    }
    let log = infer.log().join("\n");
    assert_eq!((queue.count(Messages::Visible), queue.count(Messages::InFlight)), (0, 0), "{log}");
    let records = subscriber.records().into_iter().filter(|record| matches!(record.data, Data::ChunkInferred(_)));
    let records: Vec<Record> = records.collect();
    let mut skipped = BTreeMap::new();
    for record in &records {
        let Data::ChunkInferred(inferred) = &record.data else { panic!("{record:?}") };
        if let Some(reason) = inferred.skipped {
            let reason = serde_json::to_value(reason).expect("a word");
            *skipped.entry(reason.as_str().expect("a word").to_owned()).or_default() += 1;
        }
    }
    let is_one_day = begun == today();
    let calls = rekognition.asked();
    assert_eq!(calls, vec![1; calls.len()], "each picture once: {log}");
    if is_one_day {
        let records = one_each(records);
        assert_eq!(&records.keys().cloned().collect::<BTreeSet<_>>(), chunks, "nothing is lost: {log}");
        let killed: Value = serde_json::from_str(&bodies[0]).expect("an envelope");
        let killed = killed["detail"]["subject"].as_str().expect("a key");
        // "Mobile phone" is what moto always sees.
        assert_eq!(assert_paid(&records, killed, 0.001, "mobile phone"), budget);
    }
    let expected = if is_one_day { budget..=budget } else { budget..=chunks.len() };
    assert!(expected.contains(&calls.len()), "{} calls for {expected:?}: {log}", calls.len());
    let log = infer.log().iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    // What the interrupted one saw and cost is not known.
    Asked { answered: calls.len() - 1, skipped, log }
}

/// Asserts that the filters that were deployed find what was seen, skipped and spent in the function's own lines.
pub(crate) fn its_metrics_count(deployment: &Deployment, asked: &Asked) {
    let group = json!({ "logGroupName": "/aws/lambda/framepost-infer" });
    let described = deployment.account.json("logs", "Logs_20140328.DescribeMetricFilters", &group);
    let filters = described["metricFilters"].as_array().expect("a list of filters");
    // The lines that a filter finds, by the value of its dimension, and the sum of its values.
    let counted = |name: &str| -> (BTreeMap<String, usize>, f64) {
        let filter = filters.iter().find(|filter| filter["filterName"].as_str().is_some_and(|n| n.ends_with(name)));
        let filter = filter.unwrap_or_else(|| panic!("no filter {name} in {described}"));
        let pattern = filter["filterPattern"].as_str().expect("a pattern");
        let metric = &filter["metricTransformations"][0];
        let dimensions = metric["dimensions"].as_object().expect("dimensions");
        let mut by_dimension = BTreeMap::new();
        let mut sum = 0.0;
        for line in asked.log.iter().filter(|line| matches_pattern(pattern, line)) {
            let value = metric["metricValue"].as_str().expect("a value");
            sum += value.parse().ok().or_else(|| selected(line, value)?.as_f64()).expect("a number");
            for selector in dimensions.values() {
                let value =
                    selected(line, selector.as_str().expect("a selector")).expect("the dimension is in the line");
                *by_dimension.entry(value.as_str().expect("a text").to_owned()).or_default() += 1;
            }
        }
        (by_dimension, sum)
    };
    let (labels, _) = counted("infer-seen");
    assert_eq!(labels, BTreeMap::from([("mobile phone".to_owned(), asked.answered)]));
    let (reasons, _) = counted("infer-skipped");
    assert_eq!(reasons, asked.skipped);
    assert_eq!(reasons["interrupted"], 1);
    let (sites, dollars) = counted("infer-dollars");
    assert_eq!(sites, BTreeMap::from([(SITE.to_owned(), asked.answered)]));
    assert!((dollars - 0.001 * asked.answered as f64).abs() < 1e-9, "{dollars}");
}

/// What a selector such as `$.label` stands for in a line.
fn selected<'a>(line: &'a Value, selector: &str) -> Option<&'a Value> {
    selector.strip_prefix("$.")?.split('.').try_fold(line, |value, name| value.get(name))
}

/// Whether a line is one that the pattern is for ("Filter pattern syntax for metric filters", JSON): comparisons joined by `&&`.
/// Panics at anything else.
fn matches_pattern(pattern: &str, line: &Value) -> bool {
    let inner = pattern.trim().strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).expect("a pattern of JSON");
    inner.split("&&").all(|comparison| {
        let words = comparison.trim().trim_start_matches('(').trim_end_matches(')').trim();
        let parts: Vec<&str> = words.splitn(3, ' ').collect();
        let [selector, operator, operand] = parts[..] else { panic!("{comparison} in {pattern}") };
        let Some(value) = selected(line, selector) else { return false };
        match (operator, operand) {
            ("=", "*") => true,
            ("=", text) => value.as_str() == Some(text.trim_matches('"')),
            (">", number) => value.as_f64().is_some_and(|value| value > number.parse().expect("a number")),
            _ => panic!("{comparison} in {pattern}"),
        }
    })
}
