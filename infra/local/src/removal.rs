//! Removing an object. The crate's documentation describes the steps.

use crate::LocalBucket;
use crate::bucket::Inner;
use crate::disk;
use crate::note::{Note, RemovalNote, new_id};
use async_trait::async_trait;
use framepost_ports::{ObjectRemoval, Result};
use jiff::Timestamp;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

impl LocalBucket {
    /// Removes an object and tells everybody who subscribed to removals of such keys. On return, the removal and
    /// its event survive a power cut.
    ///
    /// A file that was put there by hand goes without an event, because nobody was told that it was there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`](framepost_ports::ErrorKind::NotFound) if there is no such object.
    pub async fn remove(&self, key: &str) -> Result<()> {
        self.inner.object("remove", key)?;
        let inner = self.inner.clone();
        let owned = key.to_owned();
        let removed = disk::blocking(move || inner.remove(&owned)).await;
        removed.map_err(|error| disk::error("remove", key, error))
    }
}

#[async_trait]
impl ObjectRemoval for LocalBucket {
    async fn remove(&self, key: &str) -> Result<()> {
        Self::remove(self, key).await
    }
}

impl Inner {
    fn remove(&self, key: &str) -> io::Result<()> {
        let _lock = self.lock_notes()?;
        let object = self.root.join(key);
        match fs::metadata(&object) {
            Ok(metadata) if metadata.is_file() => {}
            Err(error) if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(error);
            }
            _ => return Err(io::ErrorKind::NotFound.into()),
        }
        let note = match Note::read(&self.note(key)) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.unlink(&object),
            Err(error) => return Err(error),
        };
        // Not before the object became complete, whatever the clock did since: nobody would take it for removed.
        let removed = Timestamp::now().max(note.created);
        let removal = RemovalNote { removal: new_id(), removed, object: note };
        if !self.inboxes.interested(|topic| topic.is_about_removed(key))?.is_empty() {
            let mut file = disk::create_private(&self.staged_removal(&removal.removal))?;
            file.write_all(&serde_json::to_vec(&removal)?)?;
            file.sync_data()?;
            disk::sync_dir(&self.hidden("tmp"))?;
        }
        self.finish_removal(&removal)
    }

    fn staged_removal(&self, id: &str) -> PathBuf {
        self.hidden("tmp").join(format!("{id}.{}", RemovalNote::EXTENSION))
    }

    /// Does steps 2 to 5 of a removal. Each step may already be done. The caller holds the lock on the notes.
    pub(crate) fn finish_removal(&self, removal: &RemovalNote) -> io::Result<()> {
        let RemovalNote { removal: id, object: note, .. } = removal;
        let staged = self.staged_removal(id);
        if staged.is_file() {
            let subscribers = self.inboxes.interested(|topic| topic.is_about_removed(&note.key))?;
            self.inboxes.link(&staged, id, &subscribers)?;
        }
        let place = self.note(&note.key);
        let is_there = match Note::read(&place) {
            // The key may have been free in the meantime, and may belong to another put now.
            Ok(there) => there.id == note.id,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if is_there {
            // A writer that comes late to finish the put must not bring the bytes back.
            let (bytes, staged_note) = self.staged(&note.id);
            disk::remove(&staged_note)?;
            disk::remove(&bytes)?;
            self.unlink(&self.root.join(&note.key))?;
            disk::remove(&place)?;
        }
        disk::remove(&staged)?;
        self.inboxes.tell(id);
        Ok(())
    }

    /// Removes an object's file, durably, and the directories above it that are empty then.
    fn unlink(&self, object: &Path) -> io::Result<()> {
        disk::remove(object)?;
        for above in object.ancestors().skip(1).take_while(|above| *above != self.root) {
            match fs::remove_dir(above) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // It is not empty, or it has to stay.
                Err(_) => return disk::sync_dir(above),
            }
        }
        disk::sync_dir(&self.root)
    }
}
