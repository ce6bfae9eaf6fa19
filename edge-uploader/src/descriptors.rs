//! File descriptors: raises the limit, and reserves some for recording.
//!
//! A recording needs one descriptor for its camera, one for the file that it writes, and temporarily
//! some more. If network clients used up the last ones, recording would stop. Listeners therefore do not
//! use descriptors within the [`reserve`].

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::os::fd::{AsFd, AsRawFd as _};

/// Most descriptors that a camera needs at a time: its connection, for UDP a pair of sockets for each stream,
/// the file it records into, a directory being synced.
const PER_CAMERA: u64 = 8;
/// Most descriptors that an upload needs at a time: its connection, the object, its sidecars.
const PER_UPLOAD: u64 = 4;
/// Descriptors of the program itself: standard streams, the runtime, the lock.
const OWN: u64 = 32;

/// Raises the soft limit to the hard limit and returns it. If that fails, the limit stays as it is.
pub fn raise() -> u64 {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    limit()
}

/// Returns the current soft limit.
pub fn limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
}

/// Returns how many of `limit` descriptors are reserved for cameras, spool and uploads.
pub fn reserve(limit: u64) -> u64 {
    (limit / 4).clamp(16, 1024)
}

/// Returns how many descriptors `cameras` and `uploads` may need, including the listeners' share.
pub fn needed(cameras: usize, uploads: usize) -> u64 {
    let own = OWN + PER_CAMERA * cameras as u64 + PER_UPLOAD * uploads as u64;
    own + own / 3
}

/// Returns whether a newly opened descriptor lies within the reserve. The system always assigns the lowest free
/// number, so all lower ones are in use.
pub(crate) fn is_reserved(opened: &impl AsFd) -> bool {
    let limit = limit();
    u64::try_from(opened.as_fd().as_raw_fd()).is_ok_and(|number| number >= limit.saturating_sub(reserve(limit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_kept_back() {
        for (limit, kept) in [(64, 16), (256, 64), (1024, 256), (524_288, 1024)] {
            assert_eq!(reserve(limit), kept);
        }
        assert!(needed(1, 4) < 1024 - reserve(1024));
        assert!(needed(250, 4) > 1024, "systemd's usual soft limit is too little for 250 cameras");
        assert!(raise() >= 64);
        assert!(!is_reserved(&std::io::stdin()));
    }
}
