//! Reads a file's bytes, mostly forwards, and searches them where the structure is damaged.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read as _, Result, Seek as _, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

/// Bytes that are searched at a time.
const BLOCK_BYTES: usize = 64 << 10;
/// How much is read at a time where frames follow one another, and where they do not.
const RUN_BYTES: u64 = 256 << 10;
const FIRST_RUN_BYTES: u64 = 8 << 10;
/// How many runs are remembered, to read into their memory again: as much as may be between the reader and the disk.
const USED_RUNS: usize = 32;
/// The longest mark that can be searched for.
const MARK_BYTES: usize = 4;
/// Size of a disk block; unreadable blocks are skipped.
const SECTOR_BYTES: u64 = 4096;

/// An open file with its size.
#[derive(Debug)]
pub(super) struct FileBytes {
    file: BufReader<File>,
    /// Where `file` stands; `None` after an error.
    here: Option<u64>,
    size: u64,
    /// What frames were taken from last, the latest first. There are two, because a file may keep its sound far away from its
    /// pictures.
    runs: [Run; 2],
    /// Earlier runs, the oldest first. Frames of them may still be held.
    used: VecDeque<Bytes>,
}

/// A piece of the file in memory.
#[derive(Debug, Default)]
struct Run {
    at: u64,
    bytes: Bytes,
}

impl Run {
    /// `wanted` of the file, if this has it.
    fn get(&self, wanted: &Range<u64>) -> Option<Bytes> {
        let start = usize::try_from(wanted.start.checked_sub(self.at)?).ok()?;
        let end = usize::try_from(wanted.end.checked_sub(self.at)?).ok()?;
        (start <= end && end <= self.bytes.len()).then(|| self.bytes.slice(start..end))
    }
}

impl FileBytes {
    pub(super) fn new(file: File, size: u64) -> Self {
        let file = BufReader::with_capacity(BLOCK_BYTES, file);
        Self { file, here: None, size, runs: Default::default(), used: VecDeque::new() }
    }

    /// Returns the size of the file when it was opened.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Reads up to `length` bytes from `at`; fewer only at the end of the file. The caller limits `length`.
    pub(super) fn read(&mut self, at: u64, length: u64) -> Result<Vec<u8>> {
        self.seek_to(at)?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(length.min(self.size.saturating_sub(at))).read_to_end(&mut bytes)?;
        self.here = Some(at + bytes.len() as u64);
        Ok(bytes)
    }

    /// Reads exactly `length` bytes from `at`, or fails.
    pub(super) fn read_exact(&mut self, at: u64, length: u64) -> Result<Vec<u8>> {
        let bytes = self.read(at, length)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Exactly `length` bytes from `at`, or an error. They are a part of a larger piece that is read at once and that stays in
    /// memory for as long as any part of it is held: for frames, which follow one another and are held for a second.
    pub(super) fn frame(&mut self, at: u64, length: u64) -> Result<Bytes> {
        let wanted = at..at.checked_add(length).filter(|end| *end <= self.size).ok_or(ErrorKind::UnexpectedEof)?;
        if let Some(bytes) = self.runs[0].get(&wanted) {
            return Ok(bytes);
        }
        self.runs.swap(0, 1);
        if let Some(bytes) = self.runs[0].get(&wanted) {
            return Ok(bytes);
        }
        let follows = |run: &Run| (run.at..=run.at + run.bytes.len() as u64 + RUN_BYTES).contains(&at);
        let run_bytes = if self.runs.iter().any(follows) { RUN_BYTES } else { FIRST_RUN_BYTES };
        // Where the disk does not give all of it, it may still give what is wanted.
        let ahead = self.read_at(at, length.max(run_bytes).min(self.size - at));
        let bytes = ahead.or_else(|_| self.read_at(at, length))?;
        let before = std::mem::replace(&mut self.runs[0], Run { at, bytes });
        if before.bytes.len() as u64 == RUN_BYTES {
            if self.used.len() == USED_RUNS {
                self.used.pop_front();
            }
            self.used.push_back(before.bytes);
        }
        self.runs[0].get(&wanted).ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    fn read_at(&mut self, at: u64, length: u64) -> Result<Bytes> {
        let mut bytes = self.memory(length)?;
        self.file.get_ref().read_exact_at(&mut bytes, at)?;
        Ok(bytes.freeze())
    }

    /// Memory for the next run: that of an earlier one of whose frames none is held, which saves clearing it, or new memory.
    fn memory(&mut self, length: u64) -> Result<BytesMut> {
        if length == RUN_BYTES
            && let Some(oldest) = self.used.pop_front()
        {
            match oldest.try_into_mut() {
                Ok(memory) => return Ok(memory),
                Err(held) => self.used.push_front(held),
            }
        }
        Ok(BytesMut::zeroed(usize::try_from(length).map_err(|_| ErrorKind::OutOfMemory)?))
    }

    /// Seeks without discarding buffered data, because most steps are short.
    fn seek_to(&mut self, at: u64) -> Result<()> {
        let step = self.here.take().and_then(|here| i64::try_from(i128::from(at) - i128::from(here)).ok());
        match step {
            Some(step) => self.file.seek_relative(step),
            None => self.file.seek(SeekFrom::Start(at)).map(drop),
        }
    }

    /// Returns the first position in `from..until` of a four-byte mark that `accept` accepts. Each byte is
    /// searched once. Unreadable blocks are skipped.
    pub(super) fn find(
        &mut self,
        from: u64,
        until: u64,
        is_mark: impl Fn(&[u8]) -> bool,
        mut accept: impl FnMut(&mut Self, u64) -> bool,
    ) -> Option<u64> {
        let until = until.min(self.size);
        let mut at = from;
        while at < until {
            let Ok(block) = self.read(at, BLOCK_BYTES as u64) else {
                at = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
                continue;
            };
            if block.len() < MARK_BYTES {
                return None;
            }
            for (i, window) in block.windows(MARK_BYTES).enumerate() {
                let place = at + i as u64;
                if place >= until {
                    return None;
                }
                if is_mark(window) && accept(self, place) {
                    return Some(place);
                }
            }
            at += (block.len() - (MARK_BYTES - 1)) as u64;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn marks_are_found_wherever_they_lie() {
        for place in [0, 1, BLOCK_BYTES - 5, BLOCK_BYTES - 4, BLOCK_BYTES - 3, BLOCK_BYTES - 1, 3 * BLOCK_BYTES + 7] {
            let mut bytes = vec![7; 4 * BLOCK_BYTES];
            bytes[place..place + 4].copy_from_slice(b"mark");
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            let mut file = FileBytes::new(file, bytes.len() as u64);
            let at = place as u64;
            let is_mark = |bytes: &[u8]| bytes == b"mark";
            assert_eq!(file.find(0, u64::MAX, is_mark, |_, _| true), Some(at), "{place}");
            assert_eq!(file.find(0, u64::MAX, is_mark, |_, _| false), None);
            assert_eq!(file.find(at + 1, u64::MAX, is_mark, |_, _| true), None);
            assert_eq!(file.find(0, at, is_mark, |_, _| true), None);
            assert_eq!(file.read(at, 4).unwrap(), b"mark");
            assert!(file.read_exact(bytes.len() as u64 - 2, 4).is_err());
        }
    }

    #[test]
    fn memory_is_used_again_once_no_frame_is_held() {
        let bytes: Vec<u8> = (0..40 * RUN_BYTES).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut file = FileBytes::new(file, bytes.len() as u64);
        // The first run is short, so that all that follow are long ones.
        file.frame(0, FIRST_RUN_BYTES).unwrap();
        let mut held = VecDeque::new();
        let mut places = std::collections::HashSet::new();
        for n in 0..38 {
            let at = FIRST_RUN_BYTES + n * RUN_BYTES;
            let frame = file.frame(at, 1000).unwrap();
            places.insert(frame.as_ptr());
            held.push_back((at, frame));
            if held.len() > 3 {
                held.pop_front();
            }
            for (at, frame) in &held {
                let at = usize::try_from(*at).unwrap();
                assert_eq!(frame, &bytes[at..at + 1000], "a frame that is held keeps its bytes");
            }
        }
        assert!(places.len() <= 6, "{} pieces of memory for three that are held", places.len());
    }

    #[test]
    fn frames_are_the_same_bytes_in_whatever_order_they_are_read() {
        let size = 3 * RUN_BYTES + 1000;
        let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let mut file = FileBytes::new(file, size);
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..2_000 {
            let at = random.u64(0..size);
            let longest = [100, 10_000, 2 * RUN_BYTES][random.usize(0..3)];
            let length = random.u64(0..longest);
            let expected = usize::try_from(at).unwrap()..usize::try_from(at + length).unwrap();
            let found = if random.bool() {
                file.frame(at, length).ok()
            } else {
                file.read_exact(at, length).ok().map(Bytes::from)
            };
            assert_eq!(found.as_deref(), bytes.get(expected), "{length} bytes from {at} of {size}");
        }
    }
}
