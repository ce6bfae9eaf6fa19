//! What an export's manifest says of itself, against what its chunks say.
//!
//! A gateway signs each chunk's key, with site and camera in it, its times, its bytes and the chunk before it. So a clip's name, its
//! length, where it begins and ends, and what the page shows follow from what was signed, and are made again here. What was asked
//! for, by whom and when, does not follow from it. Neither does it that nothing was recorded where no clip shows anything; but a
//! chunk that names one before it, which is not there, says the opposite.

use super::Report;
use super::clip::{Recorded, SAME, Shown, Signatures};
use super::files::Open;
use crate::export::manifest::{ClipFile, ExportManifest, MANIFEST_NAME, PAGE_NAME};
use crate::export::page;
use crate::export::planning::{file_name, milliseconds};
use crate::export::state::{Id, Range, proof_name};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How much later an export may say that it was made than its id.
const WITHIN_S: i64 = 2;
/// What is missing for less is the length of a picture, which is a guess.
const TOUCHING: SignedDuration = SignedDuration::from_millis(500);
/// The most stretches without video that are told one by one, for each range that was asked for.
const TOLD: usize = 20;

pub(super) fn check(manifest: &ExportManifest, shown: &[Option<Shown>], report: &mut Report) {
    heading(manifest, report);
    for (n, (clip, shown)) in manifest.files.iter().zip(shown).enumerate() {
        if let Some(shown) = shown {
            one(n, clip, shown, report);
        }
        if clip.proof.name != proof_name(&clip.file.name) {
            report.fault(&clip.proof.name, format_args!("it is not called as the proof of {}", clip.file.name));
        }
        let is_of = |range: &Range| {
            range.camera() == clip.range.camera() && range.from <= clip.range.from && clip.range.to <= range.to
        };
        if !manifest.ranges.iter().any(is_of) {
            report.fault(&clip.file.name, "it is of no range that was asked for");
        }
    }
    let mut cameras: BTreeMap<String, Vec<&Recorded>> = BTreeMap::new();
    for (clip, shown) in manifest.files.iter().zip(shown) {
        let chunks = shown.iter().flat_map(|shown| &shown.chunks);
        cameras.entry(of(&clip.range)).or_default().extend(chunks);
    }
    for chunks in cameras.values_mut() {
        chunks.sort_by(|a, b| (a.from, &a.key).cmp(&(b.from, &b.key)));
        // A chunk may be in two clips, as the end of one and the beginning of the next.
        chunks.dedup_by(|a, b| a.key == b.key);
    }
    for range in &manifest.ranges {
        let none = Vec::new();
        missing(range, cameras.get(&of(range)).unwrap_or(&none), report);
    }
}

fn of(range: &Range) -> String {
    format!("{}/{}", range.site, range.camera)
}

/// What it says of itself as a whole.
fn heading(manifest: &ExportManifest, report: &mut Report) {
    match Id::try_from(manifest.id.clone()) {
        Ok(id) => {
            let created_s = manifest.created_at.as_second();
            if (created_s - id.made_s()).abs() > WITHIN_S {
                report.fault(MANIFEST_NAME, "its id is not of the time at which it says that it was made");
            }
        }
        Err(why) => report.fault(MANIFEST_NAME, why),
    }
    if manifest.page.name != PAGE_NAME {
        report.fault(&manifest.page.name, format_args!("the page of an export is called {PAGE_NAME}"));
    }
    let by = manifest.created_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    report.unsigned.push(format!("export {:?}, made {}{by}, id {}", manifest.name, manifest.created_at, manifest.id));
    for Range { site, camera, from, to } in &manifest.ranges {
        report.unsigned.push(format!("asked for: {site}/{camera} from {from} to {to}, and nothing else"));
    }
    report.unsigned.push(match manifest.public_keys.as_slice() {
        [] => "public keys: it names none".to_owned(),
        keys => format!("public keys: {}", keys.join(", ")),
    });
}

/// What is said of one clip.
fn one(n: usize, clip: &ClipFile, shown: &Shown, report: &mut Report) {
    let name = &clip.file.name;
    let called = file_name(n, &clip.range, shown.timing.starts_at);
    if *name != called {
        report.fault(name, format_args!("it would be called {called}"));
    }
    let plays_ms = milliseconds(shown.timing.played);
    if clip.duration_ms != plays_ms {
        report.fault(name, format_args!("it plays for {plays_ms} ms, and the manifest says {}", clip.duration_ms));
    }
    let ends_at = shown.chunks.last().map_or(clip.range.to, |last| last.to.min(clip.range.to));
    let what = format!("{} from {} to {ends_at}", of(&clip.range), shown.timing.starts_at);
    let Range { from, to, .. } = &clip.range;
    if *from + SAME < shown.timing.starts_at || ends_at + SAME < *to {
        report.unsigned.push(format!("{name} has all that there was from {from} to {to}"));
    }
    match shown.signatures {
        Signatures::All => report.lines.push(format!("  shows {what}, by what was signed")),
        Signatures::Missing => report.unsigned.push(format!("{name} shows {what}")),
    }
}

/// Where nothing is shown of what was asked for. `chunks` are all of the camera, in order.
fn missing(range: &Range, chunks: &[&Recorded], report: &mut Report) {
    let mut holes: Vec<(Timestamp, Timestamp, Option<&str>)> = Vec::new();
    let mut until = range.from;
    let mut before: Option<&Recorded> = None;
    for chunk in chunks.iter().filter(|chunk| chunk.from < range.to && chunk.to > range.from) {
        let follows = before.is_some_and(|before| is_next(before, chunk));
        let names_another = chunk.link.is_some_and(|link| link.previous.is_some()) && !follows;
        let is_told = report.faults.iter().any(|fault| fault.starts_with(&chunk.key));
        if names_another && before.is_some() && !is_told {
            report.fault(&chunk.key, "it names a chunk before it that is not in the export");
        } else if chunk.from > until + SAME && (names_another || chunk.from.duration_since(until) > TOUCHING) {
            holes.push((until, chunk.from, names_another.then_some(&chunk.key)));
        }
        until = until.max(chunk.to);
        before = Some(chunk);
    }
    if range.to.duration_since(until) > TOUCHING {
        holes.push((until, range.to, None));
    }
    let camera = of(range);
    for (from, to, of_chunk) in holes.iter().take(TOLD) {
        report.unsigned.push(match of_chunk {
            Some(key) => format!("{camera} from {from} to {to}: nothing is shown, but {key} names video before it"),
            None => format!("{camera} from {from} to {to}: nothing is shown; nobody says whether there was video"),
        });
    }
    if let Some(more) = holes.get(TOLD..).map(<[_]>::len).filter(|more| *more > 0) {
        report.unsigned.push(format!("{camera}: nothing is shown of {more} more stretches of time"));
    }
}

/// Whether `chunk` is the one after `before` in one span.
fn is_next(before: &Recorded, chunk: &Recorded) -> bool {
    match (before.link, chunk.link) {
        (Some(before), Some(link)) => {
            link.counter.checked_sub(1) == Some(before.counter) && link.previous == Some(before.digest)
        }
        _ => false,
    }
}

/// Whether the page shows what the manifest says.
pub(super) fn page(page: &Open, manifest: &ExportManifest, shown: &[Option<Shown>], report: &mut Report) {
    let none = [];
    let clips: Vec<page::Shown> = manifest
        .files
        .iter()
        .zip(shown)
        .map(|(clip, shown)| page::Shown {
            name: &clip.file.name,
            range: &clip.range,
            bytes: clip.file.bytes,
            sha256: clip.file.sha256,
            times: shown.as_ref().map_or(&none[..], |shown| &shown.times),
        })
        .collect();
    let made = page::html(&manifest.name, manifest.created_at, &clips);
    match page.whole() {
        Ok(there) if there == made.as_bytes() => {
            report.lines.push(format!("{PAGE_NAME}: shows the clips as the manifest has them, and nothing else"));
        }
        Ok(_) => report.unchecked.push(format!(
            "{PAGE_NAME}: it is not the page that this version makes of these clips; look at the clips themselves"
        )),
        Err(error) => report.fault(PAGE_NAME, format_args!("it cannot be read: {error}")),
    }
}
