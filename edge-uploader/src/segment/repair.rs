//! Turns what a crash left of a chunk into a complete, shorter chunk.
//!
//! The part file is read box by box. `mdat` payloads are skipped, so memory use does not depend on the file's
//! size. The file is cut after the last fragment that is complete and whose `moof` and `mdat` agree. The
//! chunk's metadata is computed again from the remaining fragments, with the same code as during recording.

use super::boxes::{self, Entry, Run};
use super::chunk::Summary;
use super::timeline::wall_after;
use bytes::Bytes;
use framepost_events::attributes::Attributes;
use jiff::Timestamp;
use mp4_atom::{Atom, DecodeAtom as _, FourCC, Header, Moof, Prft, Tfdt, Tfhd, Traf, Trun, TrunSamples};
use std::io::{Read, Seek, SeekFrom};

/// Larger than any `ftyp` and `moov` that we write.
const INIT_BYTES_MAX: u64 = 1 << 20;
/// Larger than any `moof` that we write.
const MOOF_BYTES_MAX: u64 = 4 << 20;

/// How to make a chunk from a part file: cut it to `keep_bytes`, overwrite its first
/// bytes with `init`, append `tail`.
#[derive(Debug, Clone, PartialEq)]
pub struct Repaired {
    /// End of the last complete fragment.
    pub keep_bytes: u64,
    /// Same as in [`Output::Finish`](super::Output::Finish).
    pub init: Bytes,
    /// Same as in [`Output::Finish`](super::Output::Finish).
    pub tail: Bytes,
    /// Same as in [`Output::Finish`](super::Output::Finish).
    pub attributes: Attributes,
}

/// Why no chunk can be made from a part file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepairError {
    /// The file has no complete fragment. Delete it.
    #[error("the part file holds no whole fragment")]
    Nothing,
    /// The file could not be read now. Reading may succeed later.
    #[error("the part file could not be read")]
    Io(#[from] std::io::Error),
    /// The end of the chunk could not be written.
    #[error("the end of the chunk could not be written")]
    Mux(#[from] mp4_atom::Error),
}

/// Reads a part file. `draft` is the one from [`Output::Begin`](super::Output::Begin), or
/// has at least its `from`.
pub fn repair<R: Read + Seek>(mut part: R, draft: &Attributes) -> Result<Repaired, RepairError> {
    let bytes = part.seek(SeekFrom::End(0))?;
    let mut walk = Walk { part, bytes };
    let init = walk.init()?.ok_or(RepairError::Nothing)?;
    let timescale =
        find(&init, &[b"moov", b"mvhd"]).and_then(|mvhd| timescale(&init[mvhd..])).ok_or(RepairError::Nothing)?;
    let mut keep_bytes = init.len() as u64;
    let mut summary = Summary::default();
    let mut reference = None;
    while let Some(fragment) = walk.fragment(keep_bytes)? {
        summary.add(fragment.moof_offset, &fragment.runs);
        keep_bytes = fragment.end;
        reference = fragment.reference.or(reference);
    }
    let Some((seen, media_time)) = reference else { return Err(RepairError::Nothing) };
    let ticks = |time: u64| i64::try_from(time).unwrap_or(i64::MAX / 2);
    let to = wall_after(seen, ticks(summary.video_end()) - ticks(media_time), timescale);
    let draft = Attributes { timescale: Some(timescale), ..draft.clone() };
    let (tail, attributes) = summary.close(&draft, to, keep_bytes)?;
    let mut init = init;
    if let Some(mehd) = find(&init, &[b"moov", b"mvex", b"mehd"]) {
        // The `mehd` that we write has a size, a type, version 1 with flags, and 64 bits (ISO/IEC 14496-12
        // §8.8.2). Any other form is left unchanged.
        if let Some([0, 0, 0, 20, _, _, _, _, 1, _, _, _, field @ ..]) = init.get_mut(mehd..mehd + 20) {
            field.copy_from_slice(&summary.movie_duration().to_be_bytes());
        }
    }
    Ok(Repaired { keep_bytes, init: init.into(), tail, attributes })
}

/// A part file with its length.
struct Walk<R> {
    part: R,
    bytes: u64,
}

/// A `moof` and its `mdat`, both whole (ISO/IEC 14496-12 §8.8.4).
struct Fragment {
    moof_offset: u64,
    end: u64,
    runs: Vec<Run>,
    /// The wall-clock time of a presentation time, from `prft`.
    reference: Option<(Timestamp, u64)>,
}

/// A box that is completely in the file.
struct Found {
    kind: FourCC,
    header_bytes: u64,
    bytes: u64,
}

impl<R: Read + Seek> Walk<R> {
    /// Reads the header of the box at `offset`. Returns `None` if the box is incomplete.
    fn find(&mut self, offset: u64) -> std::io::Result<Option<Found>> {
        let Some(left) = self.bytes.checked_sub(offset).filter(|left| *left >= 8) else { return Ok(None) };
        let mut header = [0; 8];
        self.part.seek(SeekFrom::Start(offset))?;
        self.part.read_exact(&mut header)?;
        let [s0, s1, s2, s3, k0, k1, k2, k3] = header;
        let bytes = u64::from(u32::from_be_bytes([s0, s1, s2, s3]));
        // We write neither boxes with a 64-bit size nor boxes that extend to the end of the file.
        let whole = (8..=left).contains(&bytes);
        Ok(whole.then_some(Found { kind: [k0, k1, k2, k3].into(), header_bytes: 8, bytes }))
    }

    fn read(&mut self, offset: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
        let mut out = vec![0; usize::try_from(bytes).map_err(std::io::Error::other)?];
        self.part.seek(SeekFrom::Start(offset))?;
        self.part.read_exact(&mut out)?;
        Ok(out)
    }

    /// Reads `ftyp` and `moov`.
    fn init(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let Some(ftyp) = self.find(0)?.filter(|found| found.kind == FourCC::new(b"ftyp")) else { return Ok(None) };
        let Some(moov) = self.find(ftyp.bytes)?.filter(|found| found.kind == FourCC::new(b"moov")) else {
            return Ok(None);
        };
        let bytes = ftyp.bytes + moov.bytes;
        if bytes > INIT_BYTES_MAX { Ok(None) } else { self.read(0, bytes).map(Some) }
    }

    /// Reads the fragment at `offset`. Returns `None` if it is incomplete or inconsistent.
    fn fragment(&mut self, offset: u64) -> std::io::Result<Option<Fragment>> {
        let mut moof_offset = offset;
        let Some(mut found) = self.find(offset)? else { return Ok(None) };
        let mut reference = None;
        if found.kind == Prft::KIND && found.bytes <= 64 {
            let body = self.read(offset + found.header_bytes, found.bytes - found.header_bytes)?;
            let Some(prft) = decode::<Prft>(&body) else { return Ok(None) };
            reference = boxes::wall_of_ntp(prft.ntp_timestamp).map(|wall| (wall, prft.media_time));
            moof_offset += found.bytes;
            let Some(next) = self.find(moof_offset)? else { return Ok(None) };
            found = next;
        }
        if found.kind != Moof::KIND || found.bytes > MOOF_BYTES_MAX {
            return Ok(None);
        }
        let body = self.read(moof_offset + found.header_bytes, found.bytes - found.header_bytes)?;
        let mdat_offset = moof_offset + found.bytes;
        let Some(mdat) = self.find(mdat_offset)?.filter(|found| found.kind == FourCC::new(b"mdat")) else {
            return Ok(None);
        };
        let Some(runs) = runs(&body) else { return Ok(None) };
        let payload: u64 = runs.iter().flat_map(|run| &run.entries).map(|entry| u64::from(entry.size)).sum();
        let fits = payload == mdat.bytes - mdat.header_bytes;
        Ok(fits.then_some(Fragment { moof_offset, end: mdat_offset + mdat.bytes, runs, reference }))
    }
}

fn decode<A: Atom>(mut body: &[u8]) -> Option<A> {
    A::decode_atom(&Header { kind: A::KIND, size: Some(body.len()) }, &mut body).ok()
}

/// Returns the samples that a `moof` describes. mp4-atom's own reader is not used, because it recurses into
/// nested boxes, and a damaged part file may be nested deeper than the stack allows.
fn runs(moof: &[u8]) -> Option<Vec<Run>> {
    let trafs = children(moof).filter(|child| child.is_none_or(|(kind, _)| kind == Traf::KIND));
    trafs.map(|child| child.and_then(|(_, traf)| run(traf))).collect()
}

fn run(traf: &[u8]) -> Option<Run> {
    let mut track = None;
    let mut base = None;
    let mut entries = Vec::new();
    for child in children(traf) {
        match child? {
            (Tfhd::KIND, body) => track = Some(decode::<Tfhd>(body)?.track_id),
            (Tfdt::KIND, body) => base = Some(decode::<Tfdt>(body)?.base_media_decode_time),
            (Trun::KIND, body) => {
                let TrunSamples::Explicit(samples) = decode::<Trun>(body)?.samples else { continue };
                for sample in samples {
                    entries.push(Entry {
                        duration: sample.duration?,
                        size: sample.size?,
                        flags: sample.flags?,
                        composition_offset: i32::try_from(sample.cts.unwrap_or(0)).ok()?,
                    });
                }
            }
            _ => {}
        }
    }
    let track = track?;
    let base = base?;
    (!entries.is_empty()).then_some(Run { track, base, entries })
}

/// Returns the child boxes of a box. A box that does not fit is returned as `None` and ends the iteration.
fn children(body: &[u8]) -> impl Iterator<Item = Option<(FourCC, &[u8])>> {
    let mut rest = body;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let child = rest.split_first_chunk::<8>().and_then(|([s0, s1, s2, s3, kind @ ..], after)| {
            let bytes = u32::from_be_bytes([*s0, *s1, *s2, *s3]).checked_sub(8)?;
            Some((FourCC::new(kind), after.split_at_checked(usize::try_from(bytes).ok()?)?))
        });
        rest = child.map_or(&[], |(_, (_, after))| after);
        Some(child.map(|(kind, (body, _))| (kind, body)))
    })
}

/// Returns the offset of the box at this path.
fn find(bytes: &[u8], path: &[&[u8; 4]]) -> Option<usize> {
    let mut at = 0;
    let mut end = bytes.len();
    let mut path = path.iter().peekable();
    while let Some(kind) = path.peek() {
        let header = bytes.get(at..end)?.first_chunk::<8>()?;
        let [s0, s1, s2, s3, found @ ..] = header;
        let size = u32::from_be_bytes([*s0, *s1, *s2, *s3]) as usize;
        if size < 8 || size > end - at {
            return None;
        }
        if found == **kind {
            path.next();
            if path.peek().is_none() {
                return Some(at);
            }
            end = at + size;
            at += 8;
        } else {
            at += size;
        }
    }
    None
}

/// Returns the timescale from an `mvhd` (ISO/IEC 14496-12 §8.2.2).
fn timescale(mvhd: &[u8]) -> Option<u32> {
    let at = if *mvhd.get(8)? == 0 { 20 } else { 28 };
    Some(u32::from_be_bytes(*mvhd.get(at..)?.first_chunk()?)).filter(|timescale| *timescale > 0)
}
