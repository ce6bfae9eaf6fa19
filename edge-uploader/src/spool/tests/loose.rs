//! A file that is read, stopped at every single operation.

use super::scenario::{Outside, file_chunk, options};
use super::sim_fs::{Fault, SimFs};
use crate::segment::Output;
use crate::spool::{Durability, Error, Order, Spool, SpoolWriter};
use framepost_events::KeyKind;
use jiff::Timestamp;
use std::path::Path;

const CHUNKS: u64 = 7;

/// When the file was recorded: the same whenever it is read.
fn began() -> Timestamp {
    "2026-11-20T10:59:50Z".parse().unwrap()
}

fn open(fs: &SimFs) -> Result<Spool, Error> {
    Ok(Outside::open(fs, options(1 << 30, Durability::Chunk))?.0)
}

fn writer(spool: &Spool) -> Result<SpoolWriter, Error> {
    spool.writer("s".parse().unwrap(), "c".parse().unwrap())
}

/// Reads the file to its end, while the bucket takes what it can.
fn read(spool: &Spool, outside: &mut Outside) -> Result<(), Error> {
    // What waits from the last time goes first, as the gateway has it.
    outside.upload(spool, 99)?;
    let mut writer = writer(spool)?;
    writer.reads(None);
    let mut now = began();
    for counter in 0..CHUNKS {
        now = file_chunk(&mut writer, now, counter)?;
        outside.upload(spool, usize::from(counter % 3 == 2))?;
    }
    writer.apply(Output::SpanEnd { end: now, counter: CHUNKS })?;
    writer.keep()
}

fn check(outside: &Outside) {
    outside.check_objects();
    let numbers = outside.numbers(KeyKind::Chunk);
    assert_eq!(numbers, (0..CHUNKS).flat_map(|chunk| [3 * chunk, 3 * chunk + 1, 3 * chunk + 2]).collect::<Vec<_>>());
    assert_eq!(outside.bucket.keys().filter(|key| key.ends_with("_end")).count(), 1);
}

fn operations() -> u64 {
    let fs = SimFs::new(0);
    let mut outside = Outside::reading();
    read(&open(&fs).unwrap(), &mut outside).unwrap();
    fs.world().operations
}

/// Until it was read to its end, a crash costs a second reading, and then nothing: the file may be gone.
#[test]
fn what_the_file_holds_is_read_again_and_what_was_read_to_the_end_is_kept() {
    let mut outcomes = [0, 0];
    for at in 0..=operations() {
        for seed in 0..6 {
            let fs = SimFs::new(at * 10 + seed);
            let mut outside = Outside::reading();
            fs.set_fault(Fault::Crash(at));
            let whole = open(&fs).and_then(|spool| read(&spool, &mut outside)).is_ok();
            outcomes[usize::from(whole)] += 1;
            if seed % 3 == 0 {
                fs.restart();
            } else {
                fs.power_cut();
            }
            let spool = open(&fs).unwrap();
            if !whole {
                read(&spool, &mut outside).unwrap();
            }
            outside.upload(&spool, 99).unwrap();
            check(&outside);
            let left = fs.files(Path::new("/spool/objects"));
            assert!(left.is_empty(), "left over: {left:?}");
        }
    }
    assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
}

#[test]
fn a_chunk_that_is_uploaded_at_once_costs_no_sync() {
    let fs = SimFs::new(1);
    let mut outside = Outside::reading();
    let spool = open(&fs).unwrap();
    let mut writer = writer(&spool).unwrap();
    // Within an hour: another one has another directory.
    let mut now = file_chunk(&mut writer, "2026-11-20T10:00:00Z".parse().unwrap(), 0).unwrap();
    let before = fs.world().syncs;
    for counter in 1..CHUNKS {
        now = file_chunk(&mut writer, now, counter).unwrap();
        outside.upload(&spool, 99).unwrap();
    }
    let after = fs.world().syncs;
    assert_eq!(after, before);
}

#[test]
fn the_oldest_are_kept_when_there_are_many() {
    let fs = SimFs::new(1);
    let mut outside = Outside::reading();
    let spool = open(&fs).unwrap();
    let mut writer = writer(&spool).unwrap();
    let mut now = began();
    for counter in 0..100 {
        now = file_chunk(&mut writer, now, counter).unwrap();
    }
    let files = fs.files(Path::new("/spool/objects"));
    let objects = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "mp4")).count();
    assert!((30..=36).contains(&objects), "{objects}");
    drop(writer);
    fs.power_cut();
    drop(spool);
    outside.upload(&open(&fs).unwrap(), 999).unwrap();
    outside.check_objects();
    assert_eq!(outside.numbers(KeyKind::Chunk).len(), 3 * objects);
}

#[test]
fn a_refused_one_is_kept_with_its_mark_and_its_reason() {
    let fs = SimFs::new(1);
    let spool = open(&fs).unwrap();
    let mut writer = writer(&spool).unwrap();
    let mut now = began();
    for counter in 0..CHUNKS {
        now = file_chunk(&mut writer, now, counter).unwrap();
    }
    let claim = spool.claim(Order::Oldest, &|_| false).unwrap();
    claim.mark_tried().unwrap();
    let key = claim.key().clone();
    claim.quarantine("no").unwrap();
    drop((writer, spool));
    fs.power_cut();
    let spool = open(&fs).unwrap();
    let set_aside: Vec<_> = spool.quarantined().into_iter().map(|object| (object.key, object.reason)).collect();
    assert_eq!(set_aside, [(key, "no".to_owned())]);
    assert!(!spool.has_waiting(), "the others are read again");
}
