//! How many bytes of a camera's access units are in memory.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

/// Counts the bytes that were handed over and are still used by somebody.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<AtomicUsize>);

impl Held {
    /// `data`, counted until the last of its users is gone.
    pub(super) fn count(&self, data: Vec<u8>) -> Bytes {
        self.0.fetch_add(data.len(), Relaxed);
        Bytes::from_owner(Counted { data, held: self.clone() })
    }

    /// The bytes that are used now.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Relaxed)
    }
}

struct Counted {
    data: Vec<u8>,
    held: Held,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.held.0.fetch_sub(self.data.len(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_as_long_as_somebody_has_them() {
        let held = Held::default();
        let whole = held.count(vec![7; 1000]);
        let part = whole.slice(10..20);
        assert_eq!((held.bytes(), &part[..]), (1000, &[7; 10][..]));
        drop(whole);
        assert_eq!(held.bytes(), 1000);
        drop(part);
        assert_eq!(held.bytes(), 0);
    }
}
