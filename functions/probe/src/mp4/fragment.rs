//! Fragments: `moof`, and the information on all fragments in a file's end (`mfra`) or index (`sidx`).

use super::boxes::{BoxAt, Boxes};
use super::track::VideoTrack;
use crate::window::{Need, Stop, Window};
use framepost_media::be::{u8_at, u16_at, u32_at, u64_at};

/// Bytes at the end of a file that are read to find its last fragment.
const TAIL_BYTES: u64 = 64 * 1024;

/// The video of one `moof`, in units of its track's timescale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fragment {
    /// The decoding time from `tfdt` (ISO/IEC 14496-12 §8.8.12). Smooth Streaming and old writers omit it.
    start: Option<u64>,
    units: u64,
    frames: u64,
    /// Whether its first frame is a sync sample; `None` where it has no frame.
    pub(super) first_is_sync: Option<bool>,
}

/// What `trex` says of the samples of a track whose fragments say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Defaults {
    track: u32,
    duration: u32,
    flags: u32,
}

impl Defaults {
    /// From the body of `trex` (8.8.3).
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        Some(Self { track: u32_at(body, 4)?, duration: u32_at(body, 12)?, flags: u32_at(body, 20).unwrap_or_default() })
    }
}

/// Whether a sample with these flags is a sync sample: `sample_is_non_sync_sample` (8.8.3.1) is not set.
fn is_sync(flags: u32) -> bool {
    flags & 1 << 16 == 0
}

/// Where the fragments end: at the `mfra` that the file ends with, or at its end. `None` where the end is not known. The last
/// four bytes of `mfra` are its length (`mfro`, ISO/IEC 14496-12 §8.8.11).
pub(super) fn media_end(window: &Window, moov_end: u64) -> Option<u64> {
    let size = window.size();
    let trailer = window.peek(size.checked_sub(16)?, 16)?;
    if trailer.get(4..8) != Some(b"mfro") {
        return Some(size);
    }
    let start = size.checked_sub(u64::from(u32_at(trailer, 12)?))?;
    let index = Boxes::top(window, start).next().ok()??;
    (&index.kind == b"mfra" && index.end == size && start >= moov_end).then_some(start)
}

impl Fragment {
    /// Returns the frame rate in frames per second.
    pub(super) fn frame_rate(self, timescale: u32) -> Option<f64> {
        (self.units > 0 && self.frames > 0).then(|| self.frames as f64 * f64::from(timescale) / self.units as f64)
    }
}

/// Returns the first fragment after the `moov`, if its bytes are known already.
pub(super) fn first(window: &Window, moov_end: u64, video: &VideoTrack, defaults: &[Defaults]) -> Option<Fragment> {
    let mut boxes = Boxes::top(window, moov_end);
    while let Ok(Some(next)) = boxes.next() {
        if &next.kind == b"moof" {
            return read(window, next, video, defaults).ok().flatten();
        }
    }
    None
}

/// Returns the duration of all fragments. `first` is the result of [`first`].
pub(super) fn seconds(
    window: &Window,
    moov_end: u64,
    video: &VideoTrack,
    defaults: &[Defaults],
    first: Option<Fragment>,
) -> Result<Option<f64>, Stop> {
    if let Some(seconds) = index_seconds(window, moov_end) {
        return Ok(Some(seconds));
    }
    if moov_end >= window.size() {
        // An initialization segment contains no media.
        return Ok(Some(0.0));
    }
    // Samples in the `moov` precede those of the fragments and start at 0.
    let first = if video.frames_in_moov > 0 { Some(0) } else { first.map(|fragment| fragment.start.unwrap_or(0)) };
    let Some(first) = first else { return Ok(None) };
    let Some((at, last)) = last(window, moov_end, video, defaults)? else { return Ok(None) };
    let start = match last.start {
        Some(start) => Some(start),
        None => last_by_index(window, video.id)?.filter(|entry| entry.moof_at == at).map(|entry| entry.time),
    };
    let units = start.and_then(|start| start.saturating_add(last.units).checked_sub(first));
    Ok(units.map(|units| units as f64 / f64::from(video.timescale)))
}

/// Returns the duration from a `sidx` (ISO/IEC 14496-12 §8.16.3) right after the `moov`, if it covers the rest of the
/// file. (Some writers put one before each fragment.)
fn index_seconds(window: &Window, moov_end: u64) -> Option<f64> {
    let mut boxes = Boxes::top(window, moov_end);
    let sidx = loop {
        let next = boxes.next().ok()??;
        match &next.kind {
            b"sidx" => break next,
            b"moof" | b"mdat" => return None,
            _ => {}
        }
    };
    let body = window.peek(sidx.body, sidx.end - sidx.body)?;
    let timescale = u32_at(body, 8)?;
    let (first_offset, count_at) = match u8_at(body, 0)? {
        0 => (u64::from(u32_at(body, 16)?), 22),
        _ => (u64_at(body, 20)?, 30),
    };
    let count = usize::from(u16_at(body, count_at)?);
    let mut covered = sidx.end.checked_add(first_offset)?;
    let mut units = 0_u64;
    for reference in body.get(count_at + 2..)?.chunks_exact(12).take(count) {
        covered = covered.checked_add(u64::from(u32_at(reference, 0)? & 0x7fff_ffff))?;
        units += u64::from(u32_at(reference, 4)?);
    }
    (covered == window.size() && timescale != 0).then(|| units as f64 / f64::from(timescale))
}

/// Returns the last fragment of the file and the position of its `moof`.
fn last(
    window: &Window,
    moov_end: u64,
    video: &VideoTrack,
    defaults: &[Defaults],
) -> Result<Option<(u64, Fragment)>, Stop> {
    let Some((tail_at, _)) = window.tail() else { return Err(Stop::Need(Need::Tail { most: TAIL_BYTES })) };
    if let Some(fragment) = last_in(window, tail_at.max(moov_end), video, defaults) {
        return Ok(Some(fragment));
    }
    // Its `moof` is before the tail. `mfra` has the position.
    let Some(Entry { moof_at, .. }) = last_by_index(window, video.id)? else { return Ok(None) };
    let mut found = None;
    let mut boxes = Boxes::top(window, moof_at);
    while let Some(next) = boxes.next()? {
        if &next.kind == b"moof" {
            found = read(window, next, video, defaults)?.map(|fragment| (next.start, fragment)).or(found);
        }
    }
    Ok(found)
}

/// Searches backwards for a plausible `moof` with this track: one that begins with an `mfhd` (ISO/IEC 14496-12 §8.8.5), since
/// the four letters may also occur in the media.
fn last_in(window: &Window, tail_at: u64, video: &VideoTrack, defaults: &[Defaults]) -> Option<(u64, Fragment)> {
    let tail = window.visible(tail_at, window.size());
    tail.windows(4).enumerate().rev().filter(|(_, kind)| *kind == b"moof").find_map(|(at, _)| {
        let start = tail_at + u64::try_from(at.checked_sub(4)?).ok()?;
        let moof = Boxes::top(window, start).next().ok()??;
        let first_child = moof.children(window, 0).next().ok()??;
        if &first_child.kind != b"mfhd" {
            return None;
        }
        read(window, moof, video, defaults).ok()?.map(|fragment| (start, fragment))
    })
}

/// The last entry in an index of fragments, in `mfra`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    time: u64,
    moof_at: u64,
}

/// Returns the last entry of this track in `mfra`. The last box, `mfro`, has the length
/// of `mfra` (ISO/IEC 14496-12 §8.8.11).
fn last_by_index(window: &Window, track_id: u32) -> Result<Option<Entry>, Stop> {
    let size = window.size();
    let trailer = window.get(size.saturating_sub(16), 16)?;
    if trailer.get(4..8) != Some(b"mfro") {
        return Ok(None);
    }
    let Some(start) = u32_at(trailer, 12).and_then(|len| size.checked_sub(u64::from(len))) else { return Ok(None) };
    let Some(index) = Boxes::top(window, start).next()?.filter(|found| &found.kind == b"mfra") else { return Ok(None) };
    let mut boxes = index.children(window, 0);
    let mut last = None;
    while let Some(next) = boxes.next()? {
        if &next.kind == b"tfra" {
            let body = next.bytes(window)?;
            if u32_at(body, 4) == Some(track_id) {
                let found = last_entry(body).filter(|entry| entry.moof_at < start);
                last = found.into_iter().chain(last).max_by_key(|entry| entry.moof_at);
            }
        }
    }
    Ok(last)
}

/// Returns the last entry of a `tfra` (ISO/IEC 14496-12 §8.8.10).
fn last_entry(body: &[u8]) -> Option<Entry> {
    let version = u8_at(body, 0)?;
    let lengths = u32_at(body, 8)?;
    let count = usize::try_from(u32_at(body, 12)?).ok()?;
    let time_len = if version == 1 { 8 } else { 4 };
    let numbers: u32 = [0, 2, 4].iter().map(|shift| (lengths >> shift & 0b11) + 1).sum();
    let entry_len = 2 * time_len + usize::try_from(numbers).ok()?;
    let at = count.checked_sub(1)?.checked_mul(entry_len)?.checked_add(16)?;
    let number = |at| if version == 1 { u64_at(body, at) } else { u32_at(body, at).map(u64::from) };
    Some(Entry { time: number(at)?, moof_at: number(at + time_len)? })
}

/// Reads the video track's part of a `moof`. Returns `None` if it has none.
fn read(window: &Window, moof: BoxAt, video: &VideoTrack, defaults: &[Defaults]) -> Result<Option<Fragment>, Stop> {
    let mut boxes = moof.children(window, 0);
    while let Some(next) = boxes.next()? {
        if &next.kind == b"traf"
            && let Some(fragment) = read_track(window, next, video, defaults)?
        {
            return Ok(Some(fragment));
        }
    }
    Ok(None)
}

fn read_track(
    window: &Window,
    traf: BoxAt,
    video: &VideoTrack,
    defaults: &[Defaults],
) -> Result<Option<Fragment>, Stop> {
    let mut default = defaults.iter().copied().find(|default| default.track == video.id).unwrap_or_default();
    let mut fragment = Fragment { start: None, units: 0, frames: 0, first_is_sync: None };
    let mut boxes = traf.children(window, 0);
    while let Some(next) = boxes.next()? {
        match &next.kind {
            b"tfhd" => {
                let body = next.bytes(window)?;
                let flags = u32_at(body, 0).unwrap_or_default();
                if u32_at(body, 4) != Some(video.id) {
                    return Ok(None);
                }
                // §8.8.7.1: a field is there if its flag is set: base offset, description, then duration, size, flags.
                let mut at = 8 + if flags & 1 == 0 { 0 } else { 8 } + if flags & 2 == 0 { 0 } else { 4 };
                if flags & 8 != 0 {
                    default.duration = u32_at(body, at).unwrap_or(default.duration);
                    at += 4;
                }
                at += if flags & 0x10 == 0 { 0 } else { 4 };
                if flags & 0x20 != 0 {
                    default.flags = u32_at(body, at).unwrap_or(default.flags);
                }
            }
            b"tfdt" => {
                let body = next.bytes(window)?;
                let time = if u8_at(body, 0) == Some(1) { u64_at(body, 4) } else { u32_at(body, 4).map(u64::from) };
                fragment.start = time.or(fragment.start);
            }
            b"trun" => {
                let body = next.bytes(window)?;
                let (units, frames) = run(body, default.duration).unwrap_or_default();
                if frames > 0 && fragment.first_is_sync.is_none() {
                    fragment.first_is_sync = first_flags(body, default.flags).map(is_sync);
                }
                fragment.units = fragment.units.saturating_add(units);
                fragment.frames = fragment.frames.saturating_add(frames);
            }
            _ => {}
        }
    }
    Ok(Some(fragment))
}

/// The flags of a `trun`'s first sample (8.8.8): its own, those for the first, or the default.
fn first_flags(body: &[u8], default: u32) -> Option<u32> {
    let flags = u32_at(body, 0)?;
    let samples_at = 8 + if flags & 1 == 0 { 0 } else { 4 };
    if flags & 4 != 0 {
        return u32_at(body, samples_at);
    }
    if flags & 0x400 == 0 {
        return Some(default);
    }
    u32_at(body, samples_at + 4 * [0x100, 0x200].iter().filter(|flag| flags & **flag != 0).count())
}

/// Returns the duration and the number of samples of a `trun` (ISO/IEC 14496-12 §8.8.8). Its flags say which fields each
/// sample has; `default` is the duration of samples without one.
fn run(body: &[u8], default: u32) -> Option<(u64, u64)> {
    const DURATION: u32 = 0x100;
    let flags = u32_at(body, 0)?;
    let count = u32_at(body, 4)?;
    if flags & DURATION == 0 {
        return Some((u64::from(count) * u64::from(default), u64::from(count)));
    }
    let samples_at = 8 + if flags & 1 == 0 { 0 } else { 4 } + if flags & 4 == 0 { 0 } else { 4 };
    let sample_len = 4 * [0x100, 0x200, 0x400, 0x800].iter().filter(|flag| flags & **flag != 0).count();
    let samples = body.get(samples_at..)?.chunks_exact(sample_len).take(usize::try_from(count).ok()?);
    Some(
        samples.fold((0, 0), |(units, frames), sample| {
            (units + u64::from(u32_at(sample, 0).unwrap_or_default()), frames + 1)
        }),
    )
}
