//! The quota, the floor, and what is dropped.

use super::scenario::{Outside, options};
use super::sim_fs::{Fault, SimFs};
use crate::spool::{Durability, Error, Options, SpoolLimits};
use framepost_events::KeyKind;
use framepost_events::gap::GapCause;
use std::collections::BTreeSet;

/// Room for about ten small chunks.
const QUOTA_BYTES: u64 = 100_000;

fn small() -> Options {
    options(QUOTA_BYTES, Durability::Fragment)
}

#[test]
fn a_long_want_of_space_is_one_gap() {
    let fs = SimFs::new(1);
    let mut outside = Outside::new();
    let (spool, _) = Outside::open(&fs, small()).unwrap();
    let mut writer = spool.writer("s".parse().unwrap(), "c".parse().unwrap()).unwrap();
    for counter in 0..40 {
        outside.chunk(&mut writer, counter, 3).unwrap();
        assert!(spool.used_bytes() <= QUOTA_BYTES + 2 * 9_000, "{}", spool.used_bytes());
    }
    outside.upload(&spool, 99).unwrap();
    outside.check_objects();
    let gaps = outside.gaps(GapCause::SpoolFull);
    assert_eq!(gaps.len(), 1);
    let there = outside.numbers(KeyKind::Chunk);
    let chunks = there.len() as u64 / 3;
    assert!((8..=12).contains(&chunks), "{chunks}");
    assert_eq!(gaps[0].chunks_dropped, Some(40 - chunks));
    // The newest are there, and the gap ends where they begin.
    assert_eq!(there.iter().min(), Some(&(3 * (40 - chunks))));
    let first = outside.bucket.values().filter(|(bytes, _)| bytes.starts_with(b"done")).map(|(_, a)| a.from.unwrap());
    assert_eq!(first.min().unwrap(), gaps[0].to);
}

#[test]
fn the_camera_that_holds_the_most_loses() {
    let fs = SimFs::new(1);
    let mut outside = Outside::new();
    let (spool, _) = Outside::open(&fs, small()).unwrap();
    let mut busy = spool.writer("s".parse().unwrap(), "busy".parse().unwrap()).unwrap();
    let mut calm = spool.writer("s".parse().unwrap(), "calm".parse().unwrap()).unwrap();
    outside.chunk(&mut calm, 0, 1).unwrap();
    for counter in 0..20 {
        outside.chunk(&mut busy, counter, 3).unwrap();
    }
    outside.chunk(&mut calm, 1, 1).unwrap();
    let stats = spool.stats();
    let waiting = |camera: &str| stats.iter().find(|s| s.camera.as_str() == camera).unwrap().waiting_objects;
    assert_eq!(waiting("calm"), 2);
    assert!(waiting("busy") < 12, "{}", waiting("busy"));
}

#[test]
fn what_cannot_fit_is_refused_and_the_rest_is_kept() {
    let fs = SimFs::new(1);
    let mut outside = Outside::new();
    let limits = SpoolLimits { quota_bytes: 60, free_floor_bytes: 0 };
    let (spool, _) = Outside::open(&fs, Options { limits, ..small() }).unwrap();
    let mut writer = spool.writer("s".parse().unwrap(), "c".parse().unwrap()).unwrap();
    let error = outside.chunk(&mut writer, 0, 3).unwrap_err();
    assert!(matches!(error, Error::Full { quota_bytes: 60, .. }), "{error}");
    assert!(matches!(outside.chunk(&mut writer, 1, 1), Err(Error::Order { .. })));
    writer.heal().unwrap();
    outside.upload(&spool, 9).unwrap();
    outside.check_objects();
    assert_eq!(outside.numbers(KeyKind::Chunk), [0]);
}

#[test]
fn the_floor_of_free_disk_counts_too() {
    let fs = SimFs::new(1);
    let mut outside = Outside::new();
    let limits = SpoolLimits { quota_bytes: 1 << 30, free_floor_bytes: 1_000_000 };
    let (spool, _) = Outside::open(&fs, Options { limits, ..small() }).unwrap();
    let mut writer = spool.writer("s".parse().unwrap(), "c".parse().unwrap()).unwrap();
    outside.chunk(&mut writer, 0, 3).unwrap();
    fs.world().free_bytes = 1_000_000;
    let error = outside.chunk(&mut writer, 1, 3).unwrap_err();
    assert!(error.is_full(), "{error}");
    assert_eq!(spool.stats()[0].waiting_objects, 1, "the chunk is dropped, its gap is there");
}

/// Killed at every operation of a run with drops: each chunk is in the bucket, or counted in a gap, and not both.
#[test]
fn killed_at_every_operation_while_dropping() {
    for at in 30..600 {
        let fs = SimFs::new(at);
        let mut outside = Outside::new();
        fs.set_fault(Fault::Crash(at));
        let record = |outside: &mut Outside| -> Result<(), Error> {
            let (spool, _) = Outside::open(&fs, options(40_000, Durability::Fragment))?;
            let mut writer = spool.writer("s".parse().unwrap(), "c".parse().unwrap())?;
            for counter in 0..9 {
                outside.chunk(&mut writer, counter, 2)?;
                if counter == 6 {
                    outside.upload(&spool, 1)?;
                }
            }
            Ok(())
        };
        let _ = record(&mut outside);
        if at % 2 == 0 {
            fs.restart();
        } else {
            fs.power_cut();
        }
        let (spool, _) = Outside::open(&fs, options(1 << 30, Durability::Fragment)).unwrap();
        outside.upload(&spool, 99).unwrap();
        outside.check_objects();
        let gaps = outside.gaps(GapCause::SpoolFull);
        for (key, (bytes, attributes)) in &outside.bucket {
            let from = attributes.from.unwrap();
            let to = attributes.to.unwrap();
            let inside = gaps.iter().any(|gap| from < gap.to && to > gap.from);
            assert!(!bytes.starts_with(b"done") || !inside, "{at}: {key} is in the bucket and in a gap");
        }
        let there: BTreeSet<u64> = outside.numbers(KeyKind::Chunk).into_iter().collect();
        let missing = outside.written.difference(&there).count() as u64;
        let dropped: u64 = gaps.iter().map(|gap| gap.chunks_dropped.unwrap()).sum();
        assert_eq!(missing, 2 * dropped, "{at}: {gaps:?}");
    }
}
