//! The bytes of a fragment in pieces, which avoids copying the samples into one buffer.

use bytes::Bytes;
use std::io::{self, ErrorKind, IoSlice, Write};

/// `prft`, `moof` and `mdat` (ISO/IEC 14496-12 §8.16.5, §8.8.4 and §8.1.1): the start of the fragment, and the samples
/// unchanged.
#[derive(Debug, Clone, PartialEq)]
pub struct Fragment {
    head: Bytes,
    samples: Vec<Bytes>,
}

impl Fragment {
    /// Creates a fragment. `head` ends with the header of the `mdat` that contains `samples`.
    pub(super) fn new(head: Bytes, samples: Vec<Bytes>) -> Self {
        Self { head, samples }
    }

    /// Returns the length in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.pieces().map(|piece| piece.len() as u64).sum()
    }

    /// Returns all pieces in order.
    pub fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.head).chain(&self.samples)
    }

    /// Writes all pieces with as few calls as `out` needs.
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> = self.pieces().map(|piece| IoSlice::new(piece)).collect();
        let mut left = &mut slices[..];
        // Skip empty slices at the front: a write of 0 bytes would look as if `out` accepted nothing.
        IoSlice::advance_slices(&mut left, 0);
        while !left.is_empty() {
            match out.write_vectored(left) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut left, count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A fragment in a single piece.
impl From<Bytes> for Fragment {
    fn from(head: Bytes) -> Self {
        Self { head, samples: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that accepts a few bytes at a time, is sometimes interrupted, and is full at some point.
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
        calls: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(3) {
                return Err(ErrorKind::Interrupted.into());
            }
            let count = bytes.len().min(2).min(self.room - self.taken.len());
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_byte_is_written_whatever_the_disk_takes_at_a_time() {
        let samples = [&b""[..], b"one", b"", b"twelve"].map(Bytes::from_static);
        let whole = Fragment::new(Bytes::from_static(b"head"), samples.to_vec());
        assert_eq!(whole.len_bytes(), 13);
        let mut narrow = Narrow { taken: Vec::new(), room: 100, calls: 0 };
        whole.write_to(&mut narrow).unwrap();
        assert_eq!(narrow.taken, b"headonetwelve");
        let mut full = Narrow { taken: Vec::new(), room: 6, calls: 0 };
        assert_eq!(whole.write_to(&mut full).unwrap_err().kind(), ErrorKind::WriteZero);
        assert_eq!(full.taken, b"headon");
    }
}
