//! A local stand-in for a cloud: a durable bucket in a directory, an inbox for each subscriber to its objects
//! and to records, and claims in another directory.
//!
//! # The directory
//!
//! ```text
//! <bucket>/plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4     an object: a plain file by its key, for any player
//! <bucket>/.framepost/meta/3f/3fb4…e1.json                    its note: key, size, digest, type, metadata, time
//! <bucket>/.framepost/tmp/<id>, <id>.json                     a put that is under way: bytes and note
//! <bucket>/.framepost/tmp/<id>.removal                        a removal that is under way
//! <bucket>/.framepost/inboxes/infer/…                         what a subscriber has not dealt with: see [`LocalInboxes`]
//! <bucket>/.framepost/lock                                    held shared by each process that has the bucket open
//! <bucket>/.framepost/notes-lock                              held while a note leaves `meta`
//! ```
//!
//! A note's name is the SHA-256 of its key, so that different keys have different notes. A note is written once
//! and afterwards only linked: into `meta` and into inboxes.
//!
//! # A put, step by step
//!
//! 1. Write the bytes to `tmp/<id>`, check them while writing, fsync. Write the note to `tmp/<id>.json`,
//!    fsync. If the bytes are already a file on the same file system, as a gateway's are, link
//!    that file instead of copying it.
//! 2. **Commit**: hard-link the note to its place in `meta`, fsync. The link fails if the key has a note.
//! 3. If there are subscribers, fsync `tmp`, and hard-link the note into the inbox of each, fsync.
//! 4. Hard-link the bytes to the key. Fsync that directory and each directory created on the way.
//! 5. Remove both names in `tmp`.
//!
//! Only one note can win step 2, so bytes and metadata always belong to the same put. `Created` is returned
//! after step 4, so an answered put survives a power cut, together with its event.
//!
//! # A removal, step by step
//!
//! Under a lock that all processes share, so that each object is removed once:
//!
//! 1. **Commit**: if there are subscribers, write a note of the removal to `tmp/<id>.removal`, fsync file and directory.
//! 2. Hard-link it into the inbox of each subscriber, fsync.
//! 3. Remove the file at the key, fsync the directory. Remove directories that are empty then.
//! 4. Remove the object's note in `meta`, which frees the key. Steps 3 and 4 are left out if the note is
//!    another put's.
//! 5. Remove the removal's note.
//!
//! # After a crash
//!
//! A put that crashed before step 2 has no effect: [`LocalBucket::open`] removes its files. After step 2 the
//! put is committed, and `open` does the missing steps; each can be repeated. A power cut before step 4 may
//! take the names in `tmp` if there is no subscriber; then the note has no file, and its key is free. If a second
//! writer loses step 2 while the first is between steps 2 and 4, or crashed there, it does those steps itself
//! before it returns `AlreadyExists`. `open` also finishes a removal that crashed after its step 1. A message
//! leaves an inbox only when it is done, so it is delivered at least once.
//!
//! Removing an object's file by hand frees its key: the bucket recognises a note without a file and replaces it.
//! Nobody is told of such a removal; [`LocalBucket::remove`] tells everybody who subscribed.
//!
//! The file system must support hard links and locks. ext4, xfs, btrfs, zfs, tmpfs and NFS do. FAT and exFAT do
//! not, and `open` returns an error.

mod bucket;
mod cloud;
mod disk;
mod feed;
mod inbox;
mod inboxes;
mod key;
mod ledger;
mod list;
mod lock;
mod motion;
mod note;
mod put;
mod read;
mod removal;
mod timetable;
mod waited;

pub use bucket::LocalBucket;
pub use cloud::{LOCAL_CONCURRENCY, LOCAL_PANICS_MAX, LocalCloud};
pub use feed::LocalFeed;
pub use inbox::LocalInbox;
pub use inboxes::LocalInboxes;
pub use ledger::LocalLedger;
pub use list::Listed;
pub use motion::MotionDetector;
pub use read::{OpenObject, Stat};
pub use timetable::LocalTimetable;
pub use waited::Waited;
