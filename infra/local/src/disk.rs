//! What the standard library leaves to be said about files, directories and their errors.

use framepost_ports::{Error, ErrorKind};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What the caller of a port can do about an error of this machine's.
pub(crate) fn error(operation: &'static str, key: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        // A full destination is out of order for now; it says nothing against the object.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Busy,
        io::ErrorKind::InvalidFilename | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            ErrorKind::Invalid
        }
        _ => ErrorKind::Io,
    };
    Error::new(kind, operation, key).because(error)
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Makes `dir` and what is missing above it, each durable in the one above.
pub(crate) fn make_dirs(dir: &Path) -> io::Result<()> {
    match fs::create_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return if dir.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) };
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = dir.parent().ok_or(io::ErrorKind::NotFound)?;
            make_dirs(above)?;
            return make_dirs(dir);
        }
        Err(error) => return Err(error),
    }
    dir.parent().map_or(Ok(()), |above| sync_dir(if above.as_os_str().is_empty() { Path::new(".") } else { above }))
}

/// A new file that only its owner may read, whatever the umask.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Like [`create_private`], in place of what is there.
pub(crate) fn replace_private(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// How a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Made,
    /// The new name is taken.
    Taken,
    /// The old name is gone.
    Gone,
}

/// A second name for a file, never over another one, durable on return.
pub(crate) fn link(old: &Path, new: &Path) -> io::Result<Link> {
    match fs::hard_link(old, new) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Link::Taken),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Link::Gone),
        Err(error) => return Err(error),
    }
    new.parent().map_or(Ok(()), sync_dir)?;
    Ok(Link::Made)
}

/// Removes a name; that it is gone already is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Blocking file work, away from the threads that must not wait. It goes on to its end when the caller gives up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(io::Error::other(panic)),
    }
}
