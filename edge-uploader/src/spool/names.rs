//! Which changes of names are durable in the directories that cameras record into.
//!
//! A directory is synced when a chunk is closed and when a put is marked, so every few seconds. Two things wait for the next such
//! sync in place of one of their own:
//!
//! - **The sidecars of an uploaded chunk.** They may go when the chunk cannot come back without them, which is when its unlink
//!   is durable. Should a power cut undo the unlink, the chunk has its mark, and the next put is answered with "already exists".
//! - **The sidecar of the last closed chunk.** It says how far the span is closed, in place of the camera's file, which is
//!   written once for each span and directory. It stays, with or without its chunk, until a later chunk's name is durable
//!   or the camera's file is written.
//!
//! Each directory belongs to one camera, because a key's path contains it. Directories into which no camera records at the
//! moment are not followed: there, each step is synced by itself.

use framepost_events::ObjectKey;
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

/// So many sidecars may wait in a directory for its next sync.
const WAITING_MAX: usize = 64;

/// The directories that are followed.
#[derive(Debug, Default)]
pub(super) struct Names {
    dirs: HashMap<PathBuf, Followed>,
}

/// The changes of a directory's names, which are counted.
#[derive(Debug, Default)]
struct Followed {
    changes: u64,
    /// How many of them are durable.
    synced: u64,
    /// Which of them gave the last chunk its final name.
    named: u64,
    /// Chunks that were closed, oldest first, each with the number of its change: the last one whose name is durable, and
    /// those after it. Empty if the camera's file says the same.
    closed: VecDeque<(u64, ObjectKey)>,
    /// Objects that were unlinked and whose sidecars still exist.
    unlinked: Vec<(u64, ObjectKey)>,
}

/// How soon the names in a directory must be synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    Now,
    /// The next sync will do.
    Later,
}

impl Names {
    /// Follows a directory, from the moment when a camera records into it.
    pub(super) fn follow(&mut self, dir: &Path) {
        if !self.dirs.contains_key(dir) {
            self.dirs.insert(dir.to_owned(), Followed::default());
        }
    }

    pub(super) fn is_followed(&self, dir: &Path) -> bool {
        self.dirs.contains_key(dir)
    }

    /// Stops following it. Returns the unlinked objects whose sidecars may go after a sync.
    pub(super) fn leave(&mut self, dir: &Path) -> Vec<ObjectKey> {
        let Some(followed) = self.dirs.remove(dir) else { return Vec::new() };
        let Followed { closed, unlinked, .. } = followed;
        let is_needed = |key: &ObjectKey| closed.iter().any(|(_, closed)| closed == key);
        unlinked.into_iter().map(|(_, key)| key).filter(|key| !is_needed(key)).collect()
    }

    /// A chunk got its final name. Its sidecar is now the only one that says so.
    pub(super) fn closed(&mut self, dir: &Path, key: &ObjectKey) {
        if let Some(followed) = self.dirs.get_mut(dir) {
            followed.changes += 1;
            followed.named = followed.changes;
            followed.closed.push_back((followed.changes, key.clone()));
        }
    }

    /// Whether a power cut could turn the last closed chunk into a part again.
    pub(super) fn may_reopen(&self, dir: &Path) -> bool {
        let Some(followed) = self.dirs.get(dir) else { return false };
        followed.named > followed.synced
    }

    /// The camera's file says how far its span is closed.
    pub(super) fn written(&mut self, dir: &Path) {
        if let Some(followed) = self.dirs.get_mut(dir) {
            followed.closed.clear();
        }
    }

    /// Whether the sidecar of this object says how far its span is closed.
    pub(super) fn is_needed(&self, dir: &Path, key: &ObjectKey) -> bool {
        self.dirs.get(dir).is_some_and(|followed| followed.closed.iter().any(|(_, closed)| closed == key))
    }

    /// An object was unlinked, and its sidecars are left. `None` if nobody will sync the directory.
    pub(super) fn unlinked(&mut self, dir: &Path, key: &ObjectKey) -> Option<Urgency> {
        let followed = self.dirs.get_mut(dir)?;
        followed.changes += 1;
        followed.unlinked.push((followed.changes, key.clone()));
        Some(if followed.unlinked.len() > WAITING_MAX { Urgency::Now } else { Urgency::Later })
    }

    /// Whether the sidecars of an unlinked object with this key are left.
    pub(super) fn are_left(&self, dir: &Path, key: &ObjectKey) -> bool {
        self.dirs.get(dir).is_some_and(|followed| followed.unlinked.iter().any(|(_, unlinked)| unlinked == key))
    }

    /// Returns the number of changes so far, for [`synced`](Self::synced). To be called before a sync.
    pub(super) fn changes(&self, dir: &Path) -> u64 {
        self.dirs.get(dir).map_or(0, |followed| followed.changes)
    }

    /// The first `changes` are durable. Returns the unlinked objects whose sidecars may go.
    pub(super) fn synced(&mut self, dir: &Path, changes: u64) -> Vec<ObjectKey> {
        let Some(followed) = self.dirs.get_mut(dir) else { return Vec::new() };
        followed.synced = followed.synced.max(changes);
        let closed = &mut followed.closed;
        while closed.get(1).is_some_and(|(change, _)| *change <= changes) {
            closed.pop_front();
        }
        let may_go = |(change, key): &mut (u64, ObjectKey)| {
            *change <= changes && !closed.iter().any(|(_, needed)| needed == key)
        };
        followed.unlinked.extract_if(.., may_go).map(|(_, key)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(counter: u64) -> ObjectKey {
        format!("s/2026-11-20/c/15/08-{:02}Z.{counter}.mp4", counter % 60).parse().unwrap()
    }

    #[test]
    fn sidecars_go_when_the_unlink_and_a_later_close_are_durable() {
        let dir = Path::new("/d");
        let mut names = Names::default();
        assert_eq!(names.unlinked(dir, &key(0)), None);
        names.follow(dir);
        names.closed(dir, &key(0));
        assert_eq!(names.unlinked(dir, &key(0)), Some(Urgency::Later));
        // Durable, and still the last closed one.
        assert_eq!(names.synced(dir, names.changes(dir)), []);
        let before = names.changes(dir);
        names.closed(dir, &key(1));
        assert_eq!(names.synced(dir, before), [], "the sync began before the close");
        assert!(names.may_reopen(dir));
        assert!(names.is_needed(dir, &key(0)) && names.is_needed(dir, &key(1)));
        let before = names.changes(dir);
        names.closed(dir, &key(2));
        assert_eq!(names.unlinked(dir, &key(1)), Some(Urgency::Later));
        assert_eq!(names.synced(dir, before), [key(0)]);
        assert!(names.is_needed(dir, &key(1)), "the last one whose name is durable");
        assert_eq!(names.synced(dir, names.changes(dir)), [key(1)]);
        assert!(!names.are_left(dir, &key(1)) && !names.may_reopen(dir));
        // The camera's file says it.
        assert_eq!(names.unlinked(dir, &key(2)), Some(Urgency::Later));
        names.written(dir);
        assert_eq!(names.synced(dir, names.changes(dir)), [key(2)]);
    }

    #[test]
    fn what_nobody_will_sync_is_handed_back() {
        let dir = Path::new("/d");
        let mut names = Names::default();
        names.follow(dir);
        names.closed(dir, &key(0));
        names.closed(dir, &key(1));
        names.unlinked(dir, &key(7));
        names.unlinked(dir, &key(1));
        assert_eq!(names.leave(dir), [key(7)], "1 says how far the span is closed");
        assert_eq!(names.unlinked(dir, &key(8)), None);
    }

    #[test]
    fn not_too_many_wait() {
        let dir = Path::new("/d");
        let mut names = Names::default();
        names.follow(dir);
        let later = (0..999).take_while(|n| names.unlinked(dir, &key(*n)) == Some(Urgency::Later)).count();
        assert_eq!(later, WAITING_MAX);
        assert_eq!(names.synced(dir, names.changes(dir)).len(), WAITING_MAX + 1);
    }
}
