//! File and directory operations that the standard library lacks, and conversion of their errors.

use framepost_ports::{Error, ErrorKind};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Converts an error of the local machine.
pub(crate) fn error(operation: &'static str, key: &str, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
        // A full disk is a temporary state of the bucket, not an error of the object.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Busy,
        io::ErrorKind::InvalidFilename | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            ErrorKind::Invalid
        }
        _ => ErrorKind::Io,
    };
    Error::new(kind, operation, key).because(error)
}

/// Makes changes to the entries of a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Creates `dir` and its missing ancestors, and makes each durable in its parent.
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

/// Creates a file that only its owner may read, whatever the umask. Fails if the file exists.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

/// Like [`create_private`], but truncates an existing file.
pub(crate) fn replace_private(path: &Path) -> io::Result<File> {
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// The result of [`link`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    Made,
    /// The new name exists already.
    Taken,
    /// The old name does not exist.
    Gone,
}

/// Gives a file a second name, which is durable on return. Never replaces an existing file.
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

/// Removes a file. Succeeds if it does not exist.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs blocking file operations on a blocking thread. They run to completion even if the caller is cancelled.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => Err(io::Error::other(panic)),
    }
}
