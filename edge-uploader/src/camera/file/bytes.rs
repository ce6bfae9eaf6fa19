//! Reads a file's bytes, mostly forwards, and searches them where the structure is damaged.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read as _, Result, Seek as _, SeekFrom};

/// Bytes that are searched at a time.
const BLOCK_BYTES: usize = 64 << 10;
/// The longest mark that can be searched for.
const MARK_BYTES: usize = 4;
/// Size of a disk block; unreadable blocks are skipped.
const SECTOR_BYTES: u64 = 4096;

/// An open file with its size.
#[derive(Debug)]
pub(super) struct FileBytes {
    file: BufReader<File>,
    size: u64,
}

impl FileBytes {
    pub(super) fn new(file: File, size: u64) -> Self {
        Self { file: BufReader::with_capacity(BLOCK_BYTES, file), size }
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
        Ok(bytes)
    }

    /// Reads exactly `length` bytes from `at`, or fails.
    pub(super) fn read_exact(&mut self, at: u64, length: u64) -> Result<Vec<u8>> {
        let bytes = self.read(at, length)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Seeks without discarding buffered data, because most steps are short.
    fn seek_to(&mut self, at: u64) -> Result<()> {
        let here = self.file.stream_position()?;
        match i64::try_from(i128::from(at) - i128::from(here)) {
            Ok(step) => self.file.seek_relative(step),
            Err(_) => self.file.seek(SeekFrom::Start(at)).map(drop),
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
}
