//! The uploader and the real S3 client against a server that lies: whatever it answers, the bytes of every chunk are in the spool,
//! in quarantine or in the bucket. The same as the model beside the uploader, with fewer sequences and real sockets.

#![cfg(feature = "aws")]

use bytes::Bytes;
use edge_uploader::segment::Output;
use edge_uploader::spool::{Options, Spool};
use edge_uploader::upload::{Absent, Backoff, UploadSettings, Uploader, verify};
use framepost_aws::{Credentials, S3Bucket, S3Options};
use framepost_events::attributes::Attributes;
use framepost_events::{KeyKind, ObjectKey};
use framepost_ports::{Effect, ObjectSink};
use framepost_tests::lying_bucket::{Echo, Heard, Kept, Lie, Look, LyingBucket};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const SEQUENCES: u64 = 60;
const LIVES: usize = 4;

struct Run {
    random: fastrand::Rng,
    echo: Echo,
    bucket: LyingBucket,
    recorded: BTreeMap<String, Vec<u8>>,
    now: Timestamp,
    /// Puts whose answer may not have been heard, because the process ended.
    unheard: BTreeSet<usize>,
    /// What was released, and how many puts there had been by then.
    released: Vec<(String, usize)>,
}

fn settings() -> UploadSettings {
    let quick = Backoff { base: Duration::from_millis(2), cap: Duration::from_millis(20) };
    UploadSettings {
        backoff: quick,
        refusal_backoff: quick,
        stall: Duration::from_millis(400),
        ..UploadSettings::default()
    }
}

async fn connect(bucket: &LyingBucket) -> Arc<dyn ObjectSink> {
    let options = S3Options {
        endpoint_url: Some(bucket.endpoint().parse().unwrap()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(Credentials { access_key_id: "a".to_owned(), secret_access_key: "b".to_owned() }),
        ..S3Options::default()
    };
    Arc::new(S3Bucket::connect(&"s3://footage".parse().unwrap(), options).await.unwrap())
}

/// The lock is free as soon as the last task of the life before has noticed.
async fn open(dir: &Path) -> Spool {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match Spool::open(dir, Options::default()) {
            Ok((spool, _)) => return spool,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

impl Run {
    fn lie(&mut self) -> Lie {
        const NAMES: [&str; 24] = [
            "ok",
            "ok",
            "lost",
            "lost",
            "nobody",
            "reset",
            "early",
            "kept500",
            "500",
            "502",
            "504",
            "503",
            "403",
            "404",
            "400",
            "400t",
            "409",
            "501",
            "redirect",
            "html-proxy",
            "portal",
            "fake200",
            "truncated-xml",
            "badchecksum",
        ];
        match self.random.usize(..40) {
            0 => Lie::kept(Heard::Silence(Duration::from_millis(800))),
            1 => Lie::nothing_kept(Heard::SlowReading(Duration::from_millis(900))),
            2 => Lie::named("err200").unwrap(),
            _ => Lie::named(self.random.choice(NAMES).unwrap()).unwrap(),
        }
    }

    fn record(&mut self, spool: &Spool) {
        let site = "s".parse().unwrap();
        let camera = "c".parse().unwrap();
        let mut writer = spool.writer(site, camera).unwrap();
        let start = self.now;
        self.now += SignedDuration::from_secs(6);
        let body: Vec<u8> = (0..self.random.usize(100..100_000)).map(|_| self.random.u8(..)).collect();
        let key = ObjectKey::new("s".parse().unwrap(), "c".parse().unwrap(), start, 0, KeyKind::Chunk).to_string();
        match self.random.u8(..6) {
            0 => self.bucket.put_by_another(&key, "another's"),
            1 => self.bucket.put_by_another(&key, body.clone()),
            _ => {}
        }
        let init = Bytes::copy_from_slice(&body[..4]);
        let draft = Attributes::default();
        writer.apply(Output::Begin { start, counter: 0, init: init.clone(), draft: draft.clone() }).unwrap();
        writer.apply(Output::Fragment(Bytes::copy_from_slice(&body[4..]).into())).unwrap();
        let length = SignedDuration::from_secs(3);
        let attributes = Attributes { duration: Some(length), from: Some(start), ..draft };
        writer.apply(Output::Finish { init, tail: Bytes::new(), attributes }).unwrap();
        writer.apply(Output::SpanEnd { end: start + length, counter: 1 }).unwrap();
        self.recorded.insert(key, body);
    }

    /// Records, uploads for a while, and ends in the midst of it; the last life ends when all is done.
    async fn live(&mut self, dir: &Path, last: bool) {
        let spool = open(dir).await;
        let uploader =
            Uploader::new(spool.clone(), connect(&self.bucket).await, settings(), fastrand::Rng::with_seed(7));
        let shutdown = CancellationToken::new();
        let running = uploader.clone();
        let token = shutdown.clone();
        let ran = tokio::spawn(async move { running.run(token).await });
        for _ in 0..self.random.usize(1..4) {
            self.record(&spool);
        }
        let lies: Vec<_> = (0..self.random.usize(0..16)).map(|_| self.lie()).collect();
        self.bucket.script(lies);
        if last {
            let drained = uploader.drain(Some(Instant::now() + Duration::from_mins(1))).await;
            assert_eq!(drained, edge_uploader::upload::Drained::Empty, "{:?}", uploader.stats());
        } else {
            let pause = Duration::from_millis(self.random.u64(0..150));
            let _ = uploader.drain(Some(Instant::now() + pause)).await;
        }
        let before = self.bucket.puts().len();
        let busy = uploader.stats().in_flight;
        shutdown.cancel();
        ran.await.unwrap();
        // Whatever was on its way then may not have been heard, nor written down. It is the last one of its key.
        let puts = self.bucket.puts();
        self.unheard.extend(before..puts.len());
        if busy > 0 {
            let last: BTreeMap<_, _> = puts.iter().enumerate().map(|(place, put)| (&put.key, place)).collect();
            self.unheard.extend(last.into_values());
        }
    }

    /// Somebody looks after the quarantine while no gateway runs.
    async fn tend(&mut self, dir: &Path) {
        drop(open(dir).await);
        let spool = Spool::open_unmended(dir).unwrap();
        let puts = self.bucket.puts().len();
        match self.random.u8(..4) {
            0 => {
                self.released.extend(spool.quarantined().into_iter().map(|object| (object.key.to_string(), puts)));
                spool.release_quarantine(None).unwrap();
            }
            1 => {
                self.bucket.look(Look::Allowed);
                let sink = connect(&self.bucket).await;
                for object in spool.quarantined() {
                    verify(&spool, &*sink, &object, Absent::Kept).await.unwrap();
                }
                self.bucket.look(Look::Denied);
            }
            _ => {}
        }
    }

    /// Whether the bucket said "already exists" of a chunk that it may have had by an earlier put, by what the server knows.
    fn may_have_left(&self, key: &str) -> bool {
        let mut open = false;
        let mut left = false;
        let mut from = 0;
        for (place, put) in self.bucket.puts().iter().enumerate().filter(|(_, put)| put.key == key) {
            let since = from..=place;
            open &= !self.released.iter().any(|(released, puts)| released == key && since.contains(puts));
            from = place + 1;
            let effect = match (put.lie.heard, put.kept) {
                // Broken off on its way: all of it may have left the gateway by then.
                (_, None) => Effect::Unknown,
                (Heard::Truth, Some(Kept::SameThere | Kept::OtherThere)) => {
                    left |= open;
                    open |= self.unheard.contains(&place);
                    continue;
                }
                _ if self.unheard.contains(&place) => Effect::Unknown,
                (Heard::Error(status, _) | Heard::TruncatedError(status, _) | Heard::Page(status), _)
                    if status != 200 =>
                {
                    Effect::of_status(status)
                }
                (Heard::Redirect(_), _) => Effect::None,
                // Where the endpoint gives none, this is a success like any other that proves nothing.
                (Heard::WrongChecksum, _) if self.echo == Echo::Checksum => Effect::None,
                _ => Effect::Unknown,
            };
            open = effect == Effect::Unknown;
        }
        left
    }

    fn check(&self, dir: &Path) {
        let objects = self.bucket.objects();
        for (key, body) in &self.recorded {
            let stored = objects.get(key).is_some_and(|there| there == body);
            let kept = std::fs::read(dir.join("objects").join(key)).is_ok_and(|there| there == *body);
            let puts: Vec<_> = self.bucket.puts().into_iter().filter(|put| put.key == *key).collect();
            assert!(stored || kept || self.may_have_left(key), "{key} is nowhere: {puts:?}");
            let created = |put: &framepost_tests::lying_bucket::Put| {
                self.echo == Echo::Checksum && put.lie.heard == Heard::Truth && put.kept == Some(Kept::Stored)
            };
            let told = self
                .bucket
                .puts()
                .iter()
                .enumerate()
                .any(|(place, put)| put.key == *key && created(put) && !self.unheard.contains(&place));
            assert!(!told || created(puts.last().unwrap()), "{key} was put again: {puts:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_answered_nothing_is_in_none_of_spool_quarantine_and_bucket() {
    let mut lives = tokio::task::JoinSet::new();
    for seed in 0..SEQUENCES {
        lives.spawn(async move {
            let dir = tempfile::tempdir().unwrap();
            let echo = if seed % 4 == 0 { Echo::Nothing } else { Echo::Checksum };
            let mut run = Run {
                random: fastrand::Rng::with_seed(seed),
                echo,
                bucket: LyingBucket::start(echo),
                recorded: BTreeMap::new(),
                now: "2026-11-20T15:00:00Z".parse().unwrap(),
                unheard: BTreeSet::new(),
                released: Vec::new(),
            };
            for life in 1..=LIVES {
                run.live(dir.path(), life == LIVES).await;
                run.check(dir.path());
                if life < LIVES {
                    run.tend(dir.path()).await;
                    run.check(dir.path());
                }
            }
            run.bucket.puts().len()
        });
    }
    let mut puts = 0;
    while let Some(ended) = lives.join_next().await {
        puts += ended.unwrap();
    }
    assert!(puts > 500, "{puts}");
    println!("{SEQUENCES} sequences, {puts} puts");
}
