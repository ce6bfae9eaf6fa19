//! The gate on pictures: days of synthetic footage, with it and without it.
//!
//! ffmpeg draws scenes with the noise of a sensor, `framepost up` cuts them into chunks with the activity that the gateway measures,
//! and a day of 28 800 chunks consists of a scene's chunks at new times, over and over. What `infer` says of a chunk depends on its
//! pictures and on what the gate decides, so each chunk is looked at once for each decision, by a detector that sees who is drawn; and
//! what a day's chunks say becomes sightings as the catalogue makes them.

use async_trait::async_trait;
use framepost_events::activity::Activity;
use framepost_events::detection::{Bounds, Detection};
use framepost_events::record::{ChunkInferred, Data, Model, Record, Skipped};
use framepost_infer::gate::{Gate, gate};
use framepost_infer::pictures::{Decoder, Limits, find_program};
use framepost_infer::{Infer, Parts, Settings};
use framepost_local::LocalBucket;
use framepost_ports::catalog::{Look, Sighting, sightings};
use framepost_ports::{Bus, Detector, Outcome, Picture, Result, SystemClock};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// Seconds of a chunk, and chunks of a day.
const CHUNK_S: usize = 3;
const DAY_CHUNKS: usize = 28_800;
/// The gateway says nothing of the activity in a camera's first minute.
const UNKNOWN_CHUNKS: usize = 21;
/// In so many chunks, every camera has a turn, which comes once in a minute.
const TURN_CHUNKS: usize = 21;
/// How often a chunk is given to the function while it asks for that: ffmpeg has little time on a busy machine.
const TRIES: usize = 10;

/// Somebody who walks in from the left, stays in the middle, and walks out to the right, all in seconds.
#[derive(Clone, Copy)]
struct Visit {
    from: f64,
    walk: f64,
    stay: f64,
}

impl Visit {
    fn times(self) -> [f64; 4] {
        let Self { from, walk, stay } = self;
        [from, from + walk, from + walk + stay, from + walk + stay + walk]
    }
}

/// What the drawn pictures of a chunk show, whatever a detector finds in them.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Shows {
    Nobody,
    Moves,
    Stands,
}

struct Scene {
    name: &'static str,
    /// The length of its clip.
    seconds: usize,
    visits: Vec<Visit>,
    /// For how many chunks who stays does so.
    stay: Range<usize>,
    /// Days of it: for how many chunks nobody is there before a visit.
    days: Vec<(&'static str, Range<usize>)>,
}

/// Crossings of five seconds that begin and end anywhere in a chunk; and two visitors who stay. Each scene begins with a crossing, so
/// that the gateway knows what moving costs.
fn scenes() -> [Scene; 3] {
    let crossing = |from| Visit { from, walk: 2.5, stay: 0.0 };
    let crossings = (0..5).map(|n| crossing(69.0 + 15.4 * f64::from(n)));
    let crossings = [crossing(20.2)].into_iter().chain(crossings).collect();
    let first = Visit { from: 69.4, walk: 2.5, stay: 24.0 };
    // Only their heel is in the next chunk.
    let second = Visit { from: 109.2, walk: 2.5, stay: 15.0 };
    let staying = vec![crossing(20.2), first, second];
    // With a turn of the camera before each visit.
    let crossed = vec![("busy", 8..40), ("visited", TURN_CHUNKS..100)];
    let stayed = vec![("somebody stays", 200..1000)];
    [
        Scene { name: "empty", seconds: 105, visits: vec![crossing(20.2)], stay: 0..0, days: vec![("empty", 0..0)] },
        Scene { name: "crossed", seconds: 141, visits: crossings, stay: 0..0, days: crossed },
        Scene { name: "stays", seconds: 141, visits: staying, stay: 1200..2400, days: stayed },
    ]
}

impl Scene {
    /// Draws it: a person of one colour in front of a wall, behind the noise of a sensor.
    fn draw(&self, to: &Path) {
        let mut x = "-100".to_owned();
        for visit in &self.visits {
            let [comes, stands, goes, gone] = visit.times();
            write!(x, "+gte(t,{comes})*lt(t,{stands})*(68+96*(t-{comes})/{})", visit.walk).unwrap();
            write!(x, "+gte(t,{stands})*lt(t,{goes})*164").unwrap();
            write!(x, "+gte(t,{goes})*lt(t,{gone})*(164+98*(t-{goes})/{})", visit.walk).unwrap();
        }
        let seconds = self.seconds;
        let wall = format!("color=0x5a6a5a:s=160x120:r=5:d={seconds}");
        let person = format!("color=0x901010:s=32x80:r=5:d={seconds}");
        let drawn = format!("[0][1]overlay=x='{x}':y=30:eval=frame,noise=alls=6:allf=t");
        // By one thread: the number of threads changes what is coded. One picture in a second can be decoded by itself.
        let coded = "-c:v libx264 -threads 1 -preset veryfast -bf 0 -g 5 -sc_threshold 0 -crf 33 -pix_fmt yuv420p";
        let output = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &wall, "-f", "lavfi", "-i", &person])
            .args(["-filter_complex", &drawn])
            .args(coded.split(' '))
            .arg(to)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn shows(&self, chunk: usize) -> Shows {
        let [from, to] = [chunk * CHUNK_S, (chunk + 1) * CHUNK_S].map(|second| second as f64);
        let all = self.visits.iter().map(|visit| match visit.times() {
            [_, stands, goes, _] if stands <= from && to <= goes => Shows::Stands,
            [comes, .., gone] if comes < to && from < gone => Shows::Moves,
            _ => Shows::Nobody,
        });
        all.into_iter().find(|shows| *shows != Shows::Nobody).unwrap_or(Shows::Nobody)
    }

    /// A day, as the numbers of the clip's chunks.
    fn day(&self, pause: &Range<usize>) -> Vec<usize> {
        let chunks = UNKNOWN_CHUNKS..self.seconds / CHUNK_S;
        let nobody: Vec<usize> = chunks.clone().filter(|n| self.shows(*n) == Shows::Nobody).collect();
        // Consecutive chunks with somebody.
        let mut visits: Vec<Vec<usize>> = Vec::new();
        for n in chunks.filter(|n| self.shows(*n) != Shows::Nobody) {
            match visits.last_mut() {
                Some(visit) if visit.last() == Some(&(n - 1)) => visit.push(n),
                _ => visits.push(vec![n]),
            }
        }
        let random = &mut fastrand::Rng::with_seed(5);
        let mut day = Vec::new();
        while let Some(visit) = random.choice(&visits) {
            let stands: Vec<usize> = visit.iter().copied().filter(|n| self.shows(*n) == Shows::Stands).collect();
            let moves: Vec<usize> = visit.iter().copied().filter(|n| self.shows(*n) == Shows::Moves).collect();
            let goes = moves.iter().position(|n| stands.last().is_some_and(|last| n > last)).unwrap_or(moves.len());
            let pause = (0..random.usize(pause.clone())).map(|_| nobody[random.usize(..nobody.len())]);
            let mut more: Vec<usize> = pause.chain(moves[..goes].iter().copied()).collect();
            if !stands.is_empty() {
                more.extend((0..random.usize(self.stay.clone())).map(|_| stands[random.usize(..stands.len())]));
            }
            more.extend(&moves[goes..]);
            // The camera has a turn between the last visit and midnight, where a new day begins.
            if day.len() + more.len() + TURN_CHUNKS > DAY_CHUNKS {
                break;
            }
            day.extend(more);
        }
        day.extend((day.len()..DAY_CHUNKS).map(|_| nobody[random.usize(..nobody.len())]));
        day
    }
}

/// Sees who is red, and nothing else.
struct Red(Model);

#[async_trait]
impl Detector for Red {
    fn model(&self) -> &Model {
        &self.0
    }

    async fn detect(&self, pictures: &[Picture]) -> Result<Vec<Vec<Detection>>> {
        let seen = pictures.iter().map(|picture| {
            let pixels = picture.rgb().as_chunks::<3>().0;
            let red = pixels.iter().filter(|[r, g, b]| *r > g.saturating_add(60) && *r > b.saturating_add(60)).count();
            let person = || Detection { label: "person".to_owned(), score: 0.9, bounds: Bounds::WHOLE, zones: vec![] };
            // Half a percent is a shoulder at the edge.
            if red * 200 > pixels.len() { vec![person()] } else { vec![] }
        });
        Ok(seen.collect())
    }
}

struct Nobody;

#[async_trait]
impl Bus for Nobody {
    async fn publish(&self, _record: &Record) -> Result<()> {
        Ok(())
    }
}

/// A scene's chunks as `probe` records them, and where they are.
struct Footage {
    chunks: Vec<Record>,
    bucket: Arc<LocalBucket>,
}

impl Footage {
    async fn of(scene: &Scene, dir: &Path) -> Self {
        let clip = dir.join(format!("{}.mp4", scene.name));
        scene.draw(&clip);
        let data = dir.join(scene.name);
        let mut up = Command::new(env!("CARGO_BIN_EXE_framepost"));
        let output = up.args(["up", "--without", "infer", "--dir"]).arg(&data).arg(&clip).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).unwrap();
        let records = lines.lines().map(|line| serde_json::from_str::<Record>(line).unwrap());
        let mut chunks: Vec<Record> = records.filter(|record| matches!(record.data, Data::ChunkProbed(_))).collect();
        chunks.sort_by_key(from);
        assert_eq!(chunks.len(), scene.seconds / CHUNK_S);
        Self { chunks, bucket: Arc::new(LocalBucket::open(data.join("s3/footage")).await.unwrap()) }
    }

    /// The level of a chunk's activity.
    fn level(&self, chunk: usize) -> Option<f64> {
        let Data::ChunkProbed(chunk) = &self.chunks[chunk].data else { panic!("a chunk") };
        chunk.activity.map(|activity| activity.level)
    }

    /// The function over this footage.
    fn infer(&self, settings: &[(&str, &str)]) -> Infer {
        let variable = |name: &str| settings.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        let named = Model { detector: "red".into(), name: "red".into(), version: None, digest: None, arm: None };
        let ffmpeg = find_program("ffmpeg", std::env::var_os("PATH")).unwrap();
        let parts = Parts {
            source: self.bucket.clone(),
            bus: Arc::new(Nobody),
            clock: Arc::new(SystemClock),
            detectors: vec![Arc::new(Red(named))],
            ledger: None,
            decoder: Decoder::new(&ffmpeg, Limits::default()),
        };
        Infer::new(parts, Settings::from_variables(variable).unwrap()).unwrap()
    }
}

fn from(record: &Record) -> Timestamp {
    let Data::ChunkProbed(chunk) = &record.data else { panic!("a chunk") };
    chunk.duration.from.unwrap()
}

async fn seen(infer: &Infer, event: &Record) -> Arc<ChunkInferred> {
    for _ in 0..TRIES {
        match infer.see(event).await {
            Ok(seen) => {
                let Data::ChunkInferred(mut inferred) = seen.record.data else { panic!("a record") };
                // They are those of this time; it will be another.
                inferred.frames.iter_mut().for_each(|frame| frame.time = None);
                return Arc::new(*inferred);
            }
            // The machine's fault; the message would come again.
            Err(Outcome::Retry { reason, .. }) => println!("again: {reason:?}"),
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("it is not looked at in {TRIES} tries");
}

/// What was said of the chunks of a day.
struct Day {
    said: Vec<Arc<ChunkInferred>>,
    /// Chunks that were read and decoded, and those that the detector was given; and of both, those in which nothing moves.
    read: usize,
    looked_at: usize,
    still_read: usize,
    still_looked_at: usize,
}

/// The function's answers about chunks so far, by chunk and decision.
type Known = BTreeMap<(usize, usize), Arc<ChunkInferred>>;

fn midnight() -> Timestamp {
    "2026-11-20T00:00:00Z".parse().unwrap()
}

/// When the chunk of this number begins.
fn time(chunk: usize) -> Timestamp {
    midnight() + SignedDuration::from_secs(i64::try_from(chunk * CHUNK_S).unwrap())
}

/// Has the function say something of each chunk of a day. `open` is what it says of them without a gate.
async fn gated(
    scene: &Scene,
    footage: &Footage,
    chunks: &[usize],
    below: &str,
    open: &Known,
    known: &mut Known,
) -> Day {
    let variables = [("FRAMEPOST_STILL_BELOW", below)];
    let infer = footage.infer(&variables);
    let settings = Settings::from_variables(|name| (name == variables[0].0).then(|| below.to_owned())).unwrap();
    let mut events = footage.chunks.clone();
    let mut day = Day { said: Vec::new(), read: 0, looked_at: 0, still_read: 0, still_looked_at: 0 };
    for (at, n) in chunks.iter().copied().enumerate() {
        let level_before = at.checked_sub(1).and_then(|before| footage.level(chunks[before]));
        let Data::ChunkProbed(chunk) = &mut events[n].data else { panic!("a chunk") };
        chunk.duration.from = Some(time(at));
        chunk.duration.to = Some(time(at + 1));
        chunk.activity = chunk.activity.map(|activity| Activity { level_before, ..activity });
        let decision = gate(chunk, &settings.of(chunk.site.as_ref(), chunk.camera.as_ref()));
        let key = (n, decision as usize);
        if !known.contains_key(&key) {
            let whole = &open[&(n, 0)];
            let is_first = !known.keys().any(|(_, of)| *of == key.1);
            // A chunk that is looked at in any case is looked at as if there were no gate.
            let said = match decision {
                Gate::Always if !is_first => whole.clone(),
                _ => seen(&infer, &events[n]).await,
            };
            assert!(decision != Gate::Always || said.frames == whole.frames, "{said:?}");
            known.insert(key, said);
        }
        let said = known[&key].clone();
        assert!(said.skipped.is_none_or(|why| why == Skipped::Still && decision != Gate::Always), "{said:?}");
        let is_still = usize::from(scene.shows(n) != Shows::Moves);
        let is_read = usize::from(decision != Gate::Still);
        let is_looked_at = usize::from(said.skipped.is_none());
        day.read += is_read;
        day.looked_at += is_looked_at;
        day.still_read += is_read * is_still;
        day.still_looked_at += is_looked_at * is_still;
        day.said.push(said);
    }
    day
}

/// What the catalogue makes of what was said of a day's chunks.
fn seen_in(said: &[Arc<ChunkInferred>]) -> Vec<Sighting> {
    let looks = said.iter().enumerate().map(|(n, said)| Look {
        from: time(n),
        to: time(n + 1),
        key: "",
        skipped: said.skipped,
        frames: &said.frames,
    });
    sightings(looks)
}

/// How sightings differ from others.
#[derive(Debug, Default)]
struct Difference {
    /// Sightings with pictures in two chunks that nothing was found of.
    missed: usize,
    /// How many were found as one with the one before, and how many in parts.
    joined: usize,
    parted: usize,
    /// By how much a border has moved at most.
    moved: SignedDuration,
}

impl Difference {
    fn between(expected: &[Sighting], found: &[Sighting]) -> Self {
        let overlap = |a: &Sighting, b: &Sighting| a.from <= b.to && b.from <= a.to;
        let mut all = Self::default();
        for one in expected {
            let parts = found.iter().filter(|other| overlap(one, other)).count();
            let lasts = one.to.duration_since(one.from) >= SignedDuration::from_secs(3);
            all.missed += usize::from(parts == 0 && lasts);
            all.parted += parts.saturating_sub(1);
        }
        for one in found {
            let within: Vec<&Sighting> = expected.iter().filter(|other| overlap(one, other)).collect();
            let first = within.first().unwrap_or_else(|| panic!("nobody was there: {one:?}"));
            let last = within.last().unwrap_or(first);
            let moved = [first.from.duration_since(one.from), last.to.duration_since(one.to)];
            all.moved = moved.into_iter().map(SignedDuration::abs).fold(all.moved, SignedDuration::max);
            all.joined += within.len() - 1;
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_days_pictures_the_same_sightings_follow_for_a_part_of_the_cost() {
    if !crate::drawn::has("ffmpeg") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    println!(
        "day | still below | read | given to the detector | of still chunks | sightings | missed | joined | moved by"
    );
    for scene in scenes() {
        let footage = Footage::of(&scene, dir.path()).await;
        let ungated = footage.infer(&[("FRAMEPOST_STILL_BELOW", "0"), ("FRAMEPOST_STILL_DIFFERENCE", "0")]);
        let mut open = Known::new();
        for n in UNKNOWN_CHUNKS..footage.chunks.len() {
            let said = seen(&ungated, &footage.chunks[n]).await;
            assert_eq!(said.skipped, None, "{} {n}", scene.name);
            open.insert((n, 0), said);
        }
        let mut known = Known::new();
        for (name, pause) in &scene.days {
            assert_same_for_less(&scene, &footage, name, &scene.day(pause), &open, &mut known).await;
        }
    }
}

/// Asserts that what follows with the gate is what follows without it, and prints what other thresholds would save and miss.
async fn assert_same_for_less(
    scene: &Scene,
    footage: &Footage,
    name: &str,
    chunks: &[usize],
    open: &Known,
    known: &mut Known,
) {
    let expected = seen_in(&chunks.iter().map(|n| open[&(*n, 0)].clone()).collect::<Vec<_>>());
    assert_eq!(expected.is_empty(), name == "empty", "{name}: {expected:?}");
    let still = chunks.iter().filter(|n| scene.shows(**n) != Shows::Moves).count();
    // 0: pictures are compared, and the activity says nothing.
    for below in ["0", "1.5", "2", "3"] {
        let day = gated(scene, footage, chunks, below, open, known).await;
        let found = seen_in(&day.said);
        let difference = Difference::between(&expected, &found);
        let Difference { missed, joined, parted, moved } = difference;
        let percent = |part: usize, of: usize| 100.0 * part as f64 / of as f64;
        println!(
            "{name} | {below} | {:.1} % | {:.1} % | {:.1} % | {} of {} | {missed} | {joined} | {moved:#}",
            percent(day.read, DAY_CHUNKS),
            percent(day.looked_at, DAY_CHUNKS),
            percent(day.still_looked_at, still),
            found.len(),
            expected.len(),
        );
        if below == "1.5" {
            assert_eq!((missed, joined, parted), (0, 0, 0), "{name}: {difference:?}");
            assert!(moved <= SignedDuration::from_secs(3), "{name}: {difference:?}");
            let cost = (day.still_read, day.still_looked_at);
            assert!(cost.0.max(cost.1) * 5 <= still, "{name}: {cost:?} of {still} cost something");
        }
    }
}
