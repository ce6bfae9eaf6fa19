//! Checking one clip against the chunks that it is made of.

use super::files::Open;
use super::{Keys, Report, Trust};
use crate::clip::{Head, Move, Timing, moved};
use crate::export::manifest::{ChunkProof, Claim, ClipFile, Proof};
use crate::export::page::Times;
use framepost_events::manifest::Manifest;
use framepost_events::{ObjectKey, Sha256, Sha256Hasher};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How much a clip's seconds may differ from the wall clock's: a camera's clock drifts, and the last picture's length is a guess.
const DRIFT: f64 = 1.5;
/// How much times may differ that are the same: those of a key are cut to microseconds.
pub(super) const SAME: SignedDuration = SignedDuration::from_millis(1);
/// The largest media of a chunk.
const MEDIA_BYTES_MAX: u64 = 64 << 20;

/// What was found of the chunks of one clip.
#[derive(Default)]
struct Found {
    objects: usize,
    signed: BTreeMap<String, usize>,
    unsigned: usize,
    unknown: BTreeMap<String, usize>,
    linked: usize,
    spans: usize,
    without_chain: usize,
}

/// The chunk before, for the chain.
struct Before {
    counter: u64,
    digest: Sha256,
    to: Timestamp,
}

/// A chunk of a clip, as its proof has it.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) key: String,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// Where it is in its span; `None` for an object of another writer.
    pub(super) link: Option<Link>,
}

/// A chunk's place in its span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) counter: u64,
    pub(super) previous: Option<Sha256>,
    /// The digest by which the next chunk names it.
    pub(super) digest: Sha256,
}

/// What a clip shows, by its proof.
pub(super) struct Shown {
    pub(super) timing: Timing,
    /// The wall-clock times at milliseconds of the clip: at its start, and after each gap.
    pub(super) times: Vec<(u64, Timestamp)>,
    /// Its chunks, in order.
    pub(super) chunks: Vec<Recorded>,
    pub(super) signatures: Signatures,
}

/// Whether a clip's chunks are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signatures {
    /// Each of them, with a key that is there.
    All,
    /// Not all of them, or with keys that are not there.
    Missing,
}

/// Checks a clip, and returns what it shows; `None` if that cannot be said.
pub(super) fn check(file: &Open, clip: &ClipFile, proof: &Proof, keys: &Keys, report: &mut Report) -> Option<Shown> {
    let name = &clip.file.name;
    let mut seconds = Vec::with_capacity(proof.chunks.len());
    for chunk in &proof.chunks {
        match chunk.seconds.parse::<f64>() {
            Ok(lasts) if lasts.is_finite() && lasts >= 0.0 => seconds.push(lasts),
            _ => {
                report.fault(&chunk.key, "its length is not a number");
                return None;
            }
        }
    }
    let (head, timing) = head(file, clip, proof, &seconds, report)?;
    let mut at = proof.head_bytes;
    let mut begins_at = 0.0;
    let mut found = Found::default();
    let mut before = None;
    let mut times = Times::new(clip.range.from);
    for (n, (chunk, lasts)) in (0..).zip(proof.chunks.iter().zip(&seconds)) {
        if chunk.at != at {
            report.fault(name, format_args!("it has bytes at {at} that belong to no chunk"));
            return None;
        }
        times.take(chunk.from, chunk.to, begins_at);
        let is_last = at + chunk.media_bytes == file.len();
        let ends_at = timing.ends_at(*lasts).filter(|_| is_last);
        let place = Place { number: n, begins_at, at, ends_at };
        if object(file, chunk, proof, &place, &head, report) {
            found.objects += 1;
        }
        claims(clip, chunk, *lasts, report);
        signature(chunk, keys, &mut found, report);
        chain(chunk, &mut before, &mut found, report);
        at += chunk.media_bytes;
        begins_at += lasts;
    }
    if at != file.len() {
        report.fault(name, format_args!("it has bytes at {at} that belong to no chunk"));
    }
    found.say(proof.chunks.len(), report);
    let signed: usize = found.signed.values().sum();
    let signatures = if signed == proof.chunks.len() { Signatures::All } else { Signatures::Missing };
    let chunks = proof.chunks.iter().map(recorded).collect();
    Some(Shown { timing, times: times.found(), chunks, signatures })
}

fn recorded(chunk: &ChunkProof) -> Recorded {
    let counter = chunk.key.parse::<ObjectKey>().ok().map(|key| key.counter);
    let link = chunk.claim.as_ref().zip(counter).map(|(claim, counter)| Link {
        counter,
        previous: claim.previous,
        digest: manifest(chunk, claim).digest(),
    });
    Recorded { key: chunk.key.clone(), from: chunk.from, to: chunk.to, link }
}

/// Makes the clip's head again, and compares. What else is wrong is looked for in any case.
fn head(file: &Open, clip: &ClipFile, proof: &Proof, seconds: &[f64], report: &mut Report) -> Option<(Head, Timing)> {
    let name = &clip.file.name;
    let (first, last) = proof.chunks.first().zip(proof.chunks.last()).or_else(|| {
        report.fault(name, "it has no chunk");
        None
    })?;
    let timing = Timing::of(clip.range.within(), first.from, last.to, seconds.iter().sum());
    let init = proof.heads.get(&first.head).map(|init| init.0.as_slice()).unwrap_or_default();
    let made = Head::of(init, timing, None);
    let there = file.read(0, proof.head_bytes).unwrap_or_default();
    if made.as_ref().is_none_or(|made| made.bytes != there) {
        report.fault(name, "its head is not that of a clip of these chunks and this time");
    }
    made.map(|made| (made, timing))
}

/// Where a chunk is in a clip.
struct Place {
    number: u32,
    begins_at: f64,
    at: u64,
    /// Seconds from the chunk's start after which nothing is shown.
    ends_at: Option<f64>,
}

/// Puts the chunk's object together again, and out of that the clip's part. Says whether both are what they have to be.
fn object(file: &Open, chunk: &ChunkProof, proof: &Proof, place: &Place, of: &Head, report: &mut Report) -> bool {
    let key = &chunk.key;
    let len = Some(chunk.media_bytes).filter(|len| *len <= MEDIA_BYTES_MAX);
    let Some(there) = len.and_then(|len| file.read(chunk.at, len).ok()) else {
        report.fault(key, "its part of the clip cannot be read");
        return false;
    };
    let mut media = there.clone();
    for undo in &chunk.undo {
        let start = usize::try_from(undo.at).unwrap_or(usize::MAX);
        let place = start.checked_add(undo.was.0.len()).and_then(|end| media.get_mut(start..end));
        let Some(place) = place else {
            report.fault(key, "the bytes it restores lie outside of it");
            return false;
        };
        place.copy_from_slice(&undo.was.0);
    }
    let Some(head) = proof.heads.get(&chunk.head).filter(|head| Sha256::of(&head.0) == chunk.head) else {
        report.fault(key, "its beginning is not in the proof");
        return false;
    };
    let mut hasher = Sha256Hasher::new();
    for part in [&head.0, &media, &chunk.tail.0] {
        hasher.update(part);
    }
    let bytes = (head.0.len() + media.len() + chunk.tail.0.len()) as u64;
    let digest = hasher.finish();
    let before = report.faults.len();
    if bytes != chunk.bytes || digest != chunk.sha256 {
        report.fault(key, "the clip does not show it as it was exported");
    }
    if chunk.claim.as_ref().is_some_and(|claim| claim.sha256 != digest) {
        report.fault(key, "it is not what its gateway wrote: the SHA-256 differs");
    }
    // Clips of before ended by their edit list alone.
    let is_so = [place.ends_at, None].into_iter().any(|ends_at| {
        let Place { number, begins_at, at, .. } = *place;
        let how = Move { number, begins_at, from: head.0.len() as u64, to: at, ends_at };
        moved(&media, &how, &of.tracks).is_some_and(|again| again.bytes == there)
    });
    if !is_so {
        report.fault(key, "its times in the clip are not those of a clip");
    }
    report.faults.len() == before
}

/// Whether what the chunk says of itself fits the clip.
fn claims(clip: &ClipFile, chunk: &ChunkProof, lasts: f64, report: &mut Report) {
    let key = &chunk.key;
    let range = &clip.range;
    if let Ok(parsed) = key.parse::<ObjectKey>() {
        if parsed.site.as_ref() != Some(&range.site) || parsed.camera.as_ref() != Some(&range.camera) {
            report.fault(key, format_args!("it is not of {}/{}", range.site, range.camera));
        }
    } else if chunk.claim.is_some() {
        report.fault(key, "it is not the key of a chunk");
    }
    if chunk.from >= range.to {
        report.fault(key, "it begins behind the clip's end");
    }
    let by_clock = chunk.to.duration_since(chunk.from).as_secs_f64();
    if (lasts - by_clock).abs() > DRIFT + by_clock * 0.05 {
        report.fault(key, format_args!("it plays for {lasts} s, and was recorded for {by_clock} s"));
    }
    if let Some(claim) = &chunk.claim {
        let differs = |one: Timestamp, other: Timestamp| one.duration_since(other).abs() > SAME;
        if differs(claim.from, chunk.from) || differs(claim.to, chunk.to) {
            report.fault(key, "its times are not those that its gateway wrote");
        }
    }
}

fn manifest<'a>(chunk: &'a ChunkProof, claim: &Claim) -> Manifest<'a> {
    let Claim { sha256, from, to, previous, .. } = claim;
    Manifest { key: &chunk.key, bytes: chunk.bytes, sha256: *sha256, from: *from, to: *to, previous: *previous }
}

fn signature(chunk: &ChunkProof, keys: &Keys, found: &mut Found, report: &mut Report) {
    let key = &chunk.key;
    let signature = chunk.claim.as_ref().and_then(|claim| Some((claim, claim.signature.as_ref()?)));
    let Some((claim, signature)) = signature else {
        found.unsigned += 1;
        if keys.trust == Trust::Given {
            report.fault(key, "it is not signed");
        }
        return;
    };
    let Ok(signature) = <[u8; 64]>::try_from(signature.0.as_slice()) else {
        return report.fault(key, "its signature cannot be parsed");
    };
    let manifest = manifest(chunk, claim);
    let id = claim.key_id.as_deref();
    let candidates = keys.keys.iter().filter(|key| id.is_none_or(|id| id == key.id()));
    let mut any = false;
    for candidate in candidates {
        any = true;
        if candidate.verifies(&manifest, &signature) {
            *found.signed.entry(candidate.id().to_owned()).or_default() += 1;
            return;
        }
    }
    if any {
        report.fault(key, "its signature is not valid");
    } else if keys.trust == Trust::Given {
        report.fault(key, format_args!("it is signed with another key, {}", id.unwrap_or("without a name")));
    } else {
        *found.unknown.entry(id.unwrap_or("without a name").to_owned()).or_default() += 1;
    }
}

fn chain(chunk: &ChunkProof, before: &mut Option<Before>, found: &mut Found, report: &mut Report) {
    let counter = chunk.key.parse::<ObjectKey>().ok().map(|key| key.counter);
    let (Some(claim), Some(counter)) = (&chunk.claim, counter) else {
        found.without_chain += 1;
        *before = None;
        return;
    };
    let key = &chunk.key;
    match (before.as_ref(), counter, claim.previous) {
        (_, 0, None) => found.spans += 1,
        (Some(before), _, Some(previous)) if counter == before.counter + 1 && previous == before.digest => {
            found.linked += 1;
        }
        // The first of the clip: what came before is not asked for.
        (None, 1.., Some(_)) if found.linked + found.spans == 0 => found.spans += 1,
        (Some(before), _, _) if counter > before.counter + 1 => {
            let missing = counter - before.counter - 1;
            report.fault(key, format_args!("{missing} chunks before it are missing"));
        }
        _ => report.fault(key, "it does not name the chunk before it"),
    }
    if let Some(before) = before.as_ref().filter(|before| chunk.from + SAME < before.to - SignedDuration::from_secs(1))
    {
        report.fault(key, format_args!("it begins before the one before it ends ({})", before.to));
    }
    *before = Some(Before { counter, digest: manifest(chunk, claim).digest(), to: chunk.to });
}

impl Found {
    /// Says in words what was found of this many chunks.
    fn say(&self, chunks: usize, report: &mut Report) {
        if self.objects == chunks {
            report.lines.push(format!(
                "  content: made of {chunks} chunks, each byte for byte as it lay in the bucket, and of nothing else"
            ));
        }
        for (key, count) in &self.signed {
            report.lines.push(format!("  signature: {count} of {chunks} chunks, valid with the key {key}"));
        }
        for (key, count) in &self.unknown {
            report.unchecked.push(format!("{count} signatures: the key {key} is not there"));
        }
        if self.unsigned > 0 {
            report.lines.push(format!("  signature: {} of {chunks} chunks have none", self.unsigned));
        }
        if self.without_chain > 0 {
            report.lines.push(format!("  chain: {} of {chunks} chunks are in none", self.without_chain));
        }
        if self.linked + self.spans > 0 {
            let spans = self.spans;
            let linked = self.linked;
            report.lines.push(format!(
                "  chain: unbroken stretches of recording: {spans}; chunks that name the one before them: {linked}"
            ));
        }
    }
}
