//! File descriptors: as many as the system lets this program have, and some of them kept back.
//!
//! A recording needs one for its camera, one for what it writes, and more for moments; a listener that lets strangers have
//! the last ones stops it. So listeners take none of the [`reserve`].

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::os::fd::{AsFd, AsRawFd as _};

/// What a camera may need at a time: its connection, for UDP a pair of sockets for each stream, the file it records into, a
/// directory that is synced.
const PER_CAMERA: u64 = 8;
/// What an upload may need at a time: its connection, the object, its sidecars.
const PER_UPLOAD: u64 = 4;
/// The program's own: standard streams, the runtime's, the lock.
const OWN: u64 = 32;

/// How many this process may have, now that its soft limit is raised to the hard one. That it cannot be raised leaves it as
/// it is.
pub fn raise() -> u64 {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    limit()
}

/// How many this process may have.
pub fn limit() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft)
}

/// How many are kept back for cameras, spool and uploads where `limit` are allowed in all.
pub fn reserve(limit: u64) -> u64 {
    (limit / 4).clamp(16, 1024)
}

/// How many `cameras` and `uploads` may need, the listeners' share on top.
pub fn needed(cameras: usize, uploads: usize) -> u64 {
    let own = OWN + PER_CAMERA * cameras as u64 + PER_UPLOAD * uploads as u64;
    own + own / 3
}

/// Whether a descriptor that was just opened lies within the reserve. The system always gives the lowest number that is
/// free, so that all below it are taken.
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
