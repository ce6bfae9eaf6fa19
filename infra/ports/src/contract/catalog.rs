//! The contract of [`Catalog`]: the answers depend on what it was told, and on neither order nor repetition.

use super::Footage;
use super::footage::CHUNK_MS;
use super::switched::the_newer_is_shown;
use crate::Catalog;
use crate::catalog::{
    CameraName, Change, ChunkPlace, ChunkQuery, Hold, HoldQuery, Interval, KnownObject, Order, RemovedChunk,
    SightingQuery, Whose,
};
use crate::memory::MemoryCatalog;
use framepost_events::record::{ObjectRef, Record};
use framepost_events::removed::{ObjectRemoved, Removal};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Checks the contract of a [`Catalog`] with two empty ones.
///
/// # Panics
///
/// Panics if one of them breaks its contract.
pub async fn catalog(one: Arc<dyn Catalog>, other: Arc<dyn Catalog>) {
    catalog_of(7, 24, one, other).await;
}

/// The same with footage of this seed and of so many chunks a camera.
///
/// # Panics
///
/// Panics if one of them breaks its contract.
pub async fn catalog_of(seed: u64, chunks: i64, one: Arc<dyn Catalog>, other: Arc<dyn Catalog>) {
    let mut footage = Footage::new(seed);
    let changes = footage.changes(chunks);
    one.apply(&[]).await.expect("nothing is nothing");
    one.apply(&changes).await.expect("all at once");
    happenings_have_numbers(&*one).await;
    one.pack(Timestamp::MAX).await.expect("packing");
    let shuffled = footage.shuffled(&changes);
    let mut rest = &shuffled[..];
    while !rest.is_empty() {
        let (batch, left) = rest.split_at(footage.random.usize(1..=rest.len().min(40)));
        other.apply(batch).await.expect("in pieces");
        rest = left;
    }
    let judge = MemoryCatalog::default();
    judge.apply(&changes).await.expect("memory takes everything");
    for catalog in [&*one, &*other] {
        same_answers(&judge, catalog, &mut footage, chunks).await;
    }
    holds_are_kept(&judge, &*one, &mut footage, chunks).await;
    marks_are_kept(&*one).await;
    the_version_before_is_the_newest_again(&*other, &mut footage, chunks).await;
    everything_can_go(&*one, &changes).await;
    put_again(&*other, &mut footage, chunks).await;
    the_newer_is_shown(&*other, &mut footage).await;
}

async fn same_answers(judge: &dyn Catalog, catalog: &dyn Catalog, footage: &mut Footage, chunks: i64) {
    assert_eq!(catalog.cameras().await.expect("cameras"), judge.cameras().await.expect("cameras"));
    let reports = catalog.reports().await.expect("reports");
    assert_eq!(reports, judge.reports().await.expect("reports"));
    let uptimes: Vec<u64> = reports.iter().map(|reported| reported.report.uptime_seconds).collect();
    assert_eq!(uptimes, [420, 420], "the last report of each site");
    for limit in [1, 7, 1000] {
        assert_eq!(every_object(catalog, limit).await, every_object(judge, 1000).await, "{limit} at a time");
    }
    let mut stretches: Vec<Interval> = (0..6).map(|_| footage.stretch(chunks)).collect();
    stretches.push(Interval::ALWAYS);
    for name in (0..4).map(Footage::camera) {
        let found = catalog.recorded(&name, &stretches).await.expect("recorded");
        assert_eq!(found, judge.recorded(&name, &stretches).await.expect("recorded"), "{name:?} {stretches:?}");
    }
    let removed = catalog.removed(&Footage::camera(0), Interval::ALWAYS, 1000).await.expect("removed");
    let is_known = |chunk: &RemovedChunk| chunk.to > chunk.from && chunk.cause.is_some();
    assert!(removed.iter().any(is_known), "none is known with its end and cause: {removed:?}");
    for within in stretches {
        for name in (0..4).map(Footage::camera) {
            for limit in [3, 1000] {
                macro_rules! same {
                    ($ask:ident) => {
                        let found = catalog.$ask(&name, within, limit).await.expect(stringify!($ask));
                        let expected = judge.$ask(&name, within, limit).await.expect(stringify!($ask));
                        assert_eq!(found, expected, "{} of {name:?} within {within:?}", stringify!($ask));
                    };
                }
                same!(briefs);
                same!(outlines);
                same!(gaps);
                same!(removed);
                same!(span_ends);
                same!(looks);
                same!(looked);
                same!(seen);
            }
        }
        for cameras in [None, Some(vec![]), Some(vec![Footage::camera(1), Footage::camera(0)])] {
            same_pages_of_chunks(judge, catalog, within, cameras.clone()).await;
            same_pages_of_sightings(judge, catalog, within, cameras).await;
        }
    }
}

async fn same_pages_of_chunks(
    judge: &dyn Catalog,
    catalog: &dyn Catalog,
    within: Interval,
    cameras: Option<Vec<CameraName>>,
) {
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let mut query = ChunkQuery { cameras: cameras.clone(), within, order, after: None, limit: 7 };
        loop {
            let page = catalog.chunks(&query).await.expect("chunks");
            assert_eq!(page, judge.chunks(&query).await.expect("chunks"), "{query:?}");
            let Some(last) = page.last() else { break };
            let of_key = catalog.chunk(&last.chunk.object.key).await.expect("chunk");
            assert_eq!(of_key.as_ref(), Some(last));
            query.after = Some(ChunkPlace { from: last.from, key: last.chunk.object.key.clone() });
        }
    }
}

async fn same_pages_of_sightings(
    judge: &dyn Catalog,
    catalog: &dyn Catalog,
    within: Interval,
    cameras: Option<Vec<CameraName>>,
) {
    for (labels, score_min) in [(vec![], 0.0), (vec!["person".to_owned()], 0.75)] {
        let mut query = SightingQuery { cameras: cameras.clone(), labels, within, score_min, after: None, limit: 5 };
        loop {
            let page = catalog.sightings(&query).await.expect("sightings");
            assert_eq!(page, judge.sightings(&query).await.expect("sightings"), "{query:?}");
            let Some(last) = page.last() else { break };
            query.after = Some(last.place());
        }
    }
}

/// What was written can be read in pieces, from anywhere.
async fn happenings_have_numbers(catalog: &dyn Catalog) {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let some = catalog.happenings(after, 7).await.expect("happenings");
        let Some(last) = some.last() else { break };
        assert!(some.first().is_some_and(|first| first.number > after), "{after}");
        after = last.number;
        all.extend(some);
    }
    assert!(all.len() > 50 && all.is_sorted_by(|a, b| a.number < b.number));
    assert_eq!(catalog.last_happening().await.expect("the last"), after);
    assert_eq!(catalog.happenings(after, 7).await.expect("nothing"), []);
}

/// Every object that has a row, in pages.
async fn every_object(catalog: &dyn Catalog, limit: usize) -> Vec<KnownObject> {
    let mut all = Vec::<KnownObject>::new();
    let mut after = String::new();
    loop {
        let page = catalog.objects(&after, limit).await.expect("objects");
        assert!(page.until.is_none() || !page.objects.is_empty(), "a page without an end has nothing");
        let in_order = page.objects.iter().map(|known| known.object.key.as_str());
        assert!(in_order.clone().is_sorted() && in_order.clone().all(|key| key > after.as_str()), "{after}");
        assert!(page.until.as_deref().is_none_or(|until| in_order.clone().all(|key| key <= until)), "{:?}", page.until);
        all.extend(page.objects);
        match page.until {
            Some(until) => after = until,
            None => break,
        }
    }
    all.sort_by_key(|known| known.object.identity());
    all
}

async fn marks_are_kept(catalog: &dyn Catalog) {
    assert_eq!(catalog.mark("a").await.expect("no mark"), None);
    for text in ["one", "", "'two'"] {
        catalog.set_mark("a", text).await.expect("a mark");
        catalog.set_mark("b", "other").await.expect("another mark");
        assert_eq!(catalog.mark("a").await.expect("a mark").as_deref(), Some(text));
    }
}

/// What is kept is there, in order and a page at a time, until it is released.
async fn holds_are_kept(judge: &dyn Catalog, catalog: &dyn Catalog, footage: &mut Footage, chunks: i64) {
    let mut ids = Vec::new();
    for n in 0..24 {
        let within = footage.stretch(chunks);
        let camera = Footage::camera(footage.random.usize(0..4));
        let hold = Hold {
            id: format!("hold-{}", footage.random.u32(..)),
            within: Interval { to: within.to + SignedDuration::from_micros(1), ..within },
            camera,
            reason: if n % 5 == 0 { String::new() } else { format!("'{n}'; ä \u{1F3A5} -- %_") },
            // Some of them at the same time.
            created: footage.at(n / 3),
            created_by: (n % 2 == 0).then(|| format!("token-{n}")),
        };
        for catalog in [judge, catalog] {
            catalog.hold(&Hold { reason: "another".to_owned(), ..hold.clone() }).await.expect("a hold");
            catalog.hold(&hold).await.expect("a hold again");
        }
        ids.push(hold.id);
    }
    let whose = |camera: Option<usize>, site: usize| Whose {
        camera: camera.map(|n| Footage::camera(n).camera),
        site: Footage::camera(site).site,
    };
    for round in 0..3 {
        for among in [None, Some(vec![]), Some(vec![whose(None, 0)]), Some(vec![whose(Some(1), 1), whose(Some(2), 0)])]
        {
            for within in [Interval::ALWAYS, footage.stretch(chunks), footage.stretch(chunks)] {
                let mut query = HoldQuery { among: among.clone(), within, after: None, limit: 3 };
                loop {
                    let page = catalog.holds(&query).await.expect("holds");
                    assert_eq!(page, judge.holds(&query).await.expect("holds"), "{query:?}");
                    let Some(last) = page.last() else { break };
                    query.after = Some(last.place());
                }
            }
        }
        let gone = ids.swap_remove(round);
        for catalog in [judge, catalog] {
            assert_eq!(catalog.held(&gone).await.expect("a hold").map(|hold| hold.id).as_ref(), Some(&gone));
            for _ in 0..2 {
                catalog.release(&gone).await.expect("released");
            }
            assert_eq!(catalog.held(&gone).await.expect("no hold"), None);
        }
    }
    for id in &ids {
        assert_eq!(catalog.held(id).await.expect("a hold"), judge.held(id).await.expect("a hold"));
    }
}

/// Of a chunk's two versions the newer one is removed: the other one is found, before and after the record that comes again.
async fn the_version_before_is_the_newest_again(catalog: &dyn Catalog, footage: &mut Footage, chunks: i64) {
    let camera = Footage::camera(1);
    let ms = (chunks * 200) * CHUNK_MS;
    let first = footage.chunk(&camera, ms, 0, "1").remove(0);
    let second = footage.chunk(&camera, ms, 0, "2").remove(0);
    let ObjectRef { provider, bucket, key, version } = second.data.object().clone();
    let removed = ObjectRemoved {
        provider,
        bucket,
        key: key.clone(),
        version: Some(version),
        sequence: "second".to_owned(),
        removal: Removal::Deleted,
        cause: None,
        time: second.time.checked_add(SignedDuration::from_mins(5)).unwrap_or_default(),
    };
    let record = |record: &Record| Change::Record(Box::new(record.clone()));
    let steps =
        [(record(&first), "1"), (record(&second), "2"), (Change::Removed(removed), "1"), (record(&second), "1")];
    for (change, version) in steps {
        catalog.apply(&[change]).await.expect("one at a time");
        let row = catalog.chunk(&key).await.expect("a chunk").expect("one of them is there");
        assert_eq!(row.chunk.object.version, version);
        let briefs = catalog.briefs(&camera, Interval { from: row.from, to: row.to }, 10).await.expect("briefs");
        assert_eq!(briefs.iter().map(|brief| brief.object.version.as_str()).collect::<Vec<_>>(), [version]);
    }
}

/// An object that is removed, and the same bytes put again under its key: the removal takes what was there before, in whatever
/// order all of it comes.
async fn put_again(catalog: &dyn Catalog, footage: &mut Footage, chunks: i64) {
    let camera = Footage::camera(2);
    // Behind all else, so that its sightings are its own.
    let ms = (chunks * 100) * CHUNK_MS;
    let later = |mut record: Record| {
        record.time = record.time.checked_add(SignedDuration::from_mins(10)).unwrap_or(record.time);
        record
    };
    for round in 0_i64..12 {
        let records = footage.chunk(&camera, ms + round * 60_000, round.unsigned_abs(), "1");
        let again: Vec<Record> = records.iter().cloned().map(later).collect();
        let ObjectRef { provider, bucket, key, version } = records[0].data.object().clone();
        let removed = ObjectRemoved {
            provider,
            bucket,
            key: key.clone(),
            version: Some(version),
            sequence: "first".to_owned(),
            removal: Removal::Deleted,
            cause: None,
            time: records[0].time.checked_add(SignedDuration::from_mins(5)).unwrap_or_default(),
        };
        let mut changes: Vec<Change> =
            records.into_iter().chain(again.clone()).map(|record| Change::Record(Box::new(record))).collect();
        changes.push(Change::Removed(removed));
        footage.random.shuffle(&mut changes);
        let judge = MemoryCatalog::default();
        for change in changes {
            judge.apply(std::slice::from_ref(&change)).await.expect("memory takes everything");
            catalog.apply(&[change]).await.expect("one at a time");
        }
        let row = catalog.chunk(&key).await.expect("a chunk").expect("it was put again");
        assert_eq!(row.time, again[0].time, "round {round}");
        assert_eq!(judge.chunk(&key).await.expect("a chunk"), Some(row.clone()));
        let within = Interval { from: row.from, to: row.to };
        let looks = catalog.looks(&camera, within, 10).await.expect("looks");
        assert_eq!(looks, judge.looks(&camera, within, 10).await.expect("looks"), "round {round}");
        let seen = SightingQuery {
            cameras: Some(vec![camera.clone()]),
            labels: vec![],
            within,
            score_min: 0.0,
            after: None,
            limit: 100,
        };
        let sightings = catalog.sightings(&seen).await.expect("sightings");
        assert_eq!(sightings, judge.sightings(&seen).await.expect("sightings"), "round {round}");
    }
}

/// Objects that go take their rows with them.
async fn everything_can_go(catalog: &dyn Catalog, changes: &[Change]) {
    let removals = changes.iter().filter_map(|change| match change {
        Change::Record(record) => {
            let ObjectRef { provider, bucket, key, version } = record.data.object().clone();
            Some(Change::Removed(ObjectRemoved {
                provider,
                bucket,
                key,
                sequence: version.clone(),
                version: Some(version),
                removal: Removal::Deleted,
                cause: None,
                time: record.time,
            }))
        }
        Change::Removed(_) => None,
    });
    catalog.apply(&removals.collect::<Vec<_>>()).await.expect("removals");
    assert_eq!(catalog.cameras().await.expect("cameras"), []);
    let all = SightingQuery {
        cameras: None,
        labels: vec![],
        within: Interval::ALWAYS,
        score_min: 0.0,
        after: None,
        limit: 10,
    };
    assert_eq!(catalog.sightings(&all).await.expect("sightings"), []);
    let gone = catalog.removed(&Footage::camera(0), Interval::ALWAYS, 1000).await.expect("removed");
    let keys: BTreeSet<&str> = changes
        .iter()
        .filter_map(|change| match change {
            Change::Record(record) => Some(record.data.object().key.as_str()),
            Change::Removed(_) => None,
        })
        .collect();
    let named = keys.into_iter().filter_map(RemovedChunk::named_by);
    let mut starts: Vec<Timestamp> =
        named.filter(|(name, _)| *name == Footage::camera(0)).map(|(_, from)| from).collect();
    starts.sort();
    assert_eq!(gone.iter().map(|chunk| chunk.from).collect::<Vec<_>>(), starts);
    // What comes late about them changes nothing.
    catalog.apply(changes).await.expect("late records");
    assert_eq!(catalog.cameras().await.expect("cameras"), []);
    catalog.forget_removals(Timestamp::MAX).await.expect("forgetting");
    catalog.apply(changes).await.expect("given again");
    assert_ne!(catalog.cameras().await.expect("cameras"), []);
}
