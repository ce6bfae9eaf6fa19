//! Operations on the spool's files and their directories. Each error has the path and the operation.

use super::fs::{Fs, SpoolFile};
use super::index::Shelf;
use super::layout::{CameraName, Suffix, temporary};
use super::names::Urgency;
use super::{Error, Inner, Result};
use framepost_events::ObjectKey;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::PoisonError;

/// What lies beside an object, in the order in which it is unlinked.
const SIDECARS: [Suffix; 3] = [Suffix::Quarantine, Suffix::Try, Suffix::Meta];

impl Inner {
    pub(super) fn create(&self, path: &Path) -> Result<Box<dyn SpoolFile>> {
        let _tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.fs.create(path), path.parent()) {
            (Err(error), Some(dir)) if error.kind() == io::ErrorKind::NotFound => {
                create_dirs(&*self.fs, dir)?;
                self.fs.create(path).map_err(Error::io("create", path))
            }
            (created, _) => created.map_err(Error::io("create", path)),
        }
    }

    /// Marks an object as tried. The mark becomes durable when the directory is synced: it is a name without content of its own
    /// that could be torn.
    ///
    /// It is a second name of the sidecar, which saves the disk an inode for each object. Where there is no sidecar, or the file
    /// system has no such names (FAT, some network file systems), it is an empty file. Only its existence counts.
    pub(super) fn make_mark(&self, key: &ObjectKey) -> Result<()> {
        let mark = self.layout.file(key, Suffix::Try);
        match self.fs.link(&self.layout.file(key, Suffix::Meta), &mark) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(_) => self.create(&mark).map(drop),
        }
    }

    /// Writes a small file atomically and durably.
    pub(super) fn write_durable(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.write_whole(path, bytes)?;
        self.sync_parent(path)
    }

    /// Writes a small file atomically. Its name becomes durable when the directory is synced.
    pub(super) fn write_whole(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let new = temporary(path);
        let mut file = self.create(&new)?;
        file.write_all(bytes).map_err(Error::io("write", &new))?;
        file.sync_data().map_err(Error::io("sync", &new))?;
        drop(file);
        self.fs.rename(&new, path).map_err(Error::io("rename", &new))
    }

    pub(super) fn rename_durable(&self, from: &Path, to: &Path) -> Result<()> {
        self.fs.rename(from, to).map_err(Error::io("rename", from))?;
        self.sync_parent(to)
    }

    pub(super) fn sync_parent(&self, path: &Path) -> Result<()> {
        let dir = path.parent().unwrap_or(path);
        let changes = self.names().changes(dir);
        self.fs.sync_dir(dir).map_err(Error::io("sync the directory", dir))?;
        let gone = self.names().synced(dir, changes);
        self.remove_sidecars(&gone);
        Ok(())
    }

    /// Makes durable the names of the chunks that were closed in a directory, if they are not.
    pub(super) fn sync_closed(&self, dir: &Path) -> Result<()> {
        let may_reopen = self.names().may_reopen(dir);
        if may_reopen { self.sync_parent(&dir.join("any")) } else { Ok(()) }
    }

    /// Makes durable the names of a camera's closed chunks.
    pub(super) fn sync_closed_of(&self, name: &CameraName) -> Result<()> {
        let occupied = self.index().shelf(name).occupied.clone();
        occupied.map_or(Ok(()), |dir| self.sync_closed(&dir))
    }

    /// Unlinks the sidecars of objects whose unlink is durable. What the disk refuses is left to the next start.
    pub(super) fn remove_sidecars(&self, gone: &[ObjectKey]) {
        for (key, suffix) in gone.iter().flat_map(|key| SIDECARS.map(|suffix| (key, suffix))) {
            if let Err(error) = self.remove(&self.layout.file(key, suffix)) {
                tracing::debug!(%error, "a sidecar is left to the next start");
            }
        }
    }

    pub(super) fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = self.fs.open_read(path).map_err(Error::io("open", path))?;
        file.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
        Ok(bytes)
    }

    /// Unlinks a file. Succeeds if it does not exist.
    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        match self.fs.remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Unlinks an object, then its sidecars, so that it cannot come back without them. With [`Urgency::Later`], the unlink
    /// becomes durable, and the sidecars are unlinked, at the next sync of a directory into which a camera records.
    pub(super) fn remove_object(&self, key: &ObjectKey, urgency: Urgency) -> Result<()> {
        if self.remove_loose(key)? {
            return Ok(());
        }
        let path = self.layout.file(key, Suffix::Object);
        let dir = path.parent().unwrap_or(&path);
        if urgency == Urgency::Now {
            self.sync_closed(dir)?;
        }
        self.remove(&path)?;
        let waits = {
            let mut names = self.names();
            let waits = urgency == Urgency::Later || names.is_needed(dir, key);
            if waits { names.unlinked(dir, key) } else { None }
        };
        match waits {
            Some(Urgency::Later) if urgency == Urgency::Later => return Ok(()),
            Some(_) => return self.sync_parent(&path),
            None => self.sync_parent(&path)?,
        }
        for suffix in SIDECARS {
            self.remove(&self.layout.file(key, suffix))?;
        }
        self.prune(&path);
        Ok(())
    }

    /// Sets the file that a camera's writer writes. The directory of the file before may be
    /// removed when it is empty.
    pub(super) fn occupy(&self, name: &CameraName, path: Option<&Path>) {
        let dir = path.and_then(Path::parent);
        let mut index = self.index();
        let occupied = &mut index.shelf(name).occupied;
        if occupied.as_deref() == dir {
            return;
        }
        let before = std::mem::replace(occupied, dir.map(Path::to_owned));
        drop(index);
        if let Some(before) = before {
            if let Err(error) = self.sync_closed(&before) {
                tracing::warn!(%error, "a closed chunk may be closed again after a power cut");
            }
            let gone = self.names().leave(&before);
            if !gone.is_empty() && self.fs.sync_dir(&before).is_ok() {
                self.remove_sidecars(&gone);
            }
            self.prune(&before.join("any"));
        }
    }

    /// Removes the empty directories above `path`. The directory of a recording camera stays, because it would
    /// be needed again a second later, with a sync for each level.
    pub(super) fn prune(&self, path: &Path) {
        let occupied = |shelf: &Shelf| shelf.occupied.as_deref() == path.parent();
        if self.index().cameras.values().any(occupied) {
            return;
        }
        let _tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        let root = self.layout.objects();
        for dir in path.ancestors().skip(1).take_while(|dir| *dir != root) {
            if self.fs.remove_dir(dir).is_err() {
                break;
            }
        }
    }
}

/// Creates `dir` and its missing ancestors, and makes each name durable.
pub(super) fn create_dirs(fs: &dyn Fs, dir: &Path) -> Result<()> {
    match fs.create_dir(dir) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            let Some(parent) = parent else { return Err(Error::io("create the directory", dir)(error)) };
            create_dirs(fs, parent)?;
            fs.create_dir(dir).map_err(Error::io("create the directory", dir))?;
        }
        Err(error) => return Err(Error::io("create the directory", dir)(error)),
    }
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs.sync_dir(parent).map_err(Error::io("sync the directory", parent))
        }
        _ => fs.sync_dir(Path::new(".")).map_err(Error::io("sync the directory", Path::new("."))),
    }
}
