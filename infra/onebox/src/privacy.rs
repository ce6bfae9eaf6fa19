//! Makes all data readable only by its owner: footage, the spool, the keys. Directories are 0700 and
//! files 0600, whatever the umask.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

/// What lies in the data directory.
const OURS: [&str; 11] = [
    "s3",
    "spool",
    "ledger",
    "access-key.json",
    "signing.key",
    "demo.mp4",
    "catalog.db",
    "catalog.db-shm",
    "catalog.db-wal",
    "tokens.json",
    "paths.key",
];

/// Creates `dir` if it does not exist, and makes everything that this process creates from now on readable only
/// by its owner. Tightens what an earlier version left readable for others. A directory that also contains
/// other things stays as it is.
pub(crate) fn keep(dir: &Path) -> io::Result<()> {
    use nix::sys::stat::{Mode, umask};
    umask(Mode::from_bits_truncate(0o077));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let mut shared = false;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // Links are not followed, and their targets are not changed.
        let kind = entry.file_type()?;
        if !OURS.iter().any(|name| entry.file_name() == *name) {
            shared = true;
        } else if kind.is_dir() || kind.is_file() {
            tighten(&entry.path())?;
        }
    }
    if shared { Ok(()) } else { tighten(dir) }
}

/// Removes other users' permissions for a file or directory.
fn tighten(path: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(path)?.permissions().mode();
    if mode & !0o077 == mode {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), "this was readable by others; now only its owner can read it");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o7700))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_its_owner_s() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let data = dir.path().join("a/data");
        keep(&data).unwrap();
        assert_eq!(mode(&data), 0o700);
        std::fs::write(data.join("access-key.json"), "{}").unwrap();
        std::fs::create_dir_all(data.join("s3/footage")).unwrap();
        assert_eq!((mode(&data.join("access-key.json")), mode(&data.join("s3/footage"))), (0o600, 0o700));
        for (path, loose) in [("access-key.json", 0o644), ("s3", 0o755), ("", 0o755)] {
            set(&data.join(path), loose);
        }
        keep(&data).unwrap();
        assert_eq!((mode(&data), mode(&data.join("s3")), mode(&data.join("access-key.json"))), (0o700, 0o700, 0o600));
        // A directory that the user had before.
        std::fs::write(data.join("holiday.mp4"), "").unwrap();
        set(&data, 0o755);
        set(&data.join("s3"), 0o755);
        keep(&data).unwrap();
        assert_eq!((mode(&data), mode(&data.join("s3"))), (0o755, 0o700));
    }
}
