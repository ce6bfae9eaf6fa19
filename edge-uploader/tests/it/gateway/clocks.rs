//! Cameras whose clocks lie, from the queue to the bucket: every frame is stored, in order, and at its time.
//!
//! Each lie is told with each length of groups and each order of pictures, by a camera with H.264 or H.265, with sound or without.
//! With `FRAMEPOST_CLOCK_MATRIX=whole` it is told by each of these four.

use super::scene::{EPOCH, PATIENCE, Scene, record, until};
use super::scripted::{CLIP, HEVC, Scripted, Step};
use bytes::Bytes;
use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraEvent};
use edge_uploader::clock::TrustedClock;
use edge_uploader::gateway::CameraEnd;
use edge_uploader::media::{AudioParameters, Frame, Reference, StreamParameters, TrackKind};
use edge_uploader::upload::Drained;
use framepost_events::attributes::Attributes;
use framepost_events::{KeyKind, ObjectKey};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

const FPS: f64 = 25.0;
const SECONDS: f64 = 40.0;
const PICTURES: u64 = 1000;
const VIDEO: u32 = 90_000;
const AUDIO: u32 = 16_000;
const SOUND_S: f64 = 1024.0 / 16_000.0;
/// When the first frame arrives, after [`EPOCH`].
const ARRIVAL_S: f64 = 10.0;

/// The time for uploading what all cameras have left in the spool. They are up to 720, and their files are on a real disk.
const BACKLOG_PATIENCE: Duration = Duration::from_mins(15);

/// What a camera says instead of the time of its n-th frame, in seconds.
type Lie = fn(n: usize, media: f64) -> f64;

fn every_60th(n: usize, by: f64) -> f64 {
    if n > 0 && n.is_multiple_of(60) { by } else { 0.0 }
}

fn after(media: f64, from: f64, by: f64) -> f64 {
    media + if media >= from { by } else { 0.0 }
}

/// Lies about pictures and sound.
const LIES: [(&str, Lie, Lie); 30] = [
    ("none", |_, t| t, |_, t| t),
    ("outliers of -9800 s", |n, t| t + every_60th(n, -9800.0), |_, t| t),
    ("outliers of 9800 s", |n, t| t + every_60th(n, 9800.0), |n, t| t + every_60th(n, 9800.0)),
    ("outliers of -1 s", |n, t| t + every_60th(n, -1.0), |_, t| t),
    ("outliers of 1 s", |n, t| t + every_60th(n, 1.0), |n, t| t + every_60th(n, -1.0)),
    ("a step of 1 s", |_, t| after(t, 11.3, 1.0), |_, t| t),
    ("a step of -1 s", |_, t| after(t, 11.3, -1.0), |_, t| after(t, 11.3, -1.0)),
    ("a step of 60 s", |_, t| after(t, 11.3, 60.0), |_, t| t),
    ("a step of -60 s", |_, t| after(t, 11.3, -60.0), |_, t| t),
    ("a step of an hour", |_, t| after(t, 11.3, 3600.0), |_, t| after(t, 11.3, 3600.0)),
    ("a step of an hour back", |_, t| after(t, 11.3, -3600.0), |_, t| t),
    ("steps all the time", |_, t| t + (t / 1.7).floor() * 31.0, |_, t| t),
    ("a rate of 0.5", |_, t| t * 0.5, |_, t| t),
    ("a rate of 0.84", |_, t| t * 0.84, |_, t| t),
    ("a rate of 0.98", |_, t| t * 0.98, |_, t| t * 0.98),
    ("a rate of 1.02", |_, t| t * 1.02, |_, t| t),
    ("a rate of 1.05", |_, t| t * 1.05, |_, t| t * 1.05),
    ("a rate of 1.19", |_, t| t * 1.19, |_, t| t),
    ("rtptime zero", |_, t| t - 14_384.5, |_, t| t - 29_677.0),
    ("rtptime absent", |_, t| t, |_, t| t),
    ("rtptime an hour off", |_, t| t, |_, t| t + 3600.0),
    ("rtptime half a second off", |_, t| t, |_, t| t - 0.5),
    ("a clock that stands", |_, _| 0.0, |_, t| t),
    ("a clock that stops", |_, t| t.min(13.0), |_, t| t),
    ("a clock that runs back", |_, t| -t, |_, t| t),
    ("a clock that turns", |_, t| 13.0 - (t - 13.0).abs(), |_, t| t),
    ("sound that stands", |_, t| t, |_, _| 0.0),
    ("sound that runs back", |_, t| t, |_, t| -t),
    ("sound that jumps", |_, t| t, |_, t| after(t, 9.0, 900.0)),
    ("sound at 0.9", |_, t| t, |_, t| t * 0.9),
];

/// The order of pictures, and how many are in a group.
const SHAPES: [(&str, usize); 6] =
    [("plain", 25), ("plain", 50), ("plain", 250), ("reordered", 25), ("reordered", 50), ("reordered", 250)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    H264,
    H265,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sound {
    Aac,
    None,
}

/// What a camera sends.
#[derive(Debug, Clone, Copy)]
struct Shape {
    order: &'static str,
    group: usize,
    codec: Codec,
    sound: Sound,
}

const KINDS: [(Codec, Sound); 4] =
    [(Codec::H264, Sound::Aac), (Codec::H265, Sound::None), (Codec::H265, Sound::Aac), (Codec::H264, Sound::None)];

/// The cameras that tell the n-th lie.
fn shapes(n: usize, what: &str) -> Vec<Shape> {
    let whole = std::env::var("FRAMEPOST_CLOCK_MATRIX").is_ok_and(|matrix| matrix == "whole");
    let mut shapes = Vec::new();
    for (m, (order, group)) in SHAPES.into_iter().enumerate() {
        for (k, (codec, sound)) in KINDS.into_iter().enumerate() {
            // A lie about sound needs some.
            let sound = if what.starts_with("sound") { Sound::Aac } else { sound };
            if whole || k == (n + m) % KINDS.len() {
                shapes.push(Shape { order, group, codec, sound });
            }
        }
    }
    shapes
}

/// The place in presentation of the n-th picture in decoding order: I P b b P b b, in groups that end with a P.
fn shown(order: &str, group: usize, n: usize) -> usize {
    let in_group = n % group;
    let run = in_group.div_ceil(3);
    let place = (in_group + 2) % 3;
    if order == "plain" || in_group == 0 || 3 * run >= group {
        return n;
    }
    if place == 0 { n + 2 } else { n - 1 }
}

fn parameters(codec: Codec, sound: Sound) -> StreamParameters {
    let clip = match codec {
        Codec::H264 => &CLIP,
        Codec::H265 => &HEVC,
    };
    let mut parameters = clip.parameters.clone();
    parameters.video.timescale = VIDEO;
    parameters.audio = (sound == Sound::Aac).then(|| AudioParameters {
        // AAC-LC, 16 kHz, one channel.
        config: Bytes::from_static(&[0x14, 0x08]),
        rfc6381: "mp4a.40.2".to_owned(),
        channels: 1,
        sample_rate: AUDIO,
        timescale: AUDIO,
    });
    parameters
}

fn ticks(seconds: f64, timescale: u32) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few hours")]
    let ticks = (seconds * f64::from(timescale)).round() as i64;
    ticks
}

/// A picture that is its number: a length, the head of a slice, and the number.
fn picture(codec: Codec, n: usize, reference: Reference) -> Bytes {
    let is_first = reference == Reference::RandomAccess;
    let mut data = match codec {
        Codec::H264 => vec![0, 0, 0, 6, if is_first { 0x65 } else { 0x41 }, 0x9a],
        // IDR_W_RADL or TRAIL_R, and the first slice of its picture.
        Codec::H265 => vec![0, 0, 0, 7, if is_first { 0x26 } else { 0x02 }, 0x01, 0x80],
    };
    data.extend(u32::try_from(n).unwrap().to_be_bytes());
    data.into()
}

fn number(data: &[u8]) -> usize {
    u32::from_be_bytes(data[data.len() - 4..].try_into().unwrap()) as usize
}

/// What a camera with these lies sends, in the order of arrival.
fn frames(shape: Shape, lie: Lie, sound_lie: Lie) -> Vec<Frame> {
    let Shape { order, group, codec, sound } = shape;
    let mut frames = Vec::new();
    let mut latest = 0.0_f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let pictures = (SECONDS * FPS) as usize;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let sounds = if sound == Sound::Aac { (SECONDS / SOUND_S) as usize } else { 0 };
    for n in 0..pictures {
        let taken = shown(order, group, n) as f64 / FPS;
        latest = latest.max(taken);
        let reference = if n % group == 0 { Reference::RandomAccess } else { Reference::Needed };
        let pts = ticks(lie(n, taken), VIDEO);
        let arrival = Duration::from_secs_f64(ARRIVAL_S + latest);
        frames.push(Frame {
            track: TrackKind::Video,
            pts,
            duration: None,
            reference,
            arrival,
            data: picture(codec, n, reference),
        });
    }
    for n in 0..sounds {
        let taken = n as f64 * SOUND_S;
        let pts = ticks(sound_lie(n, taken), AUDIO);
        let arrival = Duration::from_secs_f64(ARRIVAL_S + taken);
        let data = Bytes::from([[0x21; 4], u32::try_from(n).unwrap().to_be_bytes()].concat());
        let reference = Reference::RandomAccess;
        frames.push(Frame { track: TrackKind::Audio, pts, duration: Some(1024), reference, arrival, data });
    }
    frames.sort_by_key(|frame| frame.arrival);
    frames
}

/// A frame in the bucket: its number, and its wall clock in seconds after the first arrival.
struct Stored {
    track: TrackKind,
    number: usize,
    wall_s: f64,
}

/// What the bucket has of a camera, in the order of its files.
async fn stored(scene: &Scene, camera: &str) -> (Vec<Stored>, Vec<(ObjectKey, Attributes)>, usize) {
    let mut chunks: Vec<(ObjectKey, Attributes, Vec<u8>)> = Vec::new();
    let mut gaps = 0;
    for text in scene.bucket.keys() {
        let key: ObjectKey = text.parse().unwrap();
        if key.camera.as_ref().map(framepost_events::Camera::as_str) != Some(camera) {
            continue;
        }
        gaps += usize::from(key.kind == KeyKind::Gap);
        if key.kind == KeyKind::Chunk {
            let metadata = scene.bucket.head(&text).unwrap().metadata;
            let attributes = Attributes::from_metadata(metadata.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
            chunks.push((key, attributes, scene.bucket.bytes(&text).unwrap().to_vec()));
        }
    }
    chunks.sort_by_key(|(key, ..)| key.start);
    let directory = tempfile::tempdir().unwrap();
    let mut stored = Vec::new();
    for (key, attributes, bytes) in &chunks {
        let path = directory.path().join("chunk.mp4");
        std::fs::write(&path, bytes).unwrap();
        let since: Timestamp = EPOCH.parse().unwrap();
        let start_s = (key.start.as_microsecond() - since.as_microsecond()) as f64 / 1e6 - ARRIVAL_S;
        let scale = f64::from(attributes.timescale.unwrap());
        let mut session = FileCamera::new(path, FileOptions::default()).connect().await.unwrap();
        while let Some(event) = session.next().await.unwrap() {
            if let CameraEvent::Frame(frame) = event {
                let wall_s = start_s + frame.pts as f64 / scale;
                stored.push(Stored { track: frame.track, number: number(&frame.data), wall_s });
            }
        }
    }
    (stored, chunks.into_iter().map(|(key, attributes, _)| (key, attributes)).collect(), gaps)
}

#[tokio::test]
async fn whatever_a_cameras_clock_says_every_frame_is_stored_in_order_and_at_its_time() {
    let scene = Scene::new();
    let gateway = scene.start().await;
    let mut cameras = Vec::new();
    for (n, (what, lie, sound_lie)) in LIES.into_iter().enumerate() {
        for (m, shape) in shapes(n, what).into_iter().enumerate() {
            let sent = frames(shape, lie, sound_lie);
            let mut steps = vec![Step::Event(CameraEvent::Parameters(parameters(shape.codec, shape.sound)))];
            steps.extend(sent.into_iter().map(|frame| Step::Event(CameraEvent::Frame(frame))));
            let name = format!("c{n}-{m}");
            let recorded = record(&gateway, &name, Scripted::live([steps]), TrustedClock::Gateway);
            // One at a time, so that the disk keeps up.
            until("all is received", || recorded.stats.frames.load(Relaxed) >= PICTURES).await;
            cameras.push((name, format!("{what}, {shape:?}"), shape, recorded));
        }
    }
    gateway.stop();
    let mut judged = Vec::new();
    for (name, what, shape, recorded) in cameras {
        let stats = Arc::clone(&recorded.stats);
        let end = recorded.ended().await;
        assert!(matches!(end, CameraEnd::Stopped), "{what}: {end:?}");
        // What is replaced and what is left out is counted.
        let replaced = stats.times_replaced.load(Relaxed);
        let steps = stats.clock_steps.load(Relaxed);
        let (least_replaced, expected_steps) = match &what {
            what if what.starts_with("outliers") => (16, 0),
            what if what.starts_with("a step of") => (0, 1),
            _ => (0, steps),
        };
        assert!(replaced >= least_replaced && steps == expected_steps, "{what}: {replaced} replaced, {steps} steps");
        judged.push((name, what, shape));
    }
    assert_eq!(gateway.shutdown(BACKLOG_PATIENCE).await, Drained::Empty);
    for (name, what, Shape { order, group, sound, .. }) in judged {
        let (stored, chunks, gaps) = stored(&scene, &name).await;
        let of = |track| stored.iter().filter(move |stored| stored.track == track).collect::<Vec<_>>();
        let pictures = of(TrackKind::Video);
        let sounds = of(TrackKind::Audio);
        let numbers: Vec<usize> = pictures.iter().map(|stored| stored.number).collect();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>(), "{what}: pictures");
        let sent = if sound == Sound::Aac { 625 } else { 0 };
        assert!(sounds.iter().map(|stored| stored.number).eq(0..sent), "{what}: sounds");
        assert_eq!(gaps, 0, "{what}");
        let longest = (group as f64 / FPS).max(1.0) + 1.0;
        for (key, attributes) in &chunks {
            let seconds = attributes.duration.unwrap().as_secs_f64();
            assert!(seconds < longest + 2.5, "{what}: {key} has {seconds} s");
        }
        // Within half of a window, which has 3 s.
        let near_s = 1.5;
        for stored in &pictures {
            let taken = shown(order, group, stored.number) as f64 / FPS;
            let off = stored.wall_s - taken;
            assert!(off.abs() < near_s, "{what}: picture {} is {off} s off", stored.number);
        }
        // Without times nothing says where the sound is but its arrival.
        if what.contains("clock that") {
            continue;
        }
        for sound in &sounds {
            let taken = sound.number as f64 * SOUND_S;
            let beside = pictures.iter().filter(|p| shown(order, group, p.number) as f64 / FPS <= taken + 0.5 / FPS);
            let near = beside.filter(|p| taken - shown(order, group, p.number) as f64 / FPS < 3.0 / FPS);
            // The one whose own time was not replaced.
            let off = near.map(|p| sound.wall_s - taken - (p.wall_s - shown(order, group, p.number) as f64 / FPS));
            let off = off.min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
            assert!(off.abs() < 0.040, "{what}: sound {} is {off} s beside its picture", sound.number);
        }
    }
}

#[tokio::test]
async fn the_gateways_clock_is_set_while_it_records() {
    for by_s in [3600, -3600] {
        let scene = Scene::new();
        let gateway = scene.start().await;
        let gate = Arc::new(tokio::sync::Notify::new());
        let shape = Shape { order: "plain", group: 50, codec: Codec::H264, sound: Sound::Aac };
        let sent = frames(shape, |_, t| t, |_, t| t);
        let mut steps = vec![Step::Event(CameraEvent::Parameters(parameters(shape.codec, shape.sound)))];
        for (n, frame) in sent.into_iter().enumerate() {
            if n == 800 {
                steps.push(Step::Wait(Arc::clone(&gate)));
            }
            steps.push(Step::Event(CameraEvent::Frame(frame)));
        }
        let recorded = record(&gateway, "c", Scripted::live([steps]), TrustedClock::Gateway);
        until("half is recorded", || recorded.stats.chunks.load(Relaxed) > 8).await;
        scene.clock.jump(SignedDuration::from_secs(by_s));
        until("it is noticed", || gateway.system_clock_sets() == 1).await;
        gate.notify_one();
        until("all is received", || recorded.stats.frames.load(Relaxed) >= 1000).await;
        gateway.stop();
        recorded.ended().await;
        gateway.shutdown(PATIENCE).await;
        let (stored, chunks, gaps) = stored(&scene, "c").await;
        let mut numbers: Vec<usize> =
            stored.iter().filter(|stored| stored.track == TrackKind::Video).map(|stored| stored.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..1000).collect::<Vec<_>>(), "{by_s}");
        assert_eq!((chunks.iter().filter(|(key, _)| key.counter == 0).count(), gaps), (2, 1), "{by_s}");
        for stored in stored.iter().filter(|stored| stored.track == TrackKind::Video) {
            let off = stored.wall_s - stored.number as f64 / FPS;
            let after_it = off - by_s as f64;
            assert!(off.abs() < 0.1 || after_it.abs() < 0.1, "{by_s}: picture {} is {off} s off", stored.number);
        }
    }
}
