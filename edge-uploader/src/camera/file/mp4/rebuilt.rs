//! Rebuilds movies and fragments with a damaged structure from their remaining boxes.

use super::boxes::boxes;
use super::leaves::{self, Leaf, Part, parts};
use crate::media::VideoCodec;
use framepost_media::boxes::boxed;
use framepost_media::config;

/// The order of the boxes in a track. Those of the sample table may be in any order.
fn rank(kind: [u8; 4]) -> u8 {
    match &kind {
        b"tkhd" => 0,
        b"elst" => 1,
        b"mdhd" => 2,
        b"hdlr" => 3,
        b"stsd" => 4,
        _ => 5,
    }
}

#[derive(Default)]
struct Parts<'a> {
    leaves: Vec<Leaf<'a>>,
    /// Sample entries or decoder configuration records whose `stsd` is lost.
    entries: Vec<Leaf<'a>>,
}

impl<'a> Parts<'a> {
    fn get(&self, kind: [u8; 4]) -> Option<&'a [u8]> {
        self.leaves.iter().find(|leaf| leaf.kind == kind).map(|leaf| leaf.body)
    }

    /// Returns whether `leaf` can only belong to the next track.
    fn is_before(&self, leaf: Leaf<'_>) -> bool {
        let latest = self.leaves.iter().map(|leaf| rank(leaf.kind)).max();
        self.get(leaf.kind).is_some() || latest.is_some_and(|latest| rank(leaf.kind) < latest)
    }
}

/// Builds a `moov` with everything found in `bytes`. Returns `None` if there is no track.
pub(super) fn rebuilt(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut header = None;
    let mut extends = None;
    let mut tracks = vec![Parts::default()];
    for part in parts(bytes) {
        match part {
            Part::Track => tracks.push(Parts::default()),
            Part::Extends => {
                extends.get_or_insert_with(Vec::new);
            }
            Part::Leaf(leaf) if &leaf.kind == b"mvhd" => {
                header.get_or_insert(leaf.body);
            }
            Part::Leaf(leaf) if matches!(&leaf.kind, b"tfhd" | b"tfdt" | b"trun") => {}
            Part::Leaf(leaf) if &leaf.kind == b"trex" => extends.get_or_insert_with(Vec::new).push(leaf.body),
            Part::Leaf(leaf) => match tracks.last_mut() {
                Some(track) if is_entry(leaf.kind) => track.entries.push(leaf),
                Some(track) if !track.is_before(leaf) => track.leaves.push(leaf),
                _ => tracks.push(Parts { leaves: vec![leaf], entries: Vec::new() }),
            },
        }
    }
    let mut body = Vec::new();
    if let Some(header) = header {
        body.extend(boxed(*b"mvhd", &[header]));
    }
    let mut any = false;
    for track in &tracks {
        if let Some(track) = track_of(track, header) {
            body.extend(track);
            any = true;
        }
    }
    if let Some(extends) = extends {
        let defaults: Vec<Vec<u8>> = extends.into_iter().map(|body| boxed(*b"trex", &[body])).collect();
        body.extend(boxed(*b"mvex", &defaults.iter().map(Vec::as_slice).collect::<Vec<_>>()));
    }
    any.then(|| boxed(*b"moov", &[&body]))
}

/// Builds the body of a `moof` with everything found in a damaged one. Each `tfhd` starts a track.
pub(super) fn fragment(moof: &[u8]) -> Vec<u8> {
    let mut tracks: Vec<Vec<u8>> = Vec::new();
    for part in parts(moof) {
        match part {
            Part::Leaf(leaf) if &leaf.kind == b"tfhd" => tracks.push(boxed(leaf.kind, &[leaf.body])),
            Part::Leaf(leaf) if matches!(&leaf.kind, b"tfdt" | b"trun") => {
                if let Some(track) = tracks.last_mut() {
                    track.extend(boxed(leaf.kind, &[leaf.body]));
                }
            }
            _ => {}
        }
    }
    tracks.iter().flat_map(|track| boxed(*b"traf", &[track])).collect()
}

fn track_of(parts: &Parts<'_>, movie: Option<&[u8]>) -> Option<Vec<u8>> {
    let told = parts.get(*b"stsd");
    let description = match told.filter(|body| is_description(body)) {
        Some(body) => boxed(*b"stsd", &[body]),
        None => described_by(&entries_in(told.unwrap_or_default())).or_else(|| described_by(&parts.entries))?,
    };
    let kept = |kind: [u8; 4]| parts.get(kind).map(|body| boxed(kind, &[body])).unwrap_or_default();
    let mut table = description;
    for leaf in parts.leaves.iter().filter(|leaf| rank(leaf.kind) == 5) {
        table.extend(boxed(leaf.kind, &[leaf.body]));
    }
    let edits = parts.get(*b"elst").map(|edits| boxed(*b"edts", &[&boxed(*b"elst", &[edits])])).unwrap_or_default();
    let header = match parts.get(*b"mdhd").filter(|body| timescale(body).is_some()) {
        Some(body) => boxed(*b"mdhd", &[body]),
        None => media_header(parts, movie),
    };
    let information = boxed(*b"minf", &[&boxed(*b"stbl", &[&table])]);
    let media = boxed(*b"mdia", &[&header, &kept(*b"hdlr"), &information]);
    Some(boxed(*b"trak", &[&kept(*b"tkhd"), &edits, &media]))
}

/// Builds an `stsd` for sample entries that lost theirs.
fn described_by(entries: &[Leaf<'_>]) -> Option<Vec<u8>> {
    let described = |entry: Vec<u8>| boxed(*b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &entry]);
    if let Some(entry) = entries.iter().find(|leaf| !matches!(&leaf.kind, b"avcC" | b"hvcC")) {
        return Some(described(boxed(entry.kind, &[entry.body])));
    }
    let record = entries.first()?;
    let (entry, codec) =
        if &record.kind == b"avcC" { (*b"avc1", VideoCodec::H264) } else { (*b"hvc1", VideoCodec::H265) };
    config::video(codec, record.body).ok()?;
    // The size of the picture is in the parameter sets.
    Some(described(boxed(entry, &[&[0; super::entry::VISUAL_BYTES], &boxed(record.kind, &[record.body])])))
}

/// Returns the timescale from an `mvhd` or `mdhd` (ISO/IEC 14496-12 §8.2.2, §8.4.2).
pub(super) fn timescale(body: &[u8]) -> Option<u32> {
    let at = if body.first() == Some(&1) { 20 } else { 12 };
    body.get(at..)?.first_chunk::<4>().map(|units| u32::from_be_bytes(*units)).filter(|units| *units > 0)
}

/// Builds a replacement for a lost `mdhd`. Its timescale makes the table as long as the track, if that length
/// is known. Otherwise a sample takes 1/25 s.
fn media_header(parts: &Parts<'_>, movie: Option<&[u8]>) -> Vec<u8> {
    let rows = parts.get(*b"stts").and_then(|body| body.get(8..)).unwrap_or_default();
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |word| u64::from(u32::from_be_bytes(*word)))
    };
    let sum = |total: (u64, u64), row: &[u8]| {
        let count = word(row, 0);
        (total.0.saturating_add(count), total.1.saturating_add(count.saturating_mul(word(row, 4))))
    };
    let (samples, units) = rows.chunks_exact(8).fold((0, 0), sum);
    let length = parts.get(*b"tkhd").filter(|body| body.first() == Some(&0)).map(|body| word(body, 20));
    let scale = movie.and_then(timescale);
    let by_length = length.zip(scale).filter(|(length, _)| *length > 0);
    let told = by_length.map(|(length, scale)| u128::from(units) * u128::from(scale) / u128::from(length));
    let told = told.and_then(|told| u32::try_from(told).ok()).filter(|told| *told > 0);
    let guessed = units.checked_div(samples).and_then(|each| u32::try_from(each.saturating_mul(25)).ok());
    let timescale = told.or(guessed.filter(|guessed| *guessed > 0)).or(scale).unwrap_or(1000);
    let mut body = vec![0; 24];
    body[12..16].copy_from_slice(&timescale.to_be_bytes());
    body[16..20].copy_from_slice(&u32::try_from(units).unwrap_or(0).to_be_bytes());
    boxed(*b"mdhd", &[&body])
}

/// Returns whether the body of an `stsd` begins with a known entry.
fn is_description(body: &[u8]) -> bool {
    let entries = body.get(8..).unwrap_or_default();
    boxes(entries).next().is_some_and(|entry| leaves::is_entry(entry.kind) && entry.offset_in(entries) == Some(0))
}

/// Finds the entries within the body of an `stsd`.
fn entries_in(body: &[u8]) -> Vec<Leaf<'_>> {
    let mut entries = Vec::new();
    for part in parts(body) {
        match part {
            Part::Leaf(leaf) if is_entry(leaf.kind) => entries.push(leaf),
            _ => {}
        }
    }
    entries
}

/// Returns whether this is the type of a sample entry or of a decoder configuration record.
fn is_entry(kind: [u8; 4]) -> bool {
    leaves::is_entry(kind) || matches!(&kind, b"avcC" | b"hvcC")
}
