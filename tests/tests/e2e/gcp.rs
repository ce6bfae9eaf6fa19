//! End-to-end tests on Google Cloud with real programs and emulated services: the gateway uploads to Cloud
//! Storage, the bucket notifies Pub/Sub, the function takes the message, and its record is read from Pub/Sub.

use framepost_events::record::{Data, Record};
use framepost_events::{KeyKind, ObjectKey};
use framepost_tests::binaries::{Output, Program, Running};
use framepost_tests::cloud_run::{Manners, Pushed, Service, Vouching, Wiring, push_all};
use framepost_tests::edge::{EdgeConfig, backfill};
use framepost_tests::fault_proxy::{Fault, FaultProxy, Plan};
use framepost_tests::google_emulators::{GoogleEmulators, Message};
use framepost_tests::judge::packets::Stream;
use framepost_tests::judge::recording::Recording;
use framepost_tests::media::Clip;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

/// Returns a command that backfills a clip into a bucket with `edge-uploader`.
pub(crate) fn backfill_to(bucket: &str, endpoint: &str, clip: Clip, spool: &Path) -> Command {
    let mut command = backfill(&clip.path(), spool, &format!("gs://{bucket}"));
    command.args(["--endpoint-url", endpoint, "--start", "2026-11-20T12:00:00Z"]);
    command
}

pub(crate) fn is_chunk(name: &str) -> bool {
    name.parse::<ObjectKey>().is_ok_and(|key| key.kind == KeyKind::Chunk)
}

pub(crate) fn address(url: &str) -> std::net::SocketAddr {
    url.strip_prefix("http://").and_then(|host| host.parse().ok()).unwrap_or_else(|| panic!("{url} is no address"))
}

/// Asserts that every packet of the clip is in the bucket, in correct chunks.
fn assert_holds(google: &GoogleEmulators, bucket: &str, clip: Clip, directory: &Path) {
    let recording = Recording::without_records(&google.copy(bucket, directory), "gate");
    let spans = recording.judge(clip.frame_seconds()).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(spans.len(), 1, "{spans:?}");
    recording.is_the_same_as(&clip.path(), &[Stream::Video]).unwrap_or_else(|faults| panic!("{faults:#?}"));
}

#[test]
fn a_clip_is_put_into_cloud_storage_and_a_second_time_changes_nothing() {
    let Some(google) = GoogleEmulators::start() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = google.bucket();
    let clip = Clip::H264;
    let put = |spool: &str| {
        let mut running =
            Running::start(&mut backfill_to(&bucket, &google.storage, clip, &directory.path().join(spool)));
        running.wait_for_exit_code(0, PATIENCE);
        running.lines(Output::Stderr).join("\n")
    };
    put("first");
    assert_holds(&google, &bucket, clip, &directory.path().join("copy"));
    let generations = || -> Vec<(String, serde_json::Value)> {
        let generation = |name: &String| (name.clone(), google.object(&bucket, name)["generation"].clone());
        google.names(&bucket).iter().map(generation).collect()
    };
    let before = generations();
    assert!(before.len() > 3, "{before:?}");
    // A new spool does not know about the first run, so the bucket decides, and it has all objects.
    put("second");
    assert_eq!(generations(), before);
    let chunk = before.iter().find(|(name, _)| is_chunk(name)).expect("a chunk");
    let object = google.object(&bucket, &chunk.0);
    assert_eq!(object["contentType"].as_str().map(|name| name.split(';').next()), Some(Some("video/mp4")), "{object}");
}

#[test]
fn a_check_says_whether_the_bucket_takes_objects_and_leaves_nothing_there() {
    let Some(google) = GoogleEmulators::start() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = google.bucket();
    let clip = Clip::H264.path();
    for (name, good) in [(bucket.as_str(), true), ("nobody-made-it", false)] {
        let mut config =
            EdgeConfig::one_camera(&directory.path().join("spool"), &format!("gs://{name}"), &clip.to_string_lossy());
        config.endpoint_url = Some(google.storage.clone());
        let mut check = Running::start(&mut config.check(&directory.path().join("edge.toml")));
        check.wait_for_exit_code(i32::from(!good), PATIENCE);
        let lines = check.lines(Output::Stdout);
        let line = lines.iter().find(|line| line.contains("bucket")).expect("a line for the bucket");
        let words = if good { format!("gs://{name} takes objects") } else { "not found".to_owned() };
        assert_eq!((line.starts_with("ok"), line.contains(&words)), (good, true), "{line}");
    }
    assert!(google.names(&bucket).is_empty());
}

#[test]
fn a_bucket_that_fails_gets_every_chunk_once() {
    let Some(google) = GoogleEmulators::start() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = google.bucket();
    let clip = Clip::H264;
    let proxy = FaultProxy::start(address(&google.storage));
    let faults = [
        Fault::SlowDown { retry_after_s: 1 },
        Fault::ResetAtAccept,
        Fault::ResetInRequest,
        Fault::LoseAnswer,
        Fault::TruncateAnswer,
    ];
    let with_pauses = faults.iter().flat_map(|fault| [*fault, Fault::None]).collect();
    proxy.set_plan(Plan::Cycle(with_pauses));
    let mut command = backfill_to(&bucket, &proxy.url(), clip, &directory.path().join("spool"));
    Running::start(&mut command).wait_for_exit_code(0, PATIENCE);
    let seen = proxy.seen();
    assert!(faults.iter().all(|fault| seen.fault(*fault) > 0), "{seen:?}");
    assert_holds(&google, &bucket, clip, &directory.path().join("copy"));
}

#[test]
fn something_else_under_a_chunks_name_is_left_there_and_the_chunk_set_aside() {
    let Some(google) = GoogleEmulators::start() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let bucket = google.bucket();
    let clip = Clip::H264;
    let taken = "plant-7/2026-11-20/gate/12/00-00Z.0.mp4";
    google.overwrite(&bucket, taken, "text/plain", b"something else");
    let spool = directory.path().join("spool");
    let mut running = Running::start(&mut backfill_to(&bucket, &google.storage, clip, &spool));
    running.wait(PATIENCE);
    assert!(running.log().contains("the bucket has a different object"), "{}", running.log());
    assert_eq!(google.bytes(&bucket, taken), b"something else");
    let chunks = google.copy(&bucket, &directory.path().join("copy")).of("gate", KeyKind::Chunk);
    assert!(chunks.len() > 2, "the other chunks are there: {chunks:?}");
}

/// A bucket with notifications, and everything that the function uses.
pub(crate) struct Scene {
    pub(crate) google: GoogleEmulators,
    pub(crate) vouching: Vouching,
    bucket: String,
    /// The topic for notifications, and its subscription.
    topic: String,
    events: String,
    pub(crate) wiring: Wiring,
    records: String,
    dead_letters: String,
    directory: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn new() -> Option<Self> {
        let google = GoogleEmulators::start()?;
        let bucket = google.bucket();
        Some(Self::around(google, bucket))
    }

    fn around(google: GoogleEmulators, bucket: String) -> Self {
        let topic = google.topic();
        let records = google.topic();
        let dead_letters = google.topic();
        google.notify(&bucket, &topic);
        Self {
            events: google.subscription(&topic, 60),
            topic,
            wiring: Wiring {
                program: Program::Probe,
                storage: google.storage.clone(),
                pubsub: google.pubsub.clone(),
                records: records.clone(),
                dead_letters: dead_letters.clone(),
                variables: BTreeMap::new(),
            },
            records: google.subscription(&records, 60),
            dead_letters: google.subscription(&dead_letters, 60),
            vouching: Vouching::start(),
            directory: tempfile::tempdir().expect("a temporary directory"),
            bucket,
            google,
        }
    }

    /// Uploads a clip and returns the names of its objects.
    pub(crate) fn footage(&self, clip: Clip) -> BTreeSet<String> {
        let spool = self.directory.path().join("spool");
        let mut command = backfill_to(&self.bucket, &self.google.storage, clip, &spool);
        Running::start(&mut command).wait_for_exit_code(0, PATIENCE);
        let names: BTreeSet<String> = self.google.names(&self.bucket).into_iter().collect();
        assert!(names.len() > 3, "{names:?}");
        names
    }

    pub(crate) fn service(&self) -> Service {
        self.wiring.service(&self.vouching)
    }

    /// Pushes until everything is acknowledged.
    pub(crate) fn push(&self, service: &Service, manners: Manners) -> Vec<Pushed> {
        push_all(&self.google, &self.events, service, &self.vouching, manners, PATIENCE)
    }

    /// Returns the records of `keys`, one of each. Asserts that copies are equal byte for byte, and
    /// that there are no others.
    fn records_of(&self, keys: &BTreeSet<String>) -> Vec<Record> {
        let mut records: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut take = |messages: &[Message]| {
            for message in messages {
                let record: Record = serde_json::from_slice(&message.data).expect("a record");
                assert_eq!(message.attributes["ce-id"], record.id);
                let same = records.entry(record.subject).or_insert_with(|| message.data.clone());
                assert!(*same == message.data, "two records of one object");
            }
        };
        let all = |messages: &[Message]| {
            let named = |message: &Message| serde_json::from_slice::<Record>(&message.data).expect("a record").subject;
            messages.iter().map(named).collect::<BTreeSet<_>>().is_superset(keys)
        };
        take(&self.google.drain(&self.records, PATIENCE, all));
        take(&self.google.drain_rest(&self.records));
        assert_eq!(&records.keys().cloned().collect::<BTreeSet<_>>(), keys);
        let records: Vec<Record> =
            records.values().map(|record| serde_json::from_slice(record).expect("a record")).collect();
        let ids: BTreeSet<&String> = records.iter().map(|record| &record.id).collect();
        assert_eq!(ids.len(), records.len(), "each record has an id of its own");
        records
    }

    /// Asserts that every chunk has a correct record, and that the chunks together are the clip.
    fn assert_recorded(&self, clip: Clip, records: &[Record]) {
        let copy = self.google.copy(&self.bucket, &self.directory.path().join("copy"));
        let recording = Recording::new(&copy, "gate", records);
        let spans = recording.judge(clip.frame_seconds()).unwrap_or_else(|faults| panic!("{faults:#?}"));
        assert_eq!(spans.len(), 1, "{spans:?}");
        recording.is_the_same_as(&clip.path(), &[Stream::Video]).unwrap_or_else(|faults| panic!("{faults:#?}"));
    }

    /// Returns the reasons of parked messages, sorted.
    pub(crate) fn parked(&self) -> Vec<String> {
        let letters = self.google.drain_rest(&self.dead_letters);
        let mut reasons: Vec<String> =
            letters.iter().map(|letter| letter.attributes["framepost-reason"].clone()).collect();
        reasons.sort();
        reasons
    }
}

pub(crate) fn statuses(pushed: &[Pushed]) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for push in pushed {
        *statuses.entry(push.status).or_default() += 1;
    }
    statuses
}

#[test]
fn what_a_gateway_uploads_is_pushed_probed_and_recorded_once() {
    let Some(scene) = Scene::new() else { return };
    let clip = Clip::H264BFrames;
    let names = scene.footage(clip);
    let service = scene.service();
    let pushed = scene.push(&service, Manners::Plain);
    assert_eq!(statuses(&pushed), BTreeMap::from([(204, names.len())]), "{}", service.running.log());
    let records = scene.records_of(&names);
    scene.assert_recorded(clip, &records);
    assert_eq!(scene.parked(), Vec::<String>::new());

    // Pushes without a token, or with a token for another service, must be refused.
    let message = &pushed[0].message;
    let body = serde_json::json!({ "message": message.json }).to_string();
    assert_eq!(service.post(&body, None), 401);
    assert_eq!(service.push_with_token_for("https://other.example.org/", message, &scene.vouching), 403);
    assert!(scene.google.drain_rest(&scene.records).is_empty());
}

#[test]
fn messages_that_come_twice_and_in_any_order_record_each_chunk_once_in_effect() {
    let Some(scene) = Scene::new() else { return };
    let names = scene.footage(Clip::H264);
    let service = scene.service();
    let pushed = scene.push(&service, Manners::TwiceShuffled);
    assert!(pushed.len() >= 2 * names.len(), "{}", pushed.len());
    scene.assert_recorded(Clip::H264, &scene.records_of(&names));
}

#[test]
fn a_message_that_will_never_work_is_parked_at_once_and_costs_nobody_else_anything() {
    let Some(scene) = Scene::new() else { return };
    scene.google.overwrite(&scene.bucket, "plant-7/junk.mp4", "video/mp4", b"this is no video at all");
    scene.google.publish(&scene.topic, b"\xff\x00 not even JSON", &BTreeMap::new());
    let names = scene.footage(Clip::H264);
    let service = scene.service();
    let pushed = scene.push(&service, Manners::Plain);
    assert_eq!(statuses(&pushed), BTreeMap::from([(204, names.len() + 1)]), "{}", service.running.log());
    assert_eq!(scene.parked(), ["not-an-event", "not-media"]);
    // The object that is not video must have a record that says so.
    let records = scene.records_of(&names);
    let (rejected, recorded): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| matches!(record.data, Data::ObjectRejected(_)));
    assert_eq!(rejected.len(), 1);
    scene.google.delete(&scene.bucket, "plant-7/junk.mp4");
    scene.assert_recorded(Clip::H264, &recorded);
}

#[test]
fn a_cloud_that_is_out_of_order_costs_time_and_no_record() {
    let Some(mut scene) = Scene::new() else { return };
    let proxy = FaultProxy::start(address(&scene.google.storage));
    scene.wiring.storage = proxy.url();
    let names = scene.footage(Clip::H264);
    let faults = [Fault::SlowDown { retry_after_s: 1 }, Fault::ResetAtAccept, Fault::TruncateAnswer, Fault::LoseAnswer];
    proxy.set_plan(Plan::Script(faults.iter().flat_map(|fault| [*fault, Fault::None]).collect()));
    // Records cannot be published for a while either. The client gives up after three attempts.
    scene.google.fail_next("Publish", 14, 4);
    let service = scene.service();
    let pushed = scene.push(&service, Manners::Plain);
    let answers = statuses(&pushed);
    assert_eq!(answers.get(&204), Some(&names.len()), "{answers:?}");
    let seen = proxy.seen();
    // The client may retry a connection that is reset before the request is sent.
    assert!(answers.get(&503).is_some_and(|times| *times >= faults.len()), "{answers:?} {seen:?}");
    assert!(faults.iter().all(|fault| seen.fault(*fault) > 0), "{seen:?}");
    scene.assert_recorded(Clip::H264, &scene.records_of(&names));
    assert_eq!(scene.parked(), Vec::<String>::new());
}

#[test]
fn an_object_that_is_gone_or_replaced_before_its_message_comes_is_not_taken_for_what_it_was() {
    let Some(scene) = Scene::new() else { return };
    let mut names = scene.footage(Clip::H264);
    let chunks: Vec<String> = names.iter().filter(|name| is_chunk(name)).cloned().collect();
    scene.google.delete(&scene.bucket, &chunks[0]);
    names.remove(&chunks[0]);
    let first = chunks[1].clone();
    let bytes = scene.google.bytes(&scene.bucket, &chunks[2]);
    scene.google.overwrite(&scene.bucket, &first, "video/mp4", &bytes);
    let service = scene.service();
    let pushed = scene.push(&service, Manners::Plain);
    let answers = statuses(&pushed);
    assert_eq!(answers.keys().copied().collect::<Vec<_>>(), [204], "{answers:?}\n{}", service.running.log());
    // One record for each existing object, none for missing ones.
    let records = scene.records_of(&names);
    let record = records.iter().find(|record| record.subject == first).expect("it is recorded");
    let Data::ChunkProbed(probed) = &record.data else { panic!("{record:?}") };
    assert_eq!(probed.size_bytes, bytes.len() as u64);
    let generation = scene.google.object(&scene.bucket, &first)["generation"].as_str().expect("it has one").to_owned();
    assert!(probed.object.version.contains(&generation), "{probed:?}");
    assert_eq!(scene.parked(), Vec::<String>::new());
}

#[test]
fn where_versions_are_kept_the_events_own_generation_is_read() {
    let Some(google) = GoogleEmulators::start() else { return };
    let bucket = google.bucket_with_versions();
    let scene = Scene::around(google, bucket);
    let names = scene.footage(Clip::H264);
    let chunk = names.iter().find(|name| is_chunk(name)).expect("a chunk");
    let before = scene.google.bytes(&scene.bucket, chunk);
    scene.google.overwrite(&scene.bucket, chunk, "video/mp4", b"somebody else's");
    let service = scene.service();
    scene.push(&service, Manners::Plain);
    let sizes: BTreeSet<u64> = scene
        .google
        .drain_rest(&scene.records)
        .iter()
        .map(|message| serde_json::from_slice::<Record>(&message.data).expect("a record"))
        .filter(|record| record.subject == *chunk)
        .filter_map(|record| match record.data {
            Data::ChunkProbed(probed) => Some(probed.size_bytes),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, BTreeSet::from([before.len() as u64]), "the chunk as it was when its event was raised");
    assert_eq!(scene.parked(), ["not-media"], "and the other one as what it is");
}

#[test]
fn a_service_that_is_killed_loses_no_message() {
    let Some(scene) = Scene::new() else { return };
    let names = scene.footage(Clip::H264);
    let mut service = scene.service();
    let waiting = scene.google.pull(&scene.events);
    assert_eq!(waiting.len(), names.len());
    let (done, rest) = waiting.split_at(2);
    for message in done {
        // The record is published, but the push was not acknowledged.
        assert_eq!(service.push(&scene.events, message, &scene.vouching), 204);
    }
    service.running.kill();
    assert_eq!(service.push(&scene.events, &rest[0], &scene.vouching), 0);
    scene.google.advance(Duration::from_mins(2));
    let pushed = scene.push(&scene.service(), Manners::Plain);
    assert_eq!(statuses(&pushed), BTreeMap::from([(204, names.len())]));
    scene.assert_recorded(Clip::H264, &scene.records_of(&names));
}

#[test]
fn a_worker_that_pulls_records_everything_also_when_it_is_killed() {
    let Some(mut scene) = Scene::new() else { return };
    let proxy = FaultProxy::start(address(&scene.google.storage));
    scene.wiring.storage = proxy.url();
    let names = scene.footage(Clip::H264);
    // The worker holds messages and makes no progress, because the bucket does not answer.
    proxy.set_plan(Plan::Always(Fault::Stall(PATIENCE)));
    let mut worker = scene.wiring.worker(&scene.events);
    proxy.wait_for(PATIENCE, |seen| seen.fault(Fault::Stall(PATIENCE)) > 0);
    worker.kill();
    proxy.set_plan(Plan::Always(Fault::None));
    scene.google.advance(Duration::from_mins(5));
    let mut worker = scene.wiring.worker(&scene.events);
    let records = scene.records_of(&names);
    worker.terminate();
    worker.wait_for_exit_code(0, PATIENCE);
    scene.assert_recorded(Clip::H264, &records);
    assert!(scene.google.pull(&scene.events).is_empty(), "everything is acknowledged");
    assert_eq!(scene.parked(), Vec::<String>::new());
}
