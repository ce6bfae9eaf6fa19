//! End-to-end tests on AWS: the unmodified root is applied, a gateway's chunks become
//! records, and faults lose nothing.
//!
//! `tests/terraform/run` tests the resources of the root; these tests use them.
//!
//! Every test has an account of its own (moto), and deploys into it with the real provider. The gateway and
//! the function are the real programs. The harness simulates the Lambda service. moto enforces policies for
//! every credential that the account issued, which are the gateway's and the function's;
//! `tests/aws/moto_server.py` describes what it replaces.

use framepost_events::record::{Data, Record};
use framepost_events::report::ReportedState;
use framepost_tests::aws::account::{Account, Answer};
use framepost_tests::aws::deployment::{Deployment, Outputs, Subscriber};
use framepost_tests::aws::lambda::{Delivery, Invoked, Mapping};
use framepost_tests::aws::queue::{Messages, Queue};
use framepost_tests::aws::terraform::Plan;
use framepost_tests::bucket::Bucket;
use framepost_tests::edge::SITE;
use framepost_tests::fault_proxy::{Fault, FaultProxy, Plan as Faults};
use framepost_tests::judge::assert_faultless;
use framepost_tests::judge::packets::Stream;
use framepost_tests::judge::recording::Recording;
use framepost_tests::media::{Clip, shared_data};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A deployment with the resources that the tests of messages use.
struct Scene {
    deployment: Deployment,
    outputs: Outputs,
    subscriber: Subscriber,
    probe: Mapping,
    /// The probe's queue, accessed as its administrator.
    queue: Queue,
    dead_letters: Queue,
    bucket: String,
    seen: BTreeSet<String>,
}

impl Scene {
    fn new() -> Option<Self> {
        let deployment = Deployment::apply()?;
        let outputs = deployment.outputs();
        let scene = Self {
            subscriber: deployment.subscribe(&outputs),
            probe: deployment.probe(&outputs),
            queue: outputs.queue(&deployment.account, "queue"),
            dead_letters: outputs.queue(&deployment.account, "dead_letters"),
            bucket: outputs.bucket(),
            seen: BTreeSet::new(),
            outputs,
            deployment,
        };
        Some(scene)
    }

    fn account(&self) -> &Account {
        &self.deployment.account
    }

    /// Uploads ten seconds of another camera in chunks of one second. Returns the new keys, whose
    /// events are in the queue.
    fn footage(&mut self, camera: &str) -> BTreeSet<String> {
        self.deployment.backfill(&self.outputs, camera, &Clip::H264.path(), 1);
        self.new_keys()
    }

    fn new_keys(&mut self) -> BTreeSet<String> {
        let all: BTreeSet<String> = self.account().keys(&self.bucket).into_iter().collect();
        let new: BTreeSet<String> = all.difference(&self.seen).cloned().collect();
        self.seen.extend(all);
        let expected = u64::try_from(new.len()).expect("few objects");
        self.queue.wait_for(expected, Duration::from_secs(30));
        new
    }

    /// Advances time by more than the visibility timeout.
    fn wait_for_visibility(&self) {
        self.deployment.moto.advance(Duration::from_secs(self.queue.number("VisibilityTimeout") + 1));
    }

    /// Asserts that the queue is empty and nothing is in flight.
    fn assert_settled(&self) {
        assert_eq!((self.queue.count(Messages::Visible), self.queue.count(Messages::InFlight)), (0, 0));
    }

    /// Returns every record since the last call, once each. Asserts that repeated records
    /// are equal byte for byte.
    fn records(&self) -> BTreeMap<String, Record> {
        let mut records: BTreeMap<String, Record> = BTreeMap::new();
        for record in self.subscriber.records() {
            if let Some(other) = records.get(&record.subject) {
                let one = json!(record);
                let other = json!(other);
                assert_eq!(one, other, "two records of one object");
            }
            records.insert(record.subject.clone(), record);
        }
        let ids: BTreeSet<&String> = records.values().map(|record| &record.id).collect();
        assert_eq!(ids.len(), records.len(), "each record has an id of its own");
        records
    }

    /// Asserts that exactly `keys` are recorded, and none of them as rejected.
    fn assert_recorded(&self, keys: &BTreeSet<String>) {
        let records = self.records();
        assert_eq!(&records.keys().cloned().collect::<BTreeSet<_>>(), keys, "\n{}", self.why());
        let rejected: Vec<_> =
            records.values().filter(|record| matches!(record.data, Data::ObjectRejected(_))).collect();
        assert!(rejected.is_empty(), "{rejected:#?}");
    }

    /// Returns the function's log and the refusals, for the message of a failed test.
    fn why(&self) -> String {
        format!("{}\n{}", self.probe.log().join("\n"), self.deployment.moto.log())
    }
}

/// Returns the number of deliveries of each message, and whether the last one succeeded.
fn ends(deliveries: &[Delivery]) -> BTreeMap<&str, (u32, bool)> {
    let mut ends = BTreeMap::new();
    for Delivery { messages, failures, .. } in deliveries {
        for message in messages {
            ends.insert(message.id.as_str(), (message.deliveries, !failures.contains(&message.id)));
        }
    }
    ends
}

fn all_done_at_once(deliveries: &[Delivery]) -> bool {
    ends(deliveries).values().all(|end| *end == (1, true))
}

#[test]
fn what_a_gateway_uploads_is_recorded_once_and_it_can_do_nothing_else() {
    let Some(mut scene) = Scene::new() else { return };
    assert_eq!(scene.deployment.terraform.plan(), Plan::Empty, "the second plan");
    let clip = Clip::H264BFrames.path();
    scene.deployment.backfill(&scene.outputs, "gate", &clip, 3);
    let shared = shared_data().map(|data| data.join("clips/one-by-one-person-detection.mp4"));
    if let Some(shared) = &shared {
        scene.deployment.backfill(&scene.outputs, "hall", shared, 3);
    }
    let report = scene.deployment.report(&scene.outputs, "yard", &Clip::Long.path());
    let keys = scene.new_keys();
    assert!(keys.iter().any(|key| key.ends_with(".mp4_end")), "{keys:?}");
    let deliveries = scene.probe.drain(3);
    assert!(all_done_at_once(&deliveries), "{deliveries:#?}\n{}", scene.why());
    scene.assert_settled();
    assert_eq!(scene.dead_letters.count(Messages::Visible), 0);
    assert_eq!(scene.deployment.moto.refusals(), Vec::<Value>::new());

    let records: Vec<Record> = scene.records().into_values().collect();
    assert_reported(&records, &report);
    let mirror = scene.deployment.directory.path().join("mirror");
    scene.account().mirror(&scene.bucket, &mirror);
    let mut faults = faults_of("gate", &clip, 1.0 / 25.0, &mirror, &records);
    if let Some(shared) = &shared {
        faults.extend(faults_of("hall", shared, 1.0 / 10.0, &mirror, &records));
    }
    assert_faultless(&faults);
    assert_logged(&scene, &records);

    tries_of_a_stolen_credential(&scene, &keys);
    assert_eq!(scene.account().keys(&scene.bucket), keys.into_iter().collect::<Vec<_>>());

    let Scene { deployment, subscriber, .. } = scene;
    subscriber.unsubscribe();
    assert_eq!(deployment.terraform.plan(), Plan::Empty, "use changes nothing that Terraform made");
    deployment.terraform.set(&deployment.variables_with("bucket", json!({ "keep_footage": false })));
    deployment.terraform.apply();
    assert_eq!(deployment.terraform.destroy(), Ok(()));
}

/// The gateway's report is on the bus and says how its camera is.
fn assert_reported(records: &[Record], key: &str) {
    let record = records.iter().find(|record| record.subject == key).expect("a record of the report");
    let Data::GatewayReported(reported) = &record.data else { panic!("{record:?}") };
    let [camera] = &reported.report.cameras[..] else { panic!("{reported:?}") };
    assert_eq!((camera.camera.as_str(), camera.state), ("yard", ReportedState::Recording));
    assert!(camera.codec.as_ref().is_some_and(|codec| codec.starts_with("avc1.")), "{camera:?}");
    assert!(camera.frames > 0 && camera.chunks > 0, "{camera:?}");
    assert_eq!(reported.report.site.as_str(), SITE);
}

fn faults_of(camera: &str, source: &Path, frame_seconds: f64, mirror: &Path, records: &[Record]) -> Vec<String> {
    let recording = Recording::new(&Bucket::at(mirror), camera, records);
    let mut faults = recording.is_the_same_as(source, &[Stream::Video]).err().unwrap_or_default();
    match recording.judge(frame_seconds) {
        Ok(spans) if spans.len() == 1 => {}
        Ok(spans) => faults.push(format!("{camera}: one span was expected: {spans:?}")),
        Err(more) => faults.extend(more),
    }
    faults
}

/// Asserts that the function's log has a line for each record, and metrics with matching sums.
fn assert_logged(scene: &Scene, records: &[Record]) {
    let lines =
        scene.probe.log().iter().map(|line| {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("not JSON: {error}: {line}"))
        });
    let lines: Vec<Value> = lines.collect();
    for record in records {
        let found: Vec<&Value> = lines.iter().filter(|line| line["id"] == record.id.as_str()).collect();
        let [line] = found[..] else { panic!("{} lines of {}:\n{}", found.len(), record.subject, scene.why()) };
        assert_eq!((&line["subject"], &line["type"]), (&json!(record.subject), &json!(record.event_type)));
    }
    let metrics: Vec<&Value> = lines.iter().filter(|line| line.get("_aws").is_some()).collect();
    let sum = |name: &str| metrics.iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    let chunks = records.iter().filter(|record| matches!(record.data, Data::ChunkProbed(_))).count();
    assert_eq!((sum("ChunksProbed"), sum("Rejects"), sum("Retries")), (chunks as u64, 0, 0));
    assert!(metrics.iter().all(|line| line["Site"] == SITE), "{metrics:#?}");
}

/// Description, method, path and headers of an attempt.
type Try<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

/// Tries what a thief of a gateway's access key would try. A policy must refuse each attempt.
fn tries_of_a_stolen_credential(scene: &Scene, keys: &BTreeSet<String>) {
    let gateway = scene.account().with(scene.outputs.gateway());
    let bucket = &scene.bucket;
    let key = keys.first().expect("there are objects");
    let there = format!("/{bucket}/{key}");
    let version = version_of(&scene.account().s3("HEAD", &there, &[], b""));
    let new = |site: &str| format!("/{bucket}/{site}/2026-11-20/gate/15/09-00Z.0.mp4");
    let once = ("if-none-match", "*");
    let of_version = format!("{there}?versionId={version}");
    let source = format!("{bucket}/{key}");
    let tries: [Try<'_>; 20] = [
        ("read", "GET", &there, &[]),
        ("read a version", "GET", &of_version, &[]),
        ("look", "HEAD", &there, &[]),
        ("list", "GET", &format!("/{bucket}?list-type=2"), &[]),
        ("list its own site", "GET", &format!("/{bucket}?list-type=2&prefix={SITE}%2F"), &[]),
        ("list versions", "GET", &format!("/{bucket}?versions"), &[]),
        ("delete", "DELETE", &there, &[]),
        ("delete a version", "DELETE", &of_version, &[]),
        ("overwrite", "PUT", &there, &[]),
        ("put without the condition", "PUT", &new(SITE), &[]),
        ("put into another site", "PUT", &new("plant-8"), &[once]),
        ("put into a site whose name begins alike", "PUT", &new("plant-77"), &[once]),
        ("put at the top", "PUT", &format!("/{bucket}/chunk.mp4"), &[once]),
        ("copy", "PUT", &new(SITE), &[("x-amz-copy-source", &source), once]),
        ("begin an upload in parts", "POST", &format!("{}?uploads", new(SITE)), &[]),
        ("read tags", "GET", &format!("{there}?tagging"), &[]),
        ("change tags", "PUT", &format!("{there}?tagging"), &[]),
        ("make public", "PUT", &format!("{there}?acl"), &[("x-amz-acl", "public-read")]),
        ("change the bucket's policy", "DELETE", &format!("/{bucket}?policy"), &[]),
        ("stop versioning", "PUT", &format!("/{bucket}?versioning"), &[]),
    ];
    for (number, (what, method, path, headers)) in tries.iter().copied().enumerate() {
        eprintln!("a stolen credential tries to {what}");
        let answer = gateway.s3(method, path, headers, b"stolen");
        assert_refused(what, &answer);
        // The reason must be the policy, not a wrong signature or a call that moto does not support.
        scene.deployment.moto.refusal_after(number);
    }
    assert_eq!(scene.deployment.moto.refusals().len(), tries.len(), "one refusal each");
    // Nobody may replace footage, whatever the identity.
    assert_refused("overwrite as an administrator", &scene.account().s3("PUT", &there, &[], b"other"));
    // With the condition this is not an overwrite: the existing object stays.
    let again = gateway.s3("PUT", &there, &[once], b"stolen");
    assert_eq!(again.status, 412, "{}", again.text());
    let new = gateway.s3("PUT", &new(SITE), &[once], b"its own");
    assert_eq!(new.status, 200, "the gateway's own new object: {}", new.text());
    let own = format!("/{bucket}/{SITE}/2026-11-20/gate/15/09-00Z.0.mp4?versionId={}", version_of(&new));
    scene.account().s3("DELETE", &own, &[], b"");
}

fn version_of(answer: &Answer) -> String {
    let found = answer.headers.iter().find(|(name, _)| name == "x-amz-version-id");
    found.expect("an object of this bucket has a version").1.clone()
}

fn assert_refused(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 403, "{what}: {}", answer.text());
}

#[test]
fn repeated_and_bad_messages_cost_no_good_one_anything() {
    let Some(mut scene) = Scene::new() else { return };
    duplicates_and_disorder(&mut scene);
    a_poison_message_amid_nine_good_ones(&mut scene);
    an_object_that_is_no_video(&mut scene);
    an_object_that_was_deleted(&mut scene);
}

fn duplicates_and_disorder(scene: &mut Scene) {
    let keys = scene.footage("repeated");
    let mut bodies: Vec<String> = scene.queue.take().into_iter().map(|message| message.body).collect();
    bodies.extend_from_within(..);
    bodies.extend_from_within(..bodies.len() / 3);
    let seed = fastrand::u64(..);
    eprintln!("the order of seed {seed}");
    fastrand::Rng::with_seed(seed).shuffle(&mut bodies);
    scene.queue.send_all(&bodies);
    let deliveries = scene.probe.drain(3);
    assert!(all_done_at_once(&deliveries), "{deliveries:#?}\n{}", scene.why());
    scene.assert_settled();
    scene.assert_recorded(&keys);
    assert_eq!(scene.dead_letters.count(Messages::Visible), 0);
}

fn a_poison_message_amid_nine_good_ones(scene: &mut Scene) {
    let keys = scene.footage("poisoned");
    let bodies: Vec<String> = scene.queue.take().into_iter().map(|message| message.body).collect();
    let (first, rest) = bodies.split_at(4);
    scene.queue.send_all(first);
    let poison = "{\"detail-type\": \"Object Cre";
    let poison_id = scene.queue.send(poison);
    scene.queue.send_all(rest);

    let deliveries = scene.probe.drain(1);
    let batch = &deliveries[0];
    assert_eq!(batch.messages.len(), 10, "a full batch");
    assert_eq!(batch.messages.iter().position(|message| message.id == poison_id), Some(4));
    assert!(all_done_at_once(&deliveries), "nobody comes twice: {deliveries:#?}\n{}", scene.why());
    scene.assert_settled();
    scene.assert_recorded(&keys);

    let letters = scene.dead_letters.take();
    let [letter] = &letters[..] else { panic!("one dead letter was expected: {letters:#?}") };
    assert_eq!(letter.body, poison, "it is whole");
    assert_eq!(letter.attribute("framepost-function"), Some("probe"));
    assert_eq!(letter.attribute("framepost-reason"), Some("not-an-event"));
    assert!(letter.attribute("framepost-detail").is_some_and(|detail| !detail.is_empty()));
}

fn an_object_that_is_no_video(scene: &mut Scene) {
    let key = format!("{SITE}/2026-11-20/gate/15/08-23Z.0.mp4");
    let gateway = scene.account().with(scene.outputs.gateway());
    gateway.put_new(&scene.bucket, &key, b"this is no video at all");
    assert_eq!(scene.new_keys(), BTreeSet::from([key.clone()]));
    let deliveries = scene.probe.drain(1);
    assert!(all_done_at_once(&deliveries), "{deliveries:#?}");
    scene.assert_settled();
    let records = scene.records();
    let data = records.get(&key).map(|record| &record.data);
    let Some(Data::ObjectRejected(rejected)) = data else { panic!("{records:#?}") };
    let letters = scene.dead_letters.take();
    let [letter] = &letters[..] else { panic!("one dead letter was expected: {letters:#?}") };
    let reason = json!(rejected.reason);
    assert_eq!(letter.attribute("framepost-reason"), reason.as_str());
    assert_eq!(letter.attribute("framepost-reason"), Some("not-media"));
    assert!(letter.body.contains(&key), "{}", letter.body);
}

fn an_object_that_was_deleted(scene: &mut Scene) {
    let mut keys = scene.footage("deleted");
    let gone = keys.pop_first().expect("there are objects");
    let path = format!("/{}/{gone}", scene.bucket);
    let version = version_of(&scene.account().s3("HEAD", &path, &[], b""));
    let deleted = scene.account().s3("DELETE", &format!("{path}?versionId={version}"), &[], b"");
    assert_eq!(deleted.status, 204, "{}", deleted.text());
    let deliveries = scene.probe.drain(2);
    assert!(all_done_at_once(&deliveries), "nothing is worth repeating: {deliveries:#?}\n{}", scene.why());
    scene.assert_settled();
    scene.assert_recorded(&keys);
    assert_eq!(scene.dead_letters.count(Messages::Visible), 0);
    let said = |line: &&String| line.contains("object-gone") && line.contains(&gone);
    assert_eq!(scene.probe.log().iter().filter(said).count(), 1, "{}", scene.why());
}

#[test]
fn functions_that_fail_and_buckets_that_refuse_lose_nothing() {
    let Some(mut scene) = Scene::new() else { return };
    let proxy = FaultProxy::start(scene.deployment.moto.address());
    let function = scene.deployment.probe_function(&scene.outputs).with_endpoint("S3", &proxy.url());
    let through_proxy = Mapping::deployed(&scene.deployment.moto, function.clone());
    a_function_that_is_killed_in_the_middle(&mut scene, &proxy, through_proxy);
    let hurried = function.with_timeout(Duration::from_secs(6));
    let hurried = Mapping::deployed(&scene.deployment.moto, hurried);
    one_slow_object(&mut scene, &proxy, hurried);
    throttling(&mut scene);
    a_bucket_that_refuses_for_a_while(&mut scene);
    a_bucket_that_refuses_for_too_long(&mut scene);
}

fn a_function_that_is_killed_in_the_middle(scene: &mut Scene, proxy: &FaultProxy, mut probe: Mapping) {
    let keys = scene.footage("killed");
    // Three objects are read and the next five are not. Then the sandbox is killed.
    let stall = Fault::Stall(Duration::from_mins(5));
    proxy.set_plan(Faults::Script([vec![Fault::None; 3], vec![stall; 5]].concat()));
    let conduct = probe.conduct.clone();
    let first = std::thread::scope(|scope| {
        scope.spawn(|| {
            proxy.wait_for(Duration::from_mins(1), |seen| seen.fault(stall) == 5);
            assert_eq!(conduct.kill_running(), 1);
        });
        probe.drain(1)
    });
    assert_eq!(first[0].invoked, Invoked::Crashed);
    assert_eq!(first[0].failures.len(), first[0].messages.len(), "the whole batch comes again");
    assert!(scene.queue.count(Messages::InFlight) > 0);
    scene.wait_for_visibility();
    let second = probe.drain(2);
    assert!(ends(&second).values().all(|end| *end == (2, true)), "{second:#?}\n{}", probe.log().join("\n"));
    scene.assert_settled();
    scene.assert_recorded(&keys);
    assert_eq!(scene.dead_letters.count(Messages::Visible), 0);
}

fn one_slow_object(scene: &mut Scene, proxy: &FaultProxy, mut probe: Mapping) {
    let keys = scene.footage("slow");
    proxy.set_plan(Faults::Script(vec![Fault::None, Fault::Stall(Duration::from_mins(5))]));
    let first = probe.drain(1);
    let (batch, rest) = first.split_first().expect("there was work");
    assert!(matches!(batch.invoked, Invoked::Answered(_)), "it answers before its time is up: {batch:#?}");
    assert_eq!(batch.failures.len(), 1, "the slow one alone comes again: {batch:#?}\n{}", probe.log().join("\n"));
    assert!(all_done_at_once(rest), "{rest:#?}");
    scene.wait_for_visibility();
    let second = probe.drain(1);
    assert_eq!(ends(&second).into_values().collect::<Vec<_>>(), [(2, true)]);
    scene.assert_settled();
    scene.assert_recorded(&keys);
}

fn throttling(scene: &mut Scene) {
    let keys = scene.footage("throttled");
    let conduct = scene.probe.conduct.clone();
    // One time fewer than the number of failed deliveries that a message may have.
    for _ in 0..scene.redrive_after() - 1 {
        conduct.throttle(usize::MAX);
        let refused = scene.probe.drain(1);
        assert!(refused.iter().all(|delivery| delivery.invoked == Invoked::Throttled), "{refused:#?}");
        scene.wait_for_visibility();
    }
    conduct.throttle(0);
    let deliveries = scene.probe.drain(2);
    assert!(ends(&deliveries).values().all(|(_, done)| *done), "{deliveries:#?}");
    scene.assert_settled();
    scene.assert_recorded(&keys);
    assert_eq!(scene.dead_letters.count(Messages::Visible), 0);
}

impl Scene {
    /// Returns after how many deliveries a message becomes a dead letter.
    fn redrive_after(&self) -> u64 {
        let attributes = self.queue.attributes();
        let policy = attributes["RedrivePolicy"].as_str().expect("the queue has a redrive policy");
        let policy: Value = serde_json::from_str(policy).expect("a policy is JSON");
        policy["maxReceiveCount"].as_u64().expect("a count")
    }

    fn refuse_reading(&self) {
        let deny = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Deny", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "*",
        }]});
        self.account().put_role_policy(self.probe.function.role(), "a-mistake", &deny);
    }

    fn allow_reading(&self) {
        self.account().delete_role_policy(self.probe.function.role(), "a-mistake");
    }
}

fn a_bucket_that_refuses_for_a_while(scene: &mut Scene) {
    let keys = scene.footage("refused");
    scene.refuse_reading();
    let refused = scene.probe.drain(1);
    assert!(ends(&refused).values().all(|end| *end == (1, false)), "{refused:#?}");
    assert!(refused.iter().all(|delivery| matches!(delivery.invoked, Invoked::Answered(_))), "{refused:#?}");
    scene.allow_reading();
    scene.wait_for_visibility();
    let deliveries = scene.probe.drain(2);
    assert!(ends(&deliveries).values().all(|end| *end == (2, true)), "{deliveries:#?}");
    scene.assert_settled();
    scene.assert_recorded(&keys);
    assert_eq!(scene.dead_letters.count(Messages::Visible), 0);
}

fn a_bucket_that_refuses_for_too_long(scene: &mut Scene) {
    let keys = scene.footage("refused-for-long");
    scene.refuse_reading();
    for time in 1..=scene.redrive_after() {
        let refused = scene.probe.drain(1);
        let time = u32::try_from(time).expect("few times");
        assert!(ends(&refused).values().all(|end| *end == (time, false)), "{refused:#?}");
        scene.wait_for_visibility();
    }
    assert!(scene.probe.drain(1).is_empty(), "it has come often enough");
    scene.assert_settled();
    assert_eq!(scene.dead_letters.count(Messages::Visible), keys.len() as u64);
    scene.assert_recorded(&BTreeSet::new());

    scene.allow_reading();
    // moto does not implement SQS's redrive, so send the messages back by hand, unchanged.
    let bodies: Vec<String> = scene.dead_letters.take().into_iter().map(|letter| letter.body).collect();
    scene.queue.send_all(&bodies);
    let deliveries = scene.probe.drain(2);
    assert!(all_done_at_once(&deliveries), "{deliveries:#?}");
    scene.assert_settled();
    scene.assert_recorded(&keys);
}
