//! What a line's proxy saw, as figures.

use crate::scenario::WINDOW;
use framepost_events::{KeyKind, ObjectKey};
use framepost_tests::fault_proxy::{Link, Upload};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Until so long after the start nothing is judged: the first chunks have to be there.
const WARM_UP: Duration = Duration::from_secs(30);

/// One moment, by both clocks.
pub(crate) struct Clocks {
    pub(crate) began: Instant,
    wall: Timestamp,
}

impl Clocks {
    pub(crate) fn now() -> Self {
        Self { began: Instant::now(), wall: Timestamp::now() }
    }

    fn seconds(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.began).as_secs_f64()
    }
}

/// The figures of one run.
pub(crate) struct Seen {
    /// Of each camera at each second after the warm-up: how old the end of its newest stored chunk was, in seconds. Sorted.
    ages: Vec<f64>,
    /// Bytes stored, of those that could pass, after the warm-up.
    pub(crate) used: f64,
    /// Bytes that passed for nothing.
    pub(crate) aborted_bytes: u64,
    pub(crate) stored_chunks: usize,
    /// From the tunnel's end to the first chunk of any camera, and to the first of every one; in seconds.
    pub(crate) first_back: f64,
    pub(crate) all_back: f64,
}

/// A chunk in the bucket: when it came there and when it had ended, in seconds after the start.
struct Stored {
    at: f64,
    ended: f64,
}

impl Seen {
    pub(crate) fn new(uploads: &[Upload], clocks: &Clocks, link: &Link, length: Duration) -> Self {
        let is_stored = |upload: &&Upload| upload.status.is_some_and(|status| (200..300).contains(&status));
        let mut cameras: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
        let mut stored_bytes = 0;
        for upload in uploads.iter().filter(is_stored) {
            let (Some(key), Some(ended)) = (key_of(&upload.path), upload.ended) else { continue };
            let at = clocks.seconds(ended);
            if at >= WARM_UP.as_secs_f64() {
                stored_bytes += upload.bytes;
            }
            if key.kind == KeyKind::Chunk {
                let began = key.start.duration_since(clocks.wall).as_secs_f64();
                let camera = key.camera.map(String::from).unwrap_or_default();
                cameras.entry(camera).or_default().push(Stored { at, ended: began + WINDOW.as_secs_f64() });
            }
        }
        let capacity = link.capacity_bytes(length) - link.capacity_bytes(WARM_UP);
        let over = |upload: &&Upload| upload.ended.is_some() && !is_stored(upload);
        let backs = backs(&cameras, link.tunnel_end());
        Self {
            ages: ages(&cameras, length),
            used: stored_bytes as f64 / capacity as f64,
            aborted_bytes: uploads.iter().filter(over).map(|upload| upload.bytes).sum(),
            stored_chunks: cameras.values().map(Vec::len).sum(),
            first_back: backs.iter().copied().fold(f64::INFINITY, f64::min),
            all_back: backs.iter().copied().fold(0.0, f64::max),
        }
    }

    /// The age that so large a share of them does not exceed.
    pub(crate) fn age(&self, share: f64) -> f64 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
        let place = (self.ages.len().saturating_sub(1) as f64 * share) as usize;
        self.ages.get(place).copied().unwrap_or(f64::NAN)
    }
}

fn key_of(path: &str) -> Option<ObjectKey> {
    let path = path.split('?').next()?;
    let path = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    path.strip_prefix("/footage/")?.parse().ok()
}

fn ages(cameras: &BTreeMap<String, Vec<Stored>>, length: Duration) -> Vec<f64> {
    let mut ages = Vec::new();
    for second in WARM_UP.as_secs()..length.as_secs() {
        let now = second as f64;
        for of_camera in cameras.values() {
            let there = of_camera.iter().filter(|stored| stored.at <= now);
            ages.push(now - there.map(|stored| stored.ended).fold(0.0, f64::max));
        }
    }
    ages.sort_by(f64::total_cmp);
    ages
}

/// How long each camera took to be back.
fn backs(cameras: &BTreeMap<String, Vec<Stored>>, over: Option<Duration>) -> Vec<f64> {
    let Some(over) = over else { return Vec::new() };
    let over = over.as_secs_f64();
    let first = |of_camera: &Vec<Stored>| {
        of_camera.iter().map(|stored| stored.at - over).filter(|after| *after >= 0.0).fold(f64::INFINITY, f64::min)
    };
    cameras.values().map(first).collect()
}
