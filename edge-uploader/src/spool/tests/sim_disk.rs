//! The model of a file system as the uploader's tests see it: a disk with a spool on it.

use super::sim_fs::{Fault, SimFs};
use crate::spool::{Durability, Options, ReadSeek, RepairFailure, Spool, SpoolLimits};
use framepost_events::attributes::Attributes;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether the disk takes writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writes {
    Taken,
    /// As after an I/O error: what is there can be read, and nothing changes any more.
    Refused,
}

pub(crate) struct SimDisk {
    fs: SimFs,
}

const DIR: &str = "/spool";

impl SimDisk {
    pub(crate) fn new(seed: u64) -> Self {
        Self { fs: SimFs::new(seed) }
    }

    /// As a gateway opens it.
    pub(crate) fn open(&self) -> Spool {
        let repair = |_: &mut dyn ReadSeek, _: &Attributes| Err(RepairFailure::NothingWhole);
        let limits = SpoolLimits { quota_bytes: 1 << 30, free_floor_bytes: 0 };
        let options = Options { limits, durability: Durability::Chunk, signer: None, repair: Arc::new(repair) };
        Spool::open_on(Arc::new(self.fs.clone()), Path::new(DIR), options).unwrap().0
    }

    /// As `quarantine` opens it.
    pub(crate) fn open_unmended(&self) -> Spool {
        Spool::open_unmended_on(Arc::new(self.fs.clone()), Path::new(DIR)).unwrap()
    }

    pub(crate) fn set_writes(&self, writes: Writes) {
        self.fs.set_fault(match writes {
            Writes::Taken => Fault::None,
            Writes::Refused => Fault::ReadOnly,
        });
    }

    pub(crate) fn power_cut(&self) {
        self.fs.power_cut();
    }

    /// Whether the bytes of an object are there, waiting or set aside.
    pub(crate) fn holds(&self, key: &str, bytes: &[u8]) -> bool {
        self.fs.content(&PathBuf::from(DIR).join("objects").join(key)).is_some_and(|there| there == bytes)
    }
}
