//! From a clip to `chunk.inferred` on both clouds: a gateway uploads, `probe` records, and `infer` says what each chunk shows.
//!
//! Messages come twice and in any order, and the function is killed between a record and its acknowledgement, and while it reads.
//! Each chunk still has one record in effect: copies have the same id and the same contents.

use crate::gcp::{PATIENCE, Scene, address, is_chunk, statuses};
use framepost_events::record::{ChunkInferred, Data, Record};
use framepost_tests::aws::REGION;
use framepost_tests::aws::deployment::Deployment;
use framepost_tests::aws::lambda::{Function, Invoked, Mapping};
use framepost_tests::aws::queue::{Messages, Queue};
use framepost_tests::binaries::Program;
use framepost_tests::cloud_run::{Manners, Wiring, push_all};
use framepost_tests::fault_proxy::{Fault, FaultProxy, Plan};
use framepost_tests::media::Clip;
use serde_json::json;
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
fn one_each(records: impl IntoIterator<Item = Record>) -> BTreeMap<String, Record> {
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
        let id = i32::try_from(service.running.id()).expect("a process id fits 31 bits");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(id), nix::sys::signal::Signal::SIGKILL).expect("it runs");
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
    assert_inferred(&one_each(records), &chunks);
    assert_eq!(scene.parked(), Vec::<String>::new());
}

#[test]
fn on_aws_each_chunk_is_inferred_once_in_effect() {
    if !has_ffmpeg() {
        return;
    }
    let image = format!("123456789012.dkr.ecr.{REGION}.amazonaws.com/framepost/infer:test");
    let functions = json!({ "images": image, "overrides": { "infer": {} } });
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
    let function = Function::of_image(&deployment.moto, &name, &image, Program::Infer);
    let mut infer = Mapping::deployed(&deployment.moto, function.with_endpoint("S3", &proxy.url()));
    // Two chunks are read and published, and then it is killed while it reads.
    let stall = Fault::Stall(Duration::from_mins(5));
    proxy.set_plan(Plan::Script([vec![Fault::None; 4], vec![stall; 20]].concat()));
    let conduct = infer.conduct.clone();
    let first = std::thread::scope(|scope| {
        scope.spawn(|| {
            proxy.wait_for(Duration::from_mins(1), |seen| seen.fault(stall) > 0);
            assert_eq!(conduct.kill_running(), 1);
            proxy.set_plan(Plan::Always(Fault::None));
        });
        infer.drain(1)
    });
    assert_eq!(first[0].invoked, Invoked::Crashed, "{}", infer.log().join("\n"));
    deployment.moto.advance(Duration::from_secs(queue.number("VisibilityTimeout") + 1));
    infer.drain(2);
    assert_eq!((queue.count(Messages::Visible), queue.count(Messages::InFlight)), (0, 0), "{}", infer.log().join("\n"));
    assert_eq!(dead_letters.count(Messages::Visible), 0);
    assert_eq!(deployment.moto.refusals(), Vec::<serde_json::Value>::new());
    let records = subscriber.records().into_iter().filter(|record| matches!(record.data, Data::ChunkInferred(_)));
    assert_inferred(&one_each(records), &chunks);
}
