//! The file as matroska-demuxer reads it.
//!
//! The demuxer seeks several times a frame, which a plain `BufReader` answers by throwing its buffer away; here a seek
//! only moves a number. It takes every read error for the end of the file; here such an error is remembered. And it
//! opens no file whose seek head points beyond the end, as that of a truncated file does; [`Reader::without_seek_head`]
//! shows it such a file without one, so that it looks for itself.
//!
//! It also believes what a hostile file says. A seek head that names itself, or a checksum in its place, sends it round in
//! circles: steps back are counted, and end with an error. And it allocates whatever is claimed and fits before the
//! file's end: the end that it is told is never far away.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Result, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const EBML_ID: u32 = 0x1a45_dfa3;
const SEGMENT_ID: u32 = 0x1853_8067;
const SEEK_HEAD_ID: [u8; 4] = [0x11, 0x4d, 0x9b, 0x74];
/// An ID that no element has.
const NO_ID: [u8; 4] = [0x1f, 0xff, 0xff, 0xfe];
/// The seek head comes first in the segment; what lies beyond this is not it.
const HEAD_BYTES: u64 = 4096;

/// The largest element that is read whole, a frame above all: the file's end is never said to be farther away.
const ELEMENT_LIMIT_BYTES: u64 = 64 << 20;

/// Steps back that no file needs more of. An index needs one an entry, and has an entry a cluster.
fn steps_back(size: u64) -> u32 {
    const MOST: u32 = 1 << 22;
    u32::try_from(1024 + size / 16).unwrap_or(MOST).min(MOST)
}

/// A file with cheap seeks.
pub(super) struct Reader {
    file: BufReader<File>,
    size: u64,
    /// Where the next read begins.
    position: u64,
    /// Where the file stands.
    at: u64,
    /// Where the ID to be hidden lies.
    hidden: Option<u64>,
    /// Reads that may still begin before the end of the one before.
    steps_back: u32,
    broken: Arc<AtomicBool>,
}

impl Reader {
    pub(super) fn new(file: File, size: u64) -> Self {
        let file = BufReader::with_capacity(64 << 10, file);
        Self { file, size, position: 0, at: 0, hidden: None, steps_back: steps_back(size), broken: Arc::default() }
    }

    /// The same file from its beginning, its seek head hidden; an error when it has none.
    pub(super) fn without_seek_head(mut file: File, size: u64) -> Result<Self> {
        file.rewind()?;
        let mut head = Vec::new();
        file.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
        file.rewind()?;
        let hidden = head.windows(4).position(|window| window == SEEK_HEAD_ID).ok_or(ErrorKind::NotFound)?;
        Ok(Self { hidden: Some(hidden as u64), ..Self::new(file, size) })
    }

    /// Turns true when the file could not be read, or when something in it lies beyond its end.
    pub(super) fn broken(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.broken)
    }

    fn read_here(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let step = i128::from(self.position) - i128::from(self.at);
        if step < 0 {
            self.steps_back = self.steps_back.checked_sub(1).ok_or_else(in_circles)?;
        }
        self.file.seek_relative(i64::try_from(step).map_err(|_| Error::from(ErrorKind::InvalidInput))?)?;
        self.at = self.position;
        let read = self.file.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// Where another recording begins behind the end of the first: files that were joined byte by byte. The demuxer steps over
/// it. What a segment of unknown size is followed by cannot be told.
pub(super) fn second_recording(file: &mut File, size: u64) -> Result<Option<u64>> {
    let mut at = 0;
    // Its EBML header, its segment; then either one once more.
    for _ in 0..2 {
        match element(file, at, size)? {
            Some((EBML_ID | SEGMENT_ID, end)) if end < size => at = end,
            _ => return Ok(None),
        }
    }
    let next = element(file, at, size)?;
    Ok(next.is_some_and(|(id, _)| matches!(id, EBML_ID | SEGMENT_ID)).then_some(at))
}

/// The ID, of 4 bytes, and the end of the element at `at`.
fn element(file: &mut File, at: u64, size: u64) -> Result<Option<(u32, u64)>> {
    file.seek(SeekFrom::Start(at))?;
    let mut header = Vec::with_capacity(12);
    file.by_ref().take(12.min(size.saturating_sub(at))).read_to_end(&mut header)?;
    let Some((id, rest)) = header.split_first_chunk::<4>() else { return Ok(None) };
    let Some(first) = rest.first().filter(|first| **first > 0) else { return Ok(None) };
    let length_bytes = first.leading_zeros() as usize + 1;
    let Some(length) = rest.get(..length_bytes) else { return Ok(None) };
    let unknown = (1 << (7 * length_bytes)) - 1;
    let length = length.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte)) & unknown;
    let end = if length == unknown { size } else { (at + (4 + length_bytes) as u64).saturating_add(length) };
    Ok(Some((u32::from_be_bytes(*id), end)))
}

fn in_circles() -> Error {
    Error::new(ErrorKind::InvalidData, "its elements lead round in circles")
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.position >= self.size {
            self.broken.fetch_or(self.position > self.size, Ordering::Relaxed);
            return Ok(0);
        }
        let begin = self.position;
        let read = self.read_here(buffer).inspect_err(|_| self.broken.store(true, Ordering::Relaxed))?;
        self.position += read as u64;
        if let Some(hidden) = self.hidden {
            for (i, byte) in NO_ID.iter().enumerate() {
                let place = (hidden + i as u64).checked_sub(begin).and_then(|at| usize::try_from(at).ok());
                if let Some(shown) = place.and_then(|at| buffer[..read].get_mut(at)) {
                    *shown = *byte;
                }
            }
        }
        Ok(read)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(step) => {
                self.size.min(self.position.saturating_add(ELEMENT_LIMIT_BYTES)).checked_add_signed(step)
            }
            SeekFrom::Current(step) => self.position.checked_add_signed(step),
        };
        self.position = position.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn reader(size: u64) -> Reader {
        let file = tempfile::tempfile().unwrap();
        file.set_len(size).unwrap();
        Reader::new(file, size)
    }

    #[test]
    fn the_end_is_never_far_away() {
        let mut large = reader(1 << 40);
        for position in [0, 1 << 30, (1 << 40) - 7] {
            large.seek(SeekFrom::Start(position)).unwrap();
            let end = (position + ELEMENT_LIMIT_BYTES).min(1 << 40);
            assert_eq!(large.seek(SeekFrom::End(0)).unwrap(), end, "{position}");
        }
    }

    #[test]
    fn a_second_recording_is_found() {
        const EBML: &[u8] = &[0x1a, 0x45, 0xdf, 0xa3, 0x82, 1, 2];
        const SEGMENT: &[u8] = &[0x18, 0x53, 0x80, 0x67, 0x40, 3, 1, 2, 3];
        const UNKNOWN: &[u8] = &[0x18, 0x53, 0x80, 0x67, 0xff, 1, 2, 3];
        for (parts, found) in [
            (&[EBML, SEGMENT][..], None),
            (&[EBML, SEGMENT, EBML, SEGMENT], Some(16)),
            (&[EBML, SEGMENT, SEGMENT], Some(16)),
            (&[EBML, SEGMENT, &[0; 9]], None),
            (&[EBML, SEGMENT, &EBML[..4]], None),
            (&[EBML, UNKNOWN, EBML, SEGMENT], None),
            (&[EBML], None),
        ] {
            let bytes = parts.concat();
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            assert_eq!(second_recording(&mut file, bytes.len() as u64).unwrap(), found, "{bytes:x?}");
        }
    }

    #[test]
    fn circles_end() {
        let mut small = reader(100);
        let mut steps = 0;
        while small.rewind().and_then(|()| small.read_exact(&mut [0])).is_ok() {
            steps += 1;
            assert!(steps < 10_000, "round and round");
        }
        assert_eq!(steps, 1 + steps_back(100));
        assert!(small.broken().load(Ordering::Relaxed));
    }

    #[test]
    fn a_large_file_has_room_for_its_index() {
        // A day of one-second clusters of 4 Mb/s.
        assert!(steps_back(86_400 * 500_000) > 2 * 86_400);
    }
}
