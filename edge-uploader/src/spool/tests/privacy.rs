//! The spool is its owner's alone, and one gateway's.

use super::super::fs::{DiskFs, Fs as _};
use super::super::{Error, Options, Spool};
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn locked(dir: &Path) -> (DiskFs, Box<dyn Send + Sync>) {
    let fs = DiskFs::new(dir);
    let lock = fs.lock(&dir.join(".lock")).unwrap();
    (fs, lock)
}

#[test]
fn everything_is_made_for_the_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("spool");
    let (_spool, _) = Spool::open(&dir, Options::default()).unwrap();
    assert_eq!(mode(&dir), 0o700);
    for entry in std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
        assert_eq!(mode(&entry) & 0o077, 0, "{}", entry.display());
    }
}

#[test]
fn what_others_could_read_they_no_longer_can() {
    let dir = tempfile::tempdir().unwrap();
    drop(Spool::open(dir.path(), Options::default()).unwrap());
    let file = dir.path().join("objects/a");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(dir.path().join("objects"), Permissions::from_mode(0o755)).unwrap();
    let (fs, _lock) = locked(dir.path());
    fs.open_read(&file).unwrap();
    assert_eq!((mode(&dir.path().join("objects")), mode(&file)), (0o700, 0o600));
}

#[test]
fn a_second_gateway_is_refused_also_where_the_lock_file_was_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (first, _) = Spool::open(dir.path(), Options::default()).unwrap();
    assert!(matches!(Spool::open(dir.path(), Options::default()), Err(Error::Locked { .. })));
    std::fs::remove_file(dir.path().join(".lock")).unwrap();
    assert!(matches!(Spool::open(dir.path(), Options::default()), Err(Error::Locked { .. })));
    assert!(matches!(Spool::open_unmended(dir.path()), Err(Error::Locked { .. })));
    // By another way to the same directory too.
    let other = tempfile::tempdir().unwrap();
    symlink(dir.path(), other.path().join("spool")).unwrap();
    assert!(matches!(Spool::open(&other.path().join("spool"), Options::default()), Err(Error::Locked { .. })));
    drop(first);
    drop(Spool::open(&other.path().join("spool"), Options::default()).unwrap());
}

#[test]
fn no_link_pipe_or_device_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "theirs").unwrap();
    let (fs, _lock) = locked(dir.path());
    let at = |name: &str| dir.path().join(name);
    symlink(&secret, at("file")).unwrap();
    symlink(outside.path().join("new"), at("dangling")).unwrap();
    symlink(outside.path(), at("dir")).unwrap();
    nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    fs.create_dir(&at("real")).unwrap();
    for name in ["file", "dangling", "dir", "dir/secret", "dir/new", "pipe", "real", "real/../dir/secret"] {
        assert!(fs.open_read(&at(name)).is_err(), "{name} is read");
        assert!(fs.open(&at(name)).is_err(), "{name} is opened");
        assert!(fs.create(&at(name)).is_err(), "{name} is written");
    }
    assert!(fs.list(&at("dir")).is_err() && fs.sync_dir(&at("dir")).is_err());
    assert!(fs.create_dir(&at("dir/made")).is_err() && fs.remove_file(&at("dir/secret")).is_err());
    assert_eq!(fs.create_dir(&at("dir")).unwrap_err().kind(), std::io::ErrorKind::NotADirectory);
    fs.create(&at("real/own")).unwrap().write_all(b"ours").unwrap();
    assert!(fs.rename(&at("real/own"), &at("dir/secret")).is_err());
    assert!(fs.create(Path::new("/tmp/elsewhere")).is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "theirs");
    // A link is an entry of its own kind, and is removed as such.
    fs.remove_file(&at("file")).unwrap();
    assert!(secret.exists());
}
