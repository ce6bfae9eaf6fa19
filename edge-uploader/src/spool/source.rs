//! The source of a recording, if it is a file.
//!
//! A file's chunks can be made again with the same bytes and keys as long as the file does not
//! change. If the bucket already has an object with that key and the credential may not look at it,
//! the chunk need not be kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use url::Url;

/// The state of a file when reading began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Its absolute path as a `file:` URL, which can represent every name.
    url: Url,
    bytes: u64,
    /// Time of its last change, in whole microseconds.
    modified: Timestamp,
}

impl SourceFile {
    /// Returns the current state of the file at `path`. Returns `None` if it does not exist or
    /// has no valid modification time.
    pub fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let modified = Timestamp::try_from(metadata.modified().ok()?).ok()?;
        Some(Self {
            url: Url::from_file_path(std::path::absolute(path).ok()?).ok()?,
            bytes: metadata.len(),
            modified: Timestamp::from_microsecond(modified.as_microsecond()).ok()?,
        })
    }

    /// Returns whether the bytes that were read can be read again. A file that has grown is still being
    /// written. A file that was modified without growing has changed.
    pub fn is_unchanged(&self) -> bool {
        self.path().and_then(|path| Self::of(&path)).is_some_and(|now| now.continues(self))
    }

    /// Returns whether this file still holds everything that `before` held.
    pub(super) fn continues(&self, before: &Self) -> bool {
        self.url == before.url
            && (self.bytes > before.bytes || (self.bytes == before.bytes && self.modified == before.modified))
    }

    fn path(&self) -> Option<PathBuf> {
        self.url.to_file_path().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_file_holds_what_was_read_until_it_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        for name in [&b"a b.mp4"[..], b"T\xc3\xbcr 100%.mp4", b"\xff\xfe.mp4"] {
            let path = directory.path().join(OsStr::from_bytes(name));
            assert_eq!(SourceFile::of(&path), None);
            std::fs::write(&path, b"four").unwrap();
            let before = SourceFile::of(&path).unwrap();
            let json = serde_json::to_string(&before).unwrap();
            assert_eq!(serde_json::from_str::<SourceFile>(&json).unwrap(), before, "{json}");
            assert!(before.is_unchanged());
            let file = std::fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() + Duration::from_secs(9)).unwrap();
            assert!(!before.is_unchanged(), "as long, and written since");
            std::fs::write(&path, b"four more").unwrap();
            assert!(before.is_unchanged(), "it goes on");
            std::fs::write(&path, b"two").unwrap();
            assert!(!before.is_unchanged());
            std::fs::remove_file(&path).unwrap();
            assert!(!before.is_unchanged());
        }
        assert_eq!(SourceFile::of(directory.path()), None);
    }
}
