//! From a clip to `chunk.inferred` on both clouds: a gateway uploads, `probe` records, and `infer` says what each chunk shows.
//!
//! Messages come twice and in any order, and the function is killed between a record and its acknowledgement, and while it reads.
//! Each chunk still has one record in effect: copies have the same id and the same contents. Then a service that is paid for is asked, once about
//! each chunk: Cloud Vision (a stub), and Rekognition (moto) with a budget of one call less than there are chunks. While the service works on the
//! first call, the function is killed: that chunk has a record, too, which says so, and nobody pays for it again.

use crate::gcp::{PATIENCE, Scene, address, is_chunk, statuses};
use crate::logging;
use crate::paid::{its_metrics_count, kill, rekognition_is_asked_once, vision_is_asked_once};
use framepost_events::record::{ChunkInferred, Data, Record};
use framepost_tests::aws::REGION;
use framepost_tests::aws::deployment::Deployment;
use framepost_tests::aws::lambda::{Function, Invoked, Mapping};
use framepost_tests::aws::queue::{Messages, Queue};
use framepost_tests::binaries::{Output, Program};
use framepost_tests::cloud_run::{Manners, Service, Wiring, push_all};
use framepost_tests::edge::SITE;
use framepost_tests::fault_proxy::{Fault, FaultProxy, Plan};
use framepost_tests::media::Clip;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Whether ffmpeg is there, which `infer` starts.
pub(crate) fn has_ffmpeg() -> bool {
    let found = std::process::Command::new("ffmpeg").arg("-version").output().is_ok();
    if !found {
        framepost_tests::skip("ffmpeg is missing: apt-get install ffmpeg");
    }
    found
}

/// The records of chunks by their keys, one each. Asserts that copies are the same, but for the time that they took.
pub(crate) fn one_each(records: impl IntoIterator<Item = Record>) -> BTreeMap<String, Record> {
    let mut one_each: BTreeMap<String, Record> = BTreeMap::new();
    for mut record in records {
        if let Data::ChunkInferred(inferred) = &mut record.data {
            inferred.detector_ms = None;
        }
        let other = one_each.entry(record.subject.clone()).or_insert_with(|| record.clone());
        assert_eq!(*other, record, "two records of one chunk");
    }
    one_each
}

/// Each chunk was looked at, and nothing else was.
fn assert_inferred(records: &BTreeMap<String, Record>, chunks: &BTreeSet<String>) {
    assert_eq!(&records.keys().cloned().collect::<BTreeSet<_>>(), chunks);
    let ids: BTreeSet<&String> = records.values().map(|record| &record.id).collect();
    assert_eq!(ids.len(), records.len(), "each record has an id of its own");
    let mut boxes = 0;
    for record in records.values() {
        let Data::ChunkInferred(inferred) = &record.data else { panic!("{record:?}") };
        let ChunkInferred { skipped, model, frames, .. } = &**inferred;
        assert_eq!((*skipped, model.detector.as_str()), (None, "motion"), "{record:?}");
        assert!(!frames.is_empty(), "{record:?}");
        boxes += frames.iter().map(|frame| frame.detections.len()).sum::<usize>();
    }
    assert!(boxes > 0, "something moves in this clip");
}

#[test]
fn on_google_each_chunk_is_inferred_once_in_effect() {
    if !has_ffmpeg() {
        return;
    }
    let Some(scene) = Scene::new() else { return };
    let google = &scene.google;
    let waiting = google.subscription(&scene.wiring.records, 60);
    let paid_for = google.subscription(&scene.wiring.records, 60);
    let published = google.topic();
    let inferred = google.subscription(&published, 60);
    let chunks: BTreeSet<String> = scene.footage(Clip::H264).into_iter().filter(|name| is_chunk(name)).collect();
    scene.push(&scene.service(), Manners::Plain);

    let proxy = FaultProxy::start(address(&google.storage));
    let wiring = Wiring { program: Program::Infer, storage: proxy.url(), records: published, ..scene.wiring.clone() };
    let mut service = wiring.service(&scene.vouching);
    let messages = google.pull(&waiting);
    assert!(messages.len() >= chunks.len(), "{messages:?}");
    let is_about_a_chunk = |data: &[u8]| {
        let record: Record = serde_json::from_slice(data).expect("a record");
        chunks.contains(&record.subject)
    };
    let mut about_chunks = messages.iter().filter(|message| is_about_a_chunk(&message.data));
    // Its record is out, and the acknowledgement is lost.
    let first = about_chunks.next().expect("a chunk");
    assert_eq!(service.push(&waiting, first, &scene.vouching), 204, "{}", service.running.log());
    // It is killed while it reads the next one.
    let stall = Fault::Stall(PATIENCE);
    proxy.set_plan(Plan::Always(stall));
    let second = about_chunks.next().expect("another chunk");
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| service.push(&waiting, second, &scene.vouching));
        proxy.wait_for(PATIENCE, |seen| seen.fault(stall) > 0);
        kill(service.running.id());
        assert_eq!(pushing.join().expect("no panic"), 0, "no answer");
    });
    service.running.kill();
    proxy.set_plan(Plan::Always(Fault::None));
    google.advance(Duration::from_mins(5));

    let service = wiring.service(&scene.vouching);
    let pushed = push_all(google, &waiting, &service, &scene.vouching, Manners::TwiceShuffled, PATIENCE);
    assert_eq!(statuses(&pushed).keys().copied().collect::<Vec<_>>(), [204], "{}", service.running.log());
    assert!(pushed.len() >= 2 * messages.len(), "{}", pushed.len());
    let records = google.drain_rest(&inferred);
    let records = records.iter().map(|message| serde_json::from_slice::<Record>(&message.data).expect("a record"));
    let records = one_each(records);
    assert_inferred(&records, &chunks);
    its_metrics_count_on_google(&service, &records);
    vision_is_asked_once(&scene, &paid_for, &chunks);
    assert_eq!(scene.parked(), Vec::<String>::new());
}

/// Asserts that the filters of the metrics find in the service's own lines what these records say, and nothing else.
pub(crate) fn its_metrics_count_on_google(service: &Service, records: &BTreeMap<String, Record>) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut skipped: BTreeMap<String, usize> = BTreeMap::new();
    let mut paid: BTreeMap<String, usize> = BTreeMap::new();
    let mut dollars = 0.0;
    for record in records.values() {
        let Data::ChunkInferred(inferred) = &record.data else { panic!("{record:?}") };
        for label in &inferred.summary {
            *seen.entry(label.label.clone()).or_default() += 1;
        }
        if let Some(reason) = inferred.skipped {
            *skipped
                .entry(serde_json::to_value(reason).expect("a word").as_str().expect("a word").to_owned())
                .or_default() += 1;
        }
        if let Some(cost) = inferred.dollars {
            *paid.entry(SITE.to_owned()).or_default() += 1;
            dollars += cost;
        }
    }
    let metrics = logging::metrics();
    // The last lines may be on their way.
    let lines = service.running.wait_for(Output::Stdout, PATIENCE, |lines| {
        let entries = logging::entries(lines, "infer");
        let count = |name: &str| metrics[name].of(&entries).0.values().sum::<usize>();
        let expected = [("seen", &seen), ("skipped", &skipped), ("dollars", &paid)];
        let is_all = expected.into_iter().all(|(name, expected)| count(name) >= expected.values().sum());
        is_all.then(|| lines.to_vec())
    });
    let entries = logging::entries(&lines, "infer");
    let log = lines.join("\n");
    assert_eq!(metrics["seen"].of(&entries).0, seen, "{log}");
    assert_eq!(metrics["skipped"].of(&entries).0, skipped, "{log}");
    let found = metrics["dollars"].of(&entries);
    assert_eq!(found.0, paid, "{log}");
    assert!((found.1 - dollars).abs() < 1e-9, "{} and {dollars}", found.1);
    assert_eq!(metrics["errors"].of(&entries).0, BTreeMap::new(), "{log}");
    // The same lines from another service are none of the function's.
    let others = logging::entries(&lines, "other");
    for name in ["seen", "skipped", "dollars", "handled", "chunks"] {
        assert_eq!(metrics[name].of(&others).0, BTreeMap::new(), "{name}");
    }
}

#[test]
fn on_aws_each_chunk_is_inferred_once_in_effect() {
    if !has_ffmpeg() {
        return;
    }
    let image = format!("123456789012.dkr.ecr.{REGION}.amazonaws.com/framepost/infer:test");
    let paid = json!({ "FRAMEPOST_DETECTOR": "rekognition:", "FRAMEPOST_PICTURES": "first" });
    let functions = json!({ "images": image, "overrides": { "infer": { "environment": paid } } });
    let Some(deployment) = Deployment::apply_with(&functions) else { return };
    let outputs = deployment.outputs();
    let account = &deployment.account;
    let queue = Queue::at(account, &outputs.text("/events/infer/queue/arn"));
    let dead_letters = Queue::at(account, &outputs.text("/events/infer/dead_letters/arn"));
    let subscriber = deployment.subscribe(&outputs);
    deployment.backfill(&outputs, "gate", &Clip::H264.path(), 1);
    let chunks: BTreeSet<String> = account.keys(&outputs.bucket()).into_iter().filter(|key| is_chunk(key)).collect();
    deployment.probe(&outputs).drain(3);
    queue.wait_for(chunks.len() as u64, Duration::from_secs(30));
    let mut bodies: Vec<String> = queue.take().into_iter().map(|message| message.body).collect();
    assert_eq!(bodies.len(), chunks.len(), "the rule lets records of chunks alone pass");
    bodies.extend_from_within(..);
    let seed = fastrand::u64(..);
    eprintln!("the order of seed {seed}");
    fastrand::Rng::with_seed(seed).shuffle(&mut bodies);
    queue.send_all(&bodies);

    let proxy = FaultProxy::start(deployment.moto.address());
    let name = outputs.text("/functions/infer/name");
    let paid = Function::of_image(&deployment.moto, &name, &image, Program::Infer);
    let free = paid.clone().with_variable("FRAMEPOST_DETECTOR", "motion:").with_variable("FRAMEPOST_PICTURES", "");
    let mut infer = Mapping::deployed(&deployment.moto, free.with_endpoint("S3", &proxy.url()));
    // Some chunks are read and published, and then it is killed while it reads.
    let stall = Fault::Stall(Duration::from_mins(5));
    proxy.set_plan(Plan::Script([vec![Fault::None; 5], vec![stall; 20]].concat()));
    let conduct = infer.conduct.clone();
    let first = std::thread::scope(|scope| {
        scope.spawn(|| {
            proxy.wait_for(Duration::from_mins(1), |seen| seen.fault(stall) > 0);
            assert_eq!(conduct.kill_running(), 1);
            proxy.set_plan(Plan::Always(Fault::None));
        });
        infer.drain(1)
    });
    let crashed: Vec<bool> = first.iter().map(|delivery| matches!(delivery.invoked, Invoked::Crashed)).collect();
    assert_eq!(crashed.iter().filter(|crashed| **crashed).count(), 1, "{}", infer.log().join("\n"));
    deployment.moto.advance(Duration::from_secs(queue.number("VisibilityTimeout") + 1));
    infer.drain(2);
    assert_eq!((queue.count(Messages::Visible), queue.count(Messages::InFlight)), (0, 0), "{}", infer.log().join("\n"));
    assert_eq!(dead_letters.count(Messages::Visible), 0);
    let records = subscriber.records().into_iter().filter(|record| matches!(record.data, Data::ChunkInferred(_)));
    assert_inferred(&one_each(records), &chunks);

    let asked = rekognition_is_asked_once(&deployment, paid, &queue, &bodies, &subscriber, &chunks);
    assert_eq!(dead_letters.count(Messages::Visible), 0);
    assert_eq!(deployment.moto.refusals(), Vec::<Value>::new());
    its_metrics_count(&deployment, &asked);
}
