//! A local stand-in for a cloud: a durable bucket in a directory, an inbox for each subscriber to its objects
//! and to records, and claims in another directory.
//!
//! # The directory
//!
//! ```text
//! <bucket>/plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4     an object: a plain file by its key, for any player
//! <bucket>/.framepost/meta/3f/3fb4…e1.json                    its note: key, size, digest, type, metadata, time
//! <bucket>/.framepost/tmp/<id>, <id>.json                     a put that is under way: bytes and note
//! <bucket>/.framepost/inboxes/infer/…                         what a subscriber has not dealt with: see [`LocalInboxes`]
//! <bucket>/.framepost/lock                                    held shared by each process that has the bucket open
//! ```
//!
//! A note's name is the SHA-256 of its key, so that different keys have different notes. A note is written once
//! and afterwards only linked: into `meta` and into inboxes.
//!
//! # A put, step by step
//!
//! 1. bytes → `tmp/<id>`, checked on the way, fsync; note → `tmp/<id>.json`, fsync. Bytes that are a file of the
//!    same file system already, as a gateway's are, get a second name and are not copied;
//! 2. the **commit**: hard link of the note to its place in `meta`, which fails when a note is there; fsync;
//! 3. where there are subscribers: fsync of `tmp`; hard link of the note into the inbox of each; fsync;
//! 4. hard link of the bytes to the key; fsync of that directory, and of each one made on the way;
//! 5. both names in `tmp` go.
//!
//! Only one note can win step 2, so bytes and metadata always belong to the same put. `Created` is returned
//! after step 4, so an answered put survives a power cut, together with its event.
//!
//! # After a crash
//!
//! Before 2 the put never was: [`LocalBucket::open`] removes the leftovers. From 2 on the put stands, and `open` does the
//! steps that are missing; each can be repeated. A power cut that takes the names in `tmp` before step 4 leaves a note without
//! a file, which nobody has heard of, and its key is free. A second writer that loses step 2 while the first one is between 2 and
//! 4 (or died there) takes those steps for it before it answers `AlreadyExists`. A message leaves an inbox only
//! when it is done, so it comes at least once.
//!
//! Removing an object's file by hand frees its key: the bucket recognises a note without
//! a file and replaces it.
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
mod note;
mod put;
mod read;

pub use bucket::LocalBucket;
pub use cloud::{LOCAL_CONCURRENCY, LOCAL_PANICS_MAX, LocalCloud};
pub use feed::LocalFeed;
pub use inbox::LocalInbox;
pub use inboxes::LocalInboxes;
pub use ledger::LocalLedger;
pub use list::Listed;
pub use read::{OpenObject, Stat};
