//! What the uploader could not write down, because the disk refused: kept in memory until it can be.
//!
//! A disk that becomes read-only, or is full to the last block, still holds footage that can be read and uploaded. What is in
//! the bucket then cannot be unlinked, what is set aside cannot be marked as such: neither may be put again and again. A
//! restart forgets debts, and finds the files as they are; that costs puts, never footage.

use super::index::{ItemId, Status, Tried};
use super::layout::{Suffix, owner};
use super::{Error, Inner, Result, Spool};
use framepost_events::ObjectKey;
use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

/// What is to be done with an object's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Debt {
    /// The bucket has it: it is to be unlinked.
    Remove,
    /// It is set aside for this reason, which is to be written.
    Quarantine(String),
    /// The bucket refused it: its mark is to be unlinked.
    Unmark,
}

/// All of them, and whether the log knows.
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
    /// Why an object is set aside, where the disk does not say so yet.
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

/// Whether the spool's directory is where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Here,
    /// It is not, as when its disk was unmounted or pulled out.
    Away,
}

impl Spool {
    /// Whether the directory is there, told by its lock file.
    pub fn presence(&self) -> Presence {
        match self.inner.fs.open_read(&self.inner.layout.lock()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Presence::Away,
            _ => Presence::Here,
        }
    }

    /// Whether anything is owed to the disk. Asks the memory only.
    pub fn has_debts(&self) -> bool {
        !self.inner.debts().owed.is_empty()
    }

    /// Tries to write down what could not be before; says how much is left.
    pub fn settle(&self) -> usize {
        let owed = self.inner.debts().owed.clone();
        for (key, debt) in owed {
            if let Err(error) = self.inner.pay(&key, &debt) {
                // One that is refused speaks for all.
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

    /// Does what the uploader wants written down, or remembers it.
    pub(super) fn write_down(&self, key: &ObjectKey, debt: Debt) -> Result<()> {
        let paid = self.pay(key, &debt);
        match &paid {
            Ok(()) => self.debts().forgive(key),
            Err(error) => {
                self.complain(error);
                self.debts().owed.insert(key.clone(), debt);
            }
        }
        paid
    }

    fn pay(&self, key: &ObjectKey, debt: &Debt) -> Result<()> {
        let Some(name) = owner(key) else { return Ok(()) };
        let id = ItemId::of(key);
        let Some(entry) = self.index().entry(&name, id).copied() else { return Ok(()) };
        match (debt, entry.status) {
            // Another object of this key has come since.
            (Debt::Remove, Status::Waiting | Status::Dropping | Status::Quarantined)
            | (Debt::Quarantine(_), Status::Waiting | Status::Dropping | Status::Stored) => {}
            (Debt::Remove, Status::Claimed | Status::Stored) => {
                self.remove_object(key)?;
                self.index().remove(&name, id);
                self.keep_reserve();
            }
            (Debt::Quarantine(reason), Status::Claimed | Status::Quarantined) => {
                let path = self.layout.file(key, Suffix::Quarantine);
                self.with_reserve(|| self.write_durable(&path, format!("{reason}\n").as_bytes()))?;
            }
            // Tried again in the meantime, it has its mark for a reason.
            (Debt::Unmark, _) if entry.tried != Tried::Never => {}
            (Debt::Unmark, _) => self.unmark(key)?,
        }
        Ok(())
    }

    /// Forgets, durably, that a put was begun.
    pub(super) fn unmark(&self, key: &ObjectKey) -> Result<()> {
        let path = self.layout.file(key, Suffix::Try);
        self.remove(&path)?;
        self.sync_parent(&path)
    }

    /// Says once that the disk refuses, until it does no more.
    pub(super) fn complain(&self, error: &Error) {
        let trouble = &mut self.debts().trouble;
        if *trouble == Trouble::None {
            *trouble = Trouble::Logged;
            let error = framepost_ports::chain(error);
            tracing::error!(error, "the spool's disk takes no notes; uploads go on, remembered in memory");
        }
    }

    fn relieved(&self) {
        let trouble = &mut self.debts().trouble;
        if *trouble == Trouble::Logged {
            *trouble = Trouble::None;
            tracing::info!("the spool's disk takes notes again");
        }
    }

    /// What the memory says of an object from now on.
    pub(super) fn set_status(&self, key: &ObjectKey, status: Status) {
        if let Some(name) = owner(key)
            && let Some(entry) = self.index().entry(&name, ItemId::of(key))
        {
            entry.status = status;
        }
    }
}
