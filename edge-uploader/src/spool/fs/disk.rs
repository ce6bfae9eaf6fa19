//! The real file system, protected against access by other users.
//!
//! - Every name below the spool is looked up from the descriptor of its directory without following links.
//!   Somebody who can write there by mistake cannot make the gateway read or write a file elsewhere.
//! - Only regular files are opened, so that no open blocks on a pipe.
//! - Directories are created with mode 0700 and files with 0600. A more open one loses its extra
//!   permissions when it is opened.
//! - The lock is on the directory itself, which unlike its lock file cannot be removed and created again. For
//!   file systems that do not lock directories (NFS), the lock is on the file as well.

use super::{EntryKind, Fs, Listed, Lock, SpoolFile};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Permissions that other users must not have.
const OTHERS: Mode = Mode::from_bits_truncate(0o077);
const DIR_MODE: Mode = Mode::S_IRWXU;
const FILE_MODE: Mode = Mode::from_bits_truncate(0o600);

/// Flags for opening a directory on the path.
const DIRECTORY: OFlag =
    OFlag::from_bits_truncate(OFlag::O_DIRECTORY.bits() | OFlag::O_NOFOLLOW.bits() | OFlag::O_CLOEXEC.bits());

/// The file system below one directory. Until it is locked, only directories are created in it.
pub(in super::super) struct DiskFs {
    dir: PathBuf,
    root: OnceLock<OwnedFd>,
}

/// A directory in which a name is looked up.
enum At<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
}

impl AsFd for At<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(fd) => *fd,
            Self::Below(fd) => fd.as_fd(),
        }
    }
}

impl DiskFs {
    pub(in super::super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), root: OnceLock::new() }
    }

    fn root(&self) -> io::Result<BorrowedFd<'_>> {
        self.root.get().map(AsFd::as_fd).ok_or_else(|| io::Error::other("the spool is not locked yet"))
    }

    /// Returns a path relative to the spool. Fails for a path outside of it.
    fn relative<'a>(&self, path: &'a Path) -> io::Result<&'a Path> {
        path.strip_prefix(&self.dir).map_err(|_| io::Error::other("a path outside of the spool"))
    }

    /// Opens the directory with this path relative to the spool.
    fn directory(&self, relative: &Path) -> io::Result<At<'_>> {
        let root = self.root()?;
        if relative.as_os_str().is_empty() {
            return Ok(At::Root(root));
        }
        #[cfg(target_os = "linux")]
        {
            use nix::fcntl::{OpenHow, ResolveFlag, openat2};
            let resolve = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_BENEATH;
            match openat2(root, relative, OpenHow::new().flags(DIRECTORY).resolve(resolve)) {
                // An old kernel, or a seccomp filter that does not know the call.
                Err(Errno::ENOSYS | Errno::EPERM) => {}
                opened => return Ok(At::Below(opened?)),
            }
        }
        let mut at = At::Root(root);
        for name in relative {
            at = At::Below(openat(&at, name, DIRECTORY, Mode::empty())?);
        }
        Ok(at)
    }

    /// Opens the directory that contains `path`. Returns it with the name of the entry.
    fn parent<'a>(&self, path: &'a Path) -> io::Result<(At<'_>, &'a OsStr)> {
        let relative = self.relative(path)?;
        let name = relative.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        Ok((self.directory(relative.parent().unwrap_or(Path::new("")))?, name))
    }

    fn file(&self, path: &Path, flags: OFlag) -> io::Result<File> {
        let (at, name) = self.parent(path)?;
        open_regular(&at, name, flags)
    }
}

/// Opens a regular file and makes it private to its owner. Refuses links, pipes and devices.
fn open_regular(at: &impl AsFd, name: &OsStr, flags: OFlag) -> io::Result<File> {
    Ok(open_with_status(at, name, flags)?.0)
}

/// Does the same, and returns what the file was when it was opened.
fn open_with_status(at: &impl AsFd, name: &OsStr, flags: OFlag) -> io::Result<(File, FileStat)> {
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    let file = openat(at, name, flags, FILE_MODE)?;
    let stat = fstat(&file)?;
    if kind(&stat) != EntryKind::File {
        return Err(io::Error::other("not a regular file"));
    }
    tighten(&file, &stat);
    Ok((file.into(), stat))
}

fn kind(stat: &FileStat) -> EntryKind {
    match SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT {
        SFlag::S_IFREG => EntryKind::File,
        SFlag::S_IFDIR => EntryKind::Dir,
        _ => EntryKind::Other,
    }
}

/// Removes the permissions of other users. The file of another owner stays as it is, because its
/// owner knows the content anyway.
fn tighten(file: &impl AsFd, stat: &FileStat) {
    let mode = Mode::from_bits_truncate(stat.st_mode);
    if mode.intersects(OTHERS) {
        let _ = fchmod(file, mode - OTHERS);
    }
}

/// How much room a disk has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskSpace {
    /// Size of the file system, the system's reserve included.
    pub total_bytes: u64,
    /// For programs that are not the system's own.
    pub free_bytes: u64,
}

impl DiskSpace {
    /// Of the disk that `dir` is on.
    pub fn at(dir: &Path) -> io::Result<Self> {
        Ok(Self::of(&nix::sys::statvfs::statvfs(dir)?))
    }

    fn of(stat: &nix::sys::statvfs::Statvfs) -> Self {
        // Types differ between platforms: u32 or u64.
        #[allow(clippy::useless_conversion)]
        let bytes = |blocks| u64::from(blocks).saturating_mul(u64::from(stat.fragment_size()));
        Self { total_bytes: bytes(stat.blocks()), free_bytes: bytes(stat.blocks_available()) }
    }
}

impl SpoolFile for File {
    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }
}

impl Fs for DiskFs {
    fn lock(&self, path: &Path) -> io::Result<Lock> {
        // The spool's directory itself may be a link, as systemd's state directories are.
        let mut options = std::fs::OpenOptions::new();
        let dir = options.read(true).custom_flags(OFlag::O_DIRECTORY.bits()).open(&self.dir)?;
        let root = OwnedFd::from(dir.try_clone()?);
        let of_dir = match Flock::lock(dir, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Some(lock),
            Err((_, Errno::EWOULDBLOCK)) => return Err(io::ErrorKind::WouldBlock.into()),
            // This file system does not support locking directories.
            Err(_) => None,
        };
        let name = self.relative(path)?.as_os_str();
        let file = open_regular(&root, name, OFlag::O_RDWR | OFlag::O_CREAT)?;
        let of_file =
            Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| io::Error::from(errno))?;
        for entry in Dir::from_fd(root.try_clone()?)?.iter() {
            let name = entry?.file_name().to_owned();
            let Ok(opened) = openat(&root, name.as_c_str(), DIRECTORY, Mode::empty()) else { continue };
            if !name.as_bytes().starts_with(b".") {
                tighten(&opened, &fstat(&opened)?);
            }
        }
        self.root.set(root).map_err(|_| io::Error::other("the spool is locked already"))?;
        Ok(Box::new((of_dir, of_file)))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        let (at, name) = self.parent(path)?;
        let (file, status) = open_with_status(&at, name, OFlag::O_RDWR | OFlag::O_CREAT)?;
        if status.st_nlink > 1 {
            // Its content also belongs to its other names.
            unlinkat(&at, name, UnlinkatFlags::NoRemoveDir)?;
            return Ok(Box::new(open_regular(&at, name, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL)?));
        }
        // Truncate only after the check that it is a regular file. A new one is empty.
        if status.st_size > 0 {
            file.set_len(0)?;
        }
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        Ok(Box::new(self.file(path, OFlag::O_RDWR)?))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn SpoolFile>> {
        Ok(Box::new(self.file(path, OFlag::O_RDONLY)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let within = from.parent() == to.parent();
        let (from_dir, from) = self.parent(from)?;
        if within && let Some(to) = to.file_name() {
            return Ok(nix::fcntl::renameat(&from_dir, from, &from_dir, to)?);
        }
        let (to_dir, to) = self.parent(to)?;
        Ok(nix::fcntl::renameat(&from_dir, from, &to_dir, to)?)
    }

    fn link(&self, file: &Path, name: &Path) -> io::Result<()> {
        let (at, file) = self.parent(file)?;
        let name = name.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
        // Without `AT_SYMLINK_FOLLOW`, a symbolic link itself would get the second name, and never what it points to.
        Ok(linkat(&at, file, &at, name, AtFlags::empty())?)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (at, name) = self.parent(path)?;
        Ok(unlinkat(&at, name, UnlinkatFlags::NoRemoveDir)?)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        // The spool's own directory and its ancestors.
        if self.root.get().is_none() {
            return std::fs::DirBuilder::new().mode(DIR_MODE.bits()).create(path);
        }
        let (at, name) = self.parent(path)?;
        match mkdirat(&at, name, DIR_MODE) {
            // The existing entry must be a directory, not a link to one.
            Err(Errno::EEXIST) if kind(&fstatat(&at, name, AtFlags::AT_SYMLINK_NOFOLLOW)?) != EntryKind::Dir => {
                Err(io::ErrorKind::NotADirectory.into())
            }
            made => Ok(made?),
        }
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let (at, name) = self.parent(path)?;
        Ok(unlinkat(&at, name, UnlinkatFlags::RemoveDir)?)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.root.get().is_none() || !path.starts_with(&self.dir) {
            return File::open(path)?.sync_all();
        }
        Ok(nix::unistd::fsync(self.directory(self.relative(path)?)?)?)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Listed>> {
        let at = self.directory(self.relative(path)?)?;
        // Use a descriptor of its own, because reading moves the position.
        let fd = openat(&at, ".", DIRECTORY, Mode::empty())?;
        let mut listed = Vec::new();
        for entry in Dir::from_fd(fd)?.iter() {
            let name = entry?.file_name().to_owned();
            if matches!(name.as_bytes(), b"." | b"..") {
                continue;
            }
            let stat = match fstatat(&at, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                // The entry was removed meanwhile.
                Err(Errno::ENOENT) => continue,
                stat => stat?,
            };
            let kind = kind(&stat);
            let bytes = if kind == EntryKind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 };
            listed.push(Listed { name: OsString::from_vec(name.into_bytes()), kind, bytes });
        }
        Ok(listed)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = nix::sys::statvfs::fstatvfs(self.directory(self.relative(path)?)?)?;
        Ok(DiskSpace::of(&stat).free_bytes)
    }
}
