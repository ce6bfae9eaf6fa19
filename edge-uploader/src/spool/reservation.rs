//! Room that is kept for a chunk while it is recorded.

use super::index::Index;
use super::layout::CameraName;
use super::{Inner, Result};
use std::sync::Arc;

/// Room for a chunk that one camera records. It is given back when this is dropped, or when the chunk is closed and counts
/// itself.
pub(super) struct Reservation {
    spool: Arc<Inner>,
    name: CameraName,
    bytes: u64,
}

impl Reservation {
    /// Creates an empty reservation for a camera; [`grow`](Self::grow) fills it.
    pub(super) fn new(spool: &Arc<Inner>, name: &CameraName) -> Self {
        Self { spool: Arc::clone(spool), name: name.clone(), bytes: 0 }
    }

    /// Reserves `bytes` more, and drops chunks if needed.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<()> {
        self.spool.reserve(&self.name, bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives the room back to an index that is locked.
    pub(super) fn give_back(mut self, index: &mut Index) {
        self.free(index);
    }

    fn free(&mut self, index: &mut Index) {
        let of_camera = index.shelf(&self.name);
        of_camera.open_bytes = of_camera.open_bytes.saturating_sub(std::mem::take(&mut self.bytes));
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // The index is still locked where the room was given back to it.
        if self.bytes > 0 {
            let spool = Arc::clone(&self.spool);
            self.free(&mut spool.index());
        }
    }
}
