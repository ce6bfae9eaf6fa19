//! Hours that are packed at any moment, and changed afterwards.

use super::Footage;
use super::footage::CHUNK_MS;
use crate::Catalog;
use crate::catalog::{Change, Interval};
use crate::memory::MemoryCatalog;
use framepost_events::record::{Data, ObjectRef, Record};
use framepost_events::removed::{ObjectRemoved, Removal};
use jiff::{SignedDuration, Timestamp};

/// Chunks are anywhere within so many milliseconds: from 23:58 to 04:28.
const STRETCH_MS: i64 = 270 * 60_000;

/// Checks with an empty catalogue that no answer depends on what [`Catalog::pack`] did, and when: chunks and looks come late, come
/// again, move to another hour, get other versions and go.
///
/// # Panics
///
/// Panics if an answer is not that of a catalogue that packs nothing.
pub async fn packing(catalog: &dyn Catalog, seed: u64) {
    let mut footage = Footage::new(seed);
    let judge = MemoryCatalog::default();
    let mut told = Vec::<Record>::new();
    for step in 0..300_u64 {
        let changes = changes(&mut footage, &told, step);
        for change in &changes {
            if let Change::Record(record) = change {
                told.push((**record).clone());
            }
        }
        catalog.apply(&changes).await.expect("some changes");
        judge.apply(&changes).await.expect("memory takes everything");
        if footage.random.u8(0..3) == 0 {
            catalog.pack(Timestamp::MAX).await.expect("packing");
        }
        if step % 8 == 0 {
            same_answers(&judge, catalog, &mut footage, step).await;
        }
    }
    let mut rest: Vec<Change> = told.iter().map(|record| Change::Removed(removal(record, "all"))).collect();
    footage.random.shuffle(&mut rest);
    for some in rest.chunks(100) {
        catalog.apply(some).await.expect("removals");
        judge.apply(some).await.expect("memory takes everything");
        same_answers(&judge, catalog, &mut footage, 1_000).await;
        catalog.pack(Timestamp::MAX).await.expect("packing");
    }
    over_the_border(catalog, &mut footage).await;
    let left = catalog.outlines(&Footage::camera(0), Interval::ALWAYS, 10).await.expect("outlines");
    assert_eq!(left, [], "all of it is gone");
}

/// A sighting goes on into the next hour, and one begins in the hour before it as soon as a late look is told.
async fn over_the_border(catalog: &dyn Catalog, footage: &mut Footage) {
    // 00:59:57 and 01:00:00.
    let before_ms = 62 * 60_000 - CHUNK_MS;
    let after_ms = 62 * 60_000;
    for (n, order) in [[before_ms, after_ms], [after_ms, before_ms]].into_iter().enumerate() {
        let camera = Footage::camera(2 + n);
        for ms in order {
            let look = footage.look(&camera, ms, "m", "person");
            catalog.apply(&[look]).await.expect("a look");
            catalog.pack(Timestamp::MAX).await.expect("packing");
        }
        let rows = catalog.seen(&camera, Interval::ALWAYS, 10).await.expect("sightings");
        let [row] = &rows[..] else { panic!("{order:?}: one sighting, not {rows:?}") };
        assert_eq!([row.sighting.from, row.sighting.to], [before_ms, after_ms].map(|ms| footage.at(ms)), "{order:?}");
    }
}

/// Some changes to what was told before, or something new.
fn changes(footage: &mut Footage, told: &[Record], step: u64) -> Vec<Change> {
    let camera = Footage::camera(footage.random.usize(0..2));
    let record = |record: Record| Change::Record(Box::new(record));
    let Some(before) = footage.random.choice(told).cloned() else {
        return footage.chunk(&camera, 0, step, "1").into_iter().map(record).collect();
    };
    match footage.random.u8(0..10) {
        0..=4 => {
            let chunk = if footage.random.bool() {
                footage.random.i64(0..STRETCH_MS / CHUNK_MS)
            } else {
                // What is seen around one o'clock goes on into the next hour.
                footage.random.i64(0..30) + (62 * 60_000 / CHUNK_MS - 15)
            };
            let records = footage.chunk(&camera, chunk * CHUNK_MS, step, "1");
            // Of some chunks only the looks are told.
            let skipped = usize::from(footage.random.u8(0..4) == 0 && records.len() > 1);
            records.into_iter().skip(skipped).map(record).collect()
        }
        5 => vec![record(before)],
        6 => vec![Change::Removed(removal(&before, &step.to_string()))],
        7 => vec![record(other_version(before))],
        _ => vec![record(moved(footage, before))],
    }
}

fn removal(record: &Record, sequence: &str) -> ObjectRemoved {
    let ObjectRef { provider, bucket, key, version } = record.data.object().clone();
    ObjectRemoved {
        provider,
        bucket,
        key,
        version: Some(version),
        sequence: sequence.to_owned(),
        removal: Removal::Deleted,
        cause: None,
        time: record.time,
    }
}

/// The same of another version of its object, which was put a minute later.
fn other_version(mut record: Record) -> Record {
    record.time = record.time.checked_add(SignedDuration::from_mins(1)).unwrap_or(record.time);
    match &mut record.data {
        Data::ChunkProbed(chunk) => chunk.object.version.push('+'),
        Data::ChunkInferred(inferred) => inferred.object.version.push('+'),
        _ => {}
    }
    record
}

/// A later record of the same chunk, which gives it another start.
fn moved(footage: &mut Footage, mut record: Record) -> Record {
    record.time = record.time.checked_add(SignedDuration::from_secs(1)).unwrap_or(record.time);
    let by = SignedDuration::from_secs(footage.random.i64(-3_000..3_000));
    if let Data::ChunkProbed(chunk) = &mut record.data {
        let moved = |time: Option<Timestamp>| time.and_then(|time| time.checked_add(by).ok());
        chunk.duration.from = moved(chunk.duration.from);
        chunk.duration.to = moved(chunk.duration.to);
    }
    record
}

async fn same_answers(judge: &dyn Catalog, catalog: &dyn Catalog, footage: &mut Footage, step: u64) {
    let mut stretches = vec![Interval::ALWAYS];
    for _ in 0..4 {
        let ms = footage.random.i64(-3_600_000..STRETCH_MS);
        let from = footage.at(ms);
        let to = from.checked_add(SignedDuration::from_millis(footage.random.i64(1..STRETCH_MS))).unwrap_or(from);
        stretches.push(Interval { from, to });
    }
    for name in (0..2).map(Footage::camera) {
        let found = catalog.recorded(&name, &stretches).await.expect("recorded");
        assert_eq!(found, judge.recorded(&name, &stretches).await.expect("recorded"), "{step}: {name:?} {stretches:?}");
        for within in stretches.clone() {
            for limit in [3, 10_000] {
                macro_rules! same {
                    ($ask:ident) => {
                        let found = catalog.$ask(&name, within, limit).await.expect(stringify!($ask));
                        let expected = judge.$ask(&name, within, limit).await.expect(stringify!($ask));
                        assert_eq!(found, expected, "{step}: {} of {name:?} within {within:?}", stringify!($ask));
                    };
                }
                same!(outlines);
                same!(looked);
                same!(seen);
            }
        }
    }
}
