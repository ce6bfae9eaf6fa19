//! File descriptors: raises the limit, and reserves some for the program's own work.
//!
//! A recording needs one descriptor for its camera, one for the file that it writes, and temporarily
//! some more; a function needs some for its clouds. If network clients used up the last ones, this work would
//! stop. Listeners therefore do not use descriptors within the [`reserve`].

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::os::fd::{AsFd, AsRawFd as _};

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

/// Returns how many of `limit` descriptors are reserved for other work than that of listeners.
pub fn reserve(limit: u64) -> u64 {
    (limit / 4).clamp(16, 1024)
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
        assert!(raise() >= 64);
        assert!(!is_reserved(&std::io::stdin()));
    }
}
