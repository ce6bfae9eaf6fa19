//! The process, the power or the disk's room ends at every single operation.

use super::scenario::{Outside, options};
use super::sim_fs::{Deaf, Fault, SimFs, Unsynced};
use crate::spool::{Durability, Error};
use std::panic::catch_unwind;
use std::path::Path;

/// One life of the gateway: recover, record, upload, in turns.
fn session(fs: &SimFs, outside: &mut Outside) -> Result<(), Error> {
    let (spool, _) = Outside::open(fs, options(1 << 30, Durability::Fragment))?;
    let mut writer = spool.writer("s".parse().unwrap(), "c".parse().unwrap())?;
    outside.gap(&mut writer, "c")?;
    outside.chunk(&mut writer, 0, 2)?;
    outside.upload(&spool, 2)?;
    outside.chunk(&mut writer, 1, 3)?;
    outside.upload(&spool, 1)?;
    // One that waits while the next is closed.
    outside.chunk(&mut writer, 2, 1)?;
    outside.chunk(&mut writer, 3, 1)?;
    outside.upload(&spool, 2)?;
    writer.apply(crate::segment::Output::SpanEnd { end: outside.now, counter: 4 })?;
    outside.gap(&mut writer, "c")?;
    outside.span(&mut writer, 3)?;
    outside.upload(&spool, 99)
}

/// The last life, without faults; then everything is checked.
fn conclude(fs: &SimFs, outside: &mut Outside) {
    session(fs, outside).unwrap();
    outside.check_nothing_lost();
    let left = fs.files(Path::new("/spool/objects"));
    assert!(left.is_empty(), "left over: {left:?}");
}

fn operations() -> u64 {
    let fs = SimFs::new(0);
    let mut outside = Outside::new();
    session(&fs, &mut outside).unwrap();
    outside.check_nothing_lost();
    let operations = fs.world().operations;
    assert!(operations > 100, "{operations}");
    operations
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Kill,
    PowerCut,
}

fn crash(fs: &SimFs, outside: &mut Outside, at: u64, end: End) {
    fs.set_fault(Fault::Crash(at));
    if session(fs, outside).is_ok() {
        // Only the last operations, those whose failure costs nothing, can go wrong without a word.
        assert!(at > 100, "a crash at operation {at} was not noticed");
    }
    outside.crashes += 1;
    match end {
        End::Kill => fs.restart(),
        End::PowerCut => fs.power_cut(),
    }
}

#[test]
fn killed_at_every_operation_and_again_while_recovering() {
    for at in 0..operations() {
        for again in [11, 20, 40, 41] {
            let fs = SimFs::new(2 * at + again % 2);
            let mut outside = Outside::new();
            crash(&fs, &mut outside, at, End::Kill);
            crash(&fs, &mut outside, again, End::Kill);
            conclude(&fs, &mut outside);
        }
    }
}

#[test]
fn the_power_is_cut_at_every_operation_and_again_while_recovering() {
    for at in 0..operations() {
        for seed in 0..4 {
            let fs = SimFs::new(seed * 10_000 + at);
            let mut outside = Outside::new();
            crash(&fs, &mut outside, at, End::PowerCut);
            crash(&fs, &mut outside, 15 * seed + at % 15, End::PowerCut);
            conclude(&fs, &mut outside);
        }
    }
}

/// A disk that keeps only what was synced.
fn forgets_at(at: u64, seed: u64, deaf: Deaf) {
    let fs = SimFs::new(seed);
    fs.world().deaf = deaf;
    let mut outside = Outside::new();
    fs.set_fault(Fault::Crash(at));
    let _ = session(&fs, &mut outside);
    outside.crashes += 1;
    fs.power_cut_keeping(Unsynced::Nothing);
    conclude(&fs, &mut outside);
}

#[test]
fn the_power_is_cut_and_nothing_is_kept_that_was_not_synced() {
    for at in 0..operations() {
        forgets_at(at, 0, Deaf::None);
        forgets_at(at, 1, Deaf::None);
    }
}

/// A sync that does nothing is found out by a power cut at some operation. So no kind of sync can be left out unnoticed.
#[test]
fn every_kind_of_sync_is_needed() {
    for deaf in [Deaf::Directory, Deaf::File(".part"), Deaf::File(".meta.tmp"), Deaf::File(".json.tmp")] {
        let found = (0..operations()).any(|at| catch_unwind(|| forgets_at(at, 0, deaf)).is_err());
        assert!(found, "{deaf:?}");
    }
}

/// The caller starts a new span after an error, as the supervisor does.
#[test]
fn the_disk_is_full_at_every_operation() {
    for at in 0..operations() {
        let fs = SimFs::new(at);
        let mut outside = Outside::new();
        fs.set_fault(Fault::Full(at));
        let Ok((spool, _)) = Outside::open(&fs, options(1 << 30, Durability::Fragment)) else {
            outside.crashes += 1;
            fs.restart();
            conclude(&fs, &mut outside);
            continue;
        };
        {
            let mut writer = loop {
                match spool.writer("s".parse().unwrap(), "c".parse().unwrap()) {
                    Ok(writer) => break writer,
                    Err(error) => assert!(error.is_full(), "{error}"),
                }
            };
            for _ in 0..4 {
                let gone = outside.span(&mut writer, 2).and_then(|()| outside.upload(&spool, 2));
                if let Err(error) = gone {
                    assert!(error.is_full(), "{error}");
                    outside.crashes += 1;
                    outside.now += jiff::SignedDuration::from_secs(1);
                }
            }
            writer.heal().unwrap();
        }
        drop(spool);
        fs.restart();
        conclude(&fs, &mut outside);
    }
}

#[test]
fn what_durability_costs() {
    let syncs = |durability| {
        let fs = SimFs::new(1);
        let mut outside = Outside::new();
        let (spool, _) = Outside::open(&fs, options(1 << 30, durability)).unwrap();
        let mut writer = spool.writer("s".parse().unwrap(), "c".parse().unwrap()).unwrap();
        outside.chunk(&mut writer, 0, 3).unwrap();
        let spans: Vec<u64> = [3, 3, 4]
            .into_iter()
            .map(|chunks| {
                let before = fs.world().syncs;
                outside.span(&mut writer, chunks).unwrap();
                fs.world().syncs - before
            })
            .collect();
        outside.upload(&spool, 4).unwrap();
        let before = fs.world().syncs;
        outside.upload(&spool, 1).unwrap();
        // One chunk more, within a span.
        (spans[2] - spans[1], fs.world().syncs - before)
    };
    assert_eq!(syncs(Durability::Chunk), (3, 2));
    assert_eq!(syncs(Durability::Fragment), (5, 2));
}

/// From its first fragment until it has left the spool, while its camera goes on.
#[test]
fn what_a_chunk_costs_that_is_uploaded_at_once() {
    let syncs = |durability| {
        let fs = SimFs::new(1);
        let mut outside = Outside::new();
        outside.now = "2026-11-20T10:00:00Z".parse().unwrap();
        let (spool, _) = Outside::open(&fs, options(1 << 30, durability)).unwrap();
        let mut writer = spool.writer("s".parse().unwrap(), "c".parse().unwrap()).unwrap();
        let costs: Vec<u64> = (0..4)
            .map(|counter| {
                let before = fs.world().syncs;
                outside.chunk(&mut writer, counter, 3).unwrap();
                outside.upload(&spool, 1).unwrap();
                fs.world().syncs - before
            })
            .collect();
        // The first of a span writes the camera's file.
        costs[1..].to_vec()
    };
    assert_eq!(syncs(Durability::Chunk), [4; 3]);
    assert_eq!(syncs(Durability::Fragment), [6; 3]);
}
