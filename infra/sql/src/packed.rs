//! What a timeline needs of an hour of a camera, as bytes.
//!
//! The format is postcard's (<https://postcard.jamesmunns.com/wire-format>). It writes a variant as its place in its enum, so the
//! order of [`Signature`], [`Content`], [`ChainState`] and [`Skipped`] is part of what is stored.
//!
//! [`Signature`]: framepost_events::record::Signature

use framepost_events::detection::Bounds;
use framepost_events::record::{ChainState, Content, Signature, Skipped};
use framepost_ports::catalog::{Best, ChunkOutline, Looked, Sighting};
use framepost_ports::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A chunk, in the order of `from` and the key.
#[derive(Debug, Serialize, Deserialize)]
struct PackedChunk {
    /// From the start of the hour to that of the chunk.
    after_us: u64,
    length_us: u64,
    size_bytes: u64,
    activity: Option<f64>,
    signature: Signature,
    content: Option<Content>,
    chain: ChainState,
}

/// A look, in the order of `from`, its object and its series.
#[derive(Debug, Serialize, Deserialize)]
struct PackedLook {
    /// Whether it is at the same object as the one before, with the same start.
    again: bool,
    /// From the start of the hour to that of the look.
    after_us: u64,
    length_us: u64,
    /// The id of its model with its settings.
    series: i64,
    skipped: Option<Skipped>,
}

/// A sighting that begins in the hour.
#[derive(Debug, Serialize, Deserialize)]
struct PackedSighting {
    /// The id of its model with its settings.
    series: i64,
    label: String,
    from: PackedTime,
    to: PackedTime,
    score: f64,
    pictures: u64,
    most: u32,
    zones: BTreeSet<String>,
    best_time: PackedTime,
    best_key: String,
    best_offset: f64,
    /// Left, top, width and height.
    best_bounds: [f64; 4],
}

/// Seconds and nanoseconds, both less than 0 before 1970.
#[derive(Debug, Serialize, Deserialize)]
struct PackedTime(i64, i32);

impl From<Timestamp> for PackedTime {
    fn from(time: Timestamp) -> Self {
        Self(time.as_second(), time.subsec_nanosecond())
    }
}

impl PackedTime {
    fn unpack(self) -> Result<Timestamp> {
        Timestamp::new(self.0, self.1).map_err(|_| corrupt())
    }
}

/// A look with what decides whether it is shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeriesLook {
    pub(crate) looked: Looked,
    pub(crate) series: i64,
    /// Whether it is at the same object as the one before, with the same start.
    pub(crate) again: bool,
}

fn corrupt() -> Error {
    Error::new(ErrorKind::Corrupt, "read", "the catalogue").because("a packed hour is not one")
}

fn packed(values: &[impl Serialize]) -> Result<Vec<u8>> {
    postcard::to_allocvec(values)
        .map_err(|error| Error::new(ErrorKind::Invalid, "pack", "an hour of the catalogue").because(error))
}

fn unpacked<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>> {
    postcard::from_bytes(bytes).map_err(|_| corrupt())
}

/// Returns the times in `hour_us` as how long they are after its start, and how long they last.
fn place(hour_us: i64, from: Timestamp, to: Timestamp) -> Result<(u64, u64)> {
    let [from, to] = [from, to].map(Timestamp::as_microsecond);
    let after_us = u64::try_from(from - hour_us).map_err(|_| corrupt())?;
    Ok((after_us, u64::try_from(to - from).map_err(|_| corrupt())?))
}

fn times(hour_us: i64, after_us: u64, length_us: u64) -> Result<(Timestamp, Timestamp)> {
    let time = |us: Option<i64>| us.and_then(|us| Timestamp::from_microsecond(us).ok()).ok_or_else(corrupt);
    let from_us = hour_us.checked_add_unsigned(after_us);
    Ok((time(from_us)?, time(from_us.and_then(|us| us.checked_add_unsigned(length_us)))?))
}

/// Packs the chunks that start in the hour from `hour_us` on.
pub(crate) fn pack_outlines(hour_us: i64, outlines: &[ChunkOutline]) -> Result<Vec<u8>> {
    let pack = |outline: &ChunkOutline| {
        let ChunkOutline { from, to, size_bytes, activity, signature, content, chain } = *outline;
        let (after_us, length_us) = place(hour_us, from, to)?;
        Ok(PackedChunk { after_us, length_us, size_bytes, activity, signature, content, chain })
    };
    packed(&outlines.iter().map(pack).collect::<Result<Vec<_>>>()?)
}

/// Returns the chunks that [`pack_outlines`] packed, with the same `hour_us`. Fails with [`ErrorKind::Corrupt`] if the bytes are of nothing
/// of the kind.
pub(crate) fn outlines(hour_us: i64, bytes: &[u8]) -> Result<Vec<ChunkOutline>> {
    let unpack = |chunk: PackedChunk| {
        let PackedChunk { after_us, length_us, size_bytes, activity, signature, content, chain } = chunk;
        let (from, to) = times(hour_us, after_us, length_us)?;
        Ok(ChunkOutline { from, to, size_bytes, activity, signature, content, chain })
    };
    unpacked(bytes)?.into_iter().map(unpack).collect()
}

/// Packs the looks at chunks that start in the hour from `hour_us` on.
pub(crate) fn pack_looks(hour_us: i64, looks: &[SeriesLook]) -> Result<Vec<u8>> {
    let pack = |look: &SeriesLook| {
        let (after_us, length_us) = place(hour_us, look.looked.from, look.looked.to)?;
        Ok(PackedLook { again: look.again, after_us, length_us, series: look.series, skipped: look.looked.skipped })
    };
    packed(&looks.iter().map(pack).collect::<Result<Vec<_>>>()?)
}

/// Returns the looks that [`pack_looks`] packed, with the same `hour_us`. Fails as [`outlines`] does.
pub(crate) fn looks(hour_us: i64, bytes: &[u8]) -> Result<Vec<SeriesLook>> {
    let unpack = |look: PackedLook| {
        let PackedLook { again, after_us, length_us, series, skipped } = look;
        let (from, to) = times(hour_us, after_us, length_us)?;
        Ok(SeriesLook { looked: Looked { from, to, skipped }, series, again })
    };
    unpacked(bytes)?.into_iter().map(unpack).collect()
}

/// Packs sightings, each with the id of its series.
pub(crate) fn pack_sightings(sightings: Vec<(i64, Sighting)>) -> Result<Vec<u8>> {
    let pack = |(series, sighting): (i64, Sighting)| {
        let Sighting { label, from, to, score, pictures, most, zones, best } = sighting;
        let Best { time, key, offset, bounds: Bounds { left, top, width, height } } = best;
        PackedSighting {
            series,
            label,
            from: from.into(),
            to: to.into(),
            score,
            pictures,
            most,
            zones,
            best_time: time.into(),
            best_key: key,
            best_offset: offset,
            best_bounds: [left, top, width, height],
        }
    };
    packed(&sightings.into_iter().map(pack).collect::<Vec<_>>())
}

/// Returns the sightings that [`pack_sightings`] packed, each with the id of its series. Fails as [`outlines`] does.
pub(crate) fn sightings(bytes: &[u8]) -> Result<Vec<(i64, Sighting)>> {
    let unpack = |packed: PackedSighting| {
        let [left, top, width, height] = packed.best_bounds;
        let best = Best {
            time: packed.best_time.unpack()?,
            key: packed.best_key,
            offset: packed.best_offset,
            bounds: Bounds { left, top, width, height },
        };
        let sighting = Sighting {
            label: packed.label,
            from: packed.from.unpack()?,
            to: packed.to.unpack()?,
            score: packed.score,
            pictures: packed.pictures,
            most: packed.most,
            zones: packed.zones,
            best,
        };
        Ok((packed.series, sighting))
    };
    unpacked(bytes)?.into_iter().map(unpack).collect()
}

#[cfg(test)]
mod tests;
