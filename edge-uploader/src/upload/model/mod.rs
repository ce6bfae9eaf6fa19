//! A model test of uploads over random sequences. Whatever is answered, received or lost, whatever lies under
//! the key before, and however often the process, the power or the disk fails, the bytes of every chunk must be
//! in the spool, in quarantine or in the bucket; or the bucket answered "already exists" for a chunk that it
//! may have from an earlier put.
//!
//! The disk is a model too, so that it can lose power and refuse writes. Time is tokio's paused time.

mod bucket;
mod steps;

use super::{Absent, Backoff, Drained, UploadSettings, Uploader, Verified, verify};
use crate::segment::Output;
use crate::spool::Spool;
use crate::spool::tests::sim_disk::{SimDisk, Writes};
use bucket::Bucket;
use bytes::Bytes;
use framepost_events::attributes::Attributes;
use framepost_events::{KeyKind, ObjectKey};
use framepost_ports::ObjectSink;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use steps::{Refusing, Step, There, step};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The environment of the gateway.
struct World {
    disk: SimDisk,
    bucket: Arc<Bucket>,
    recorded: Vec<(String, Vec<u8>)>,
    now: Timestamp,
    seen: Coverage,
}

/// Counts that show that the sequences reach the interesting cases.
#[derive(Debug, Clone, Copy, Default)]
struct Coverage {
    left_unseen: usize,
    set_aside: usize,
    verified: usize,
}

const CHUNK: SignedDuration = SignedDuration::from_secs(3);

impl World {
    fn new(seed: u64) -> Self {
        let now = "2026-11-20T15:00:00Z".parse().unwrap();
        Self { disk: SimDisk::new(seed), bucket: Arc::default(), recorded: Vec::new(), now, seen: Coverage::default() }
    }

    /// Records a chunk in a span of its own.
    fn record(&mut self, spool: &Spool, there: There) {
        let site = "s".parse().unwrap();
        let camera = "c".parse().unwrap();
        let mut writer = spool.writer(site, camera).unwrap();
        let start = self.now;
        self.now += CHUNK * 2;
        // Some chunks have two pieces, so that a put can fail in between.
        let bytes = if self.recorded.len().is_multiple_of(4) { 70_000 } else { 100 };
        let body = vec![u8::try_from(self.recorded.len() % 251).unwrap(); bytes];
        let draft = Attributes::default();
        let init = Bytes::copy_from_slice(&body[..4]);
        writer.apply(Output::Begin { start, counter: 0, init: init.clone(), draft: draft.clone() }).unwrap();
        writer.apply(Output::Fragment(Bytes::copy_from_slice(&body[4..]).into())).unwrap();
        let attributes = Attributes { duration: Some(CHUNK), from: Some(start), ..draft };
        let key = ObjectKey::new("s".parse().unwrap(), "c".parse().unwrap(), start, 0, KeyKind::Chunk).to_string();
        {
            let mut inside = self.bucket.inside.lock().unwrap();
            match there {
                There::Nothing => {}
                There::TheSame => drop(inside.objects.insert(key.clone(), body.clone())),
                There::Another => drop(inside.objects.insert(key.clone(), b"another's".to_vec())),
            }
        }
        writer.apply(Output::Finish { init, tail: Bytes::new(), attributes }).unwrap();
        writer.apply(Output::SpanEnd { end: start + CHUNK, counter: 1 }).unwrap();
        self.recorded.push((key, body));
    }

    /// Checks that every chunk is somewhere.
    fn check(&self) -> std::result::Result<(), TestCaseError> {
        for (key, bytes) in &self.recorded {
            let inside = self.bucket.inside.lock().unwrap();
            let stored = inside.objects.get(key).is_some_and(|there| there == bytes);
            let may_leave = inside.supposed.get(key).is_some_and(|supposed| supposed.may_leave);
            drop(inside);
            prop_assert!(stored || may_leave || self.disk.holds(key, bytes), "{key} is nowhere");
        }
        Ok(())
    }

    fn set_disk(&self, refusing: Refusing) {
        self.bucket.inside.lock().unwrap().disk_refuses = refusing == Refusing::Writes;
        self.disk.set_writes(match refusing {
            Refusing::Writes => Writes::Refused,
            Refusing::Nothing => Writes::Taken,
        });
    }

    /// Runs the gateway until a step ends it.
    fn live(&mut self, steps: &mut VecDeque<Step>) -> std::result::Result<(), TestCaseError> {
        // Dropping this runtime simulates the end of the process.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let spool = self.disk.open();
        let settings = UploadSettings {
            backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(10) },
            refusal_backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(30) },
            stall: Duration::from_secs(10),
            ..UploadSettings::default()
        };
        let last = runtime.block_on(async {
            let sink: Arc<dyn ObjectSink> = self.bucket.clone();
            let uploader = Uploader::new(spool.clone(), sink, settings, fastrand::Rng::with_seed(7));
            let shutdown = CancellationToken::new();
            let running = uploader.clone();
            let token = shutdown.clone();
            let ran = tokio::spawn(async move { running.run(token).await });
            while let Some(step) = steps.pop_front() {
                match step {
                    // Nothing can be recorded on a disk that refuses writes.
                    Step::Record(there) => {
                        if !self.bucket.inside.lock().unwrap().disk_refuses {
                            self.record(&spool, there);
                        }
                    }
                    Step::Answer(answer) => self.bucket.inside.lock().unwrap().script.push_back(answer),
                    Step::Wait { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
                    Step::Looking(looking) => self.bucket.inside.lock().unwrap().looking = looking,
                    Step::Disk(refusing) => self.set_disk(refusing),
                    Step::Kill | Step::PowerCut | Step::Release | Step::Verify(_) => return Ok(Some(step)),
                }
                self.check()?;
            }
            // At the end, the bucket answers and the disk accepts writes, so nothing may be left.
            self.set_disk(Refusing::Nothing);
            self.bucket.inside.lock().unwrap().script.clear();
            let drained = uploader.drain(Some(Instant::now() + Duration::from_hours(2))).await;
            prop_assert_eq!(drained, Drained::Empty);
            tokio::time::sleep(Duration::from_mins(5)).await;
            prop_assert!(!spool.has_debts());
            shutdown.cancel();
            ran.await.unwrap();
            Ok(None)
        })?;
        drop((runtime, spool));
        self.set_disk(Refusing::Nothing);
        if last == Some(Step::PowerCut) {
            self.disk.power_cut();
        }
        self.bucket.inside.lock().unwrap().restarted();
        match last {
            Some(Step::Release) => self.release(),
            Some(Step::Verify(absent)) => self.verify(absent),
            _ => {}
        }
        self.check()
    }

    fn release(&self) {
        let spool = self.disk.open_unmended();
        let objects = spool.quarantined();
        assert_eq!(spool.release_quarantine(None).unwrap(), objects.len() as u64);
        for object in objects {
            self.bucket.inside.lock().unwrap().refused(&object.key.to_string());
        }
    }

    fn verify(&mut self, absent: Absent) {
        let spool = self.disk.open_unmended();
        let looking = std::mem::replace(&mut self.bucket.inside.lock().unwrap().looking, true);
        for object in spool.quarantined() {
            let key = object.key.to_string();
            let verified = futures::executor::block_on(verify(&spool, &*self.bucket, &object, absent)).unwrap();
            let ours = self.recorded.iter().find(|(recorded, _)| *recorded == key).map(|(_, bytes)| bytes);
            let mut inside = self.bucket.inside.lock().unwrap();
            match (inside.objects.get(&key), verified) {
                (None, Verified::Released) => inside.refused(&key),
                (None, Verified::Absent) => {}
                // The end of a span has no bytes and no entry here.
                (Some(there), Verified::Stored) => assert!(ours.is_none_or(|ours| ours == there), "{key}"),
                (Some(there), Verified::Other) => assert!(ours.is_none_or(|ours| ours != there), "{key}"),
                (there, verified) => panic!("{key}: {verified:?} of {there:?}"),
            }
            self.seen.verified += 1;
        }
        self.bucket.inside.lock().unwrap().looking = looking;
    }

    /// Checks the final state.
    fn conclude(&mut self) -> std::result::Result<(), TestCaseError> {
        self.check()?;
        let spool = self.disk.open_unmended();
        let aside: BTreeSet<String> = spool.quarantined().into_iter().map(|object| object.key.to_string()).collect();
        let inside = self.bucket.inside.lock().unwrap();
        for (key, bytes) in &self.recorded {
            let stored = inside.objects.get(key).is_some_and(|there| there == bytes);
            self.seen.left_unseen += usize::from(!stored && !aside.contains(key));
            self.seen.set_aside += usize::from(aside.contains(key));
        }
        Ok(())
    }
}

/// Number of sequences in one run.
const CASES: u32 = 2_000;

#[test]
fn nothing_is_ever_in_none_of_spool_quarantine_and_bucket() {
    let [left_unseen, set_aside, verified, puts] = std::array::from_fn(|_| AtomicUsize::new(0));
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(seed in any::<u64>(), steps in proptest::collection::vec(step(), 1..40))| {
        let mut world = World::new(seed);
        let mut steps = VecDeque::from(steps);
        while !steps.is_empty() {
            world.live(&mut steps)?;
        }
        world.live(&mut steps)?;
        world.conclude()?;
        left_unseen.fetch_add(world.seen.left_unseen, Ordering::Relaxed);
        set_aside.fetch_add(world.seen.set_aside, Ordering::Relaxed);
        verified.fetch_add(world.seen.verified, Ordering::Relaxed);
        puts.fetch_add(world.bucket.inside.lock().unwrap().puts, Ordering::Relaxed);
    });
    // Check that the sequences reached the interesting cases.
    let [left_unseen, set_aside, verified, puts] =
        [left_unseen, set_aside, verified, puts].map(AtomicUsize::into_inner);
    println!(
        "{puts} puts; {set_aside} set aside at the end, {verified} verified, {left_unseen} left on the bucket's word"
    );
    assert!(puts > 10_000 && set_aside > 500 && verified > 100, "{puts} {set_aside} {verified}");
}
