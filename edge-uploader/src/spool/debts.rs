//! Changes that the uploader could not write because the disk refused them. They are kept in memory
//! until they can be written.
//!
//! A disk that becomes read-only or completely full still holds footage that can be read and
//! uploaded. An uploaded object then cannot be unlinked, and an object in quarantine cannot be
//! marked. Neither must be put again and again. A restart forgets debts and finds the files as they
//! are. That costs additional puts, never footage.

use super::index::{ItemId, Status, Tried};
use super::layout::{Suffix, owner};
use super::names::Urgency;
use super::{Error, Inner, Result, Spool};
use framepost_events::ObjectKey;
use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

/// A change to an object's files that is still to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Debt {
    /// The object is in the bucket and its files must be unlinked.
    Remove,
    /// The object is in quarantine and this reason must be written.
    Quarantine(String),
    /// The bucket refused the object and its mark must be unlinked.
    Unmark,
}

/// All debts, and whether they have been logged.
#[derive(Debug, Default)]
pub(super) struct Debts {
    owed: HashMap<ObjectKey, Debt>,
    trouble: Trouble,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Trouble {
    #[default]
    None,
    Logged,
}

impl Debts {
    /// Returns why an object is in quarantine, if the disk does not have the reason yet.
    pub(super) fn reason(&self, key: &ObjectKey) -> Option<&str> {
        match self.owed.get(key) {
            Some(Debt::Quarantine(reason)) => Some(reason),
            Some(Debt::Remove | Debt::Unmark) | None => None,
        }
    }

    pub(super) fn forgive(&mut self, key: &ObjectKey) {
        self.owed.remove(key);
    }
}

/// Whether the spool's directory exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Here,
    /// The directory is missing, for example because its disk was unmounted or removed.
    Away,
}

impl Spool {
    /// Checks whether the directory exists, by its lock file.
    pub fn presence(&self) -> Presence {
        match self.inner.fs.open_read(&self.inner.layout.lock()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Presence::Away,
            _ => Presence::Here,
        }
    }

    /// Returns whether there are debts. Does not access the disk.
    pub fn has_debts(&self) -> bool {
        !self.inner.debts().owed.is_empty()
    }

    /// Waits for a debt since the last call. Only one task at a time may wait.
    pub async fn owes(&self) {
        self.inner.owing.notified().await;
    }

    /// Tries to write all debts. Returns how many remain.
    pub fn settle(&self) -> usize {
        let owed = self.inner.debts().owed.clone();
        for (key, debt) in owed {
            if let Err(error) = self.inner.pay(&key, &debt) {
                // If one fails, the others would fail too.
                self.inner.complain(&error);
                break;
            }
            self.inner.debts().forgive(&key);
        }
        let left = self.inner.debts().owed.len();
        if left == 0 {
            self.inner.relieved();
        }
        self.inner.tell();
        left
    }
}

impl Inner {
    pub(super) fn debts(&self) -> MutexGuard<'_, Debts> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a change for the uploader, or remembers it as a debt.
    pub(super) fn write_down(&self, key: &ObjectKey, debt: Debt) -> Result<()> {
        let paid = self.pay(key, &debt);
        match &paid {
            Ok(()) => self.debts().forgive(key),
            Err(error) => {
                self.complain(error);
                self.debts().owed.insert(key.clone(), debt);
                // Is kept for the next call of `owes` if nobody waits.
                self.owing.notify_one();
            }
        }
        paid
    }

    fn pay(&self, key: &ObjectKey, debt: &Debt) -> Result<()> {
        let Some(name) = owner(key) else { return Ok(()) };
        let id = ItemId::of(key);
        let Some(entry) = self.index().entry(&name, id).copied() else { return Ok(()) };
        match (debt, entry.status) {
            // A new object with this key has been recorded meanwhile.
            (Debt::Remove, Status::Waiting | Status::Dropping | Status::Quarantined)
            | (Debt::Quarantine(_), Status::Waiting | Status::Dropping | Status::Stored) => {}
            (Debt::Remove, Status::Claimed | Status::Stored) => {
                // An unlink without a mark must not be undone: the next put would count as the first.
                let urgency = if entry.tried == Tried::Before { Urgency::Later } else { Urgency::Now };
                self.remove_object(key, urgency)?;
                self.index().remove(&name, id);
                self.keep_reserve();
            }
            (Debt::Quarantine(reason), Status::Claimed | Status::Quarantined) => {
                let path = self.layout.file(key, Suffix::Quarantine);
                self.with_reserve(|| {
                    self.keep(key)?;
                    self.write_durable(&path, format!("{reason}\n").as_bytes())
                })?;
            }
            // The object was tried again meanwhile, so it needs its mark.
            (Debt::Unmark, _) if entry.tried != Tried::Never => {}
            (Debt::Unmark, _) => self.unmark(key)?,
        }
        Ok(())
    }

    /// Removes, durably, the mark that a put was begun.
    pub(super) fn unmark(&self, key: &ObjectKey) -> Result<()> {
        if self.loose().meta(key).is_some() {
            return Ok(());
        }
        let path = self.layout.file(key, Suffix::Try);
        self.remove(&path)?;
        self.sync_parent(&path)
    }

    /// Logs once that the disk refuses writes, until it accepts them again.
    pub(super) fn complain(&self, error: &Error) {
        let trouble = &mut self.debts().trouble;
        if *trouble == Trouble::None {
            *trouble = Trouble::Logged;
            let error = framepost_ports::chain(error);
            tracing::error!(
                error,
                "cannot write to the spool's disk; uploads continue, and their state is kept in memory"
            );
        }
    }

    fn relieved(&self) {
        let trouble = &mut self.debts().trouble;
        if *trouble == Trouble::Logged {
            *trouble = Trouble::None;
            tracing::info!("the spool's disk can be written again");
        }
    }

    /// Sets the status of an object in memory.
    pub(super) fn set_status(&self, key: &ObjectKey, status: Status) {
        if let Some(name) = owner(key)
            && let Some(entry) = self.index().entry(&name, ItemId::of(key))
        {
            entry.status = status;
        }
    }
}
