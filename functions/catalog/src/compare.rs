//! What the catalogue has, beside what is in the bucket.
//!
//! A message about a removal can be lost: the function was not there for longer than the cloud keeps messages, or somebody
//! removed a file by hand. So once a day each row is held against the bucket. Both are read in the order of keys, a thousand at
//! a time, and what has been compared is noted, so that a Lambda goes on where the one before stopped.
//!
//! - Rows are read before objects are listed. What is put in between has no row yet; what is removed in between is gone.
//! - What is younger than [`YOUNGEST`] is left out: word of it may be on its way.
//! - An object without a row is named in the log. `framepost replay probe` gives it one.

use framepost_events::ObjectKey;
use framepost_events::finalized::Provider;
use framepost_events::removed::{ObjectRemoved, Removal};
use framepost_ports::catalog::{Change, KnownObject};
use framepost_ports::{Catalog, Clock, Error, ErrorKind, ObjectListing, Result};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Keys that are compared at a time.
const PAGE: usize = 1000;
/// What came later than this is not compared.
const YOUNGEST: SignedDuration = SignedDuration::from_hours(1);
/// How often all of it is compared.
const EVERY: SignedDuration = SignedDuration::from_hours(20);
/// For how long one step compares. A Lambda of this function has a minute.
const STEP: Duration = Duration::from_secs(30);
/// Objects without a row that are named each time.
const NAMED: usize = 20;
/// Under which name the catalogue keeps how far this is.
const MARK: &str = "compared";

/// A bucket that can be listed.
#[derive(Clone)]
pub struct Bucket {
    /// Lists its objects, whose events are compared with the catalogue's rows.
    pub listing: Arc<dyn ObjectListing>,
    /// The cloud that stores it.
    pub provider: Provider,
    /// The bucket's name, as events and rows have it.
    pub name: String,
}

/// How far a comparison has come, as it is kept between steps.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mark {
    /// Up to this key.
    After(String),
    /// All of it, at this time.
    Done(Timestamp),
}

/// What one step found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Objects that are gone, whose rows went.
    pub gone: u64,
    /// Objects that have no row.
    pub without_row: u64,
    /// The first of those.
    pub named: Vec<String>,
    /// Whether all of the bucket has been compared.
    pub progress: Progress,
}

/// Whether there is more to compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// A later step goes on.
    #[default]
    Part,
    /// The end was reached, or was so lately.
    Whole,
}

/// Compares for half a minute at most, from where the last step stopped.
pub async fn step(catalog: &dyn Catalog, bucket: &Bucket, clock: &dyn Clock) -> Result<Compared> {
    let began = clock.monotonic();
    let now = clock.now();
    let mut compared = Compared::default();
    let mark = catalog.mark(MARK).await?.and_then(|text| serde_json::from_str(&text).ok());
    let mut after = match mark {
        Some(Mark::Done(at)) if now.duration_since(at) < EVERY => {
            compared.progress = Progress::Whole;
            return Ok(compared);
        }
        Some(Mark::After(key)) => key,
        Some(Mark::Done(_)) | None => String::new(),
    };
    loop {
        let mark = match page(catalog, bucket, now, &after, &mut compared).await? {
            Some(key) => Mark::After(key),
            None => Mark::Done(now),
        };
        let text = serde_json::to_string(&mark).unwrap_or_default();
        catalog.set_mark(MARK, &text).await?;
        match mark {
            Mark::Done(_) => {
                compared.progress = Progress::Whole;
                return Ok(compared);
            }
            Mark::After(key) => after = key,
        }
        if clock.monotonic().saturating_sub(began) > STEP {
            return Ok(compared);
        }
    }
}

/// Compares the next keys. Returns the last of them; `None` at the end.
async fn page(
    catalog: &dyn Catalog,
    bucket: &Bucket,
    now: Timestamp,
    after: &str,
    compared: &mut Compared,
) -> Result<Option<String>> {
    let known = catalog.objects(after, PAGE).await?;
    let there = bucket.listing.list("", after, PAGE).await?;
    if after.is_empty() && there.is_empty() && !known.objects.is_empty() {
        // A disk that is not mounted, another directory: nothing that anybody would want to lose the catalogue by.
        let what = "the bucket is empty and the catalogue is not: is it the right bucket?";
        return Err(Error::new(ErrorKind::NotFound, "compare", &bucket.name).because(what));
    }
    // Up to where both are complete.
    let listed_until = there.last().filter(|_| there.len() >= PAGE).map(|there| there.key.clone());
    let end = known.until.into_iter().chain(listed_until).min();
    let is_within = |key: &String| end.as_ref().is_none_or(|end| key <= end);
    let is_old = |time: Timestamp| now.duration_since(time) > YOUNGEST;
    let present: BTreeSet<&String> = there.iter().map(|there| &there.key).collect();
    let is_gone = |known: &&KnownObject| {
        let object = &known.object;
        let is_of_it = object.provider == bucket.provider && object.bucket == bucket.name;
        is_of_it && is_within(&object.key) && is_old(known.time) && !present.contains(&object.key)
    };
    let gone: Vec<Change> =
        known.objects.iter().filter(is_gone).map(|known| Change::Removed(removal(known, now))).collect();
    if !gone.is_empty() {
        catalog.apply(&gone).await?;
    }
    compared.gone += count(gone.len());
    let with_row: BTreeSet<&String> = known.objects.iter().map(|known| &known.object.key).collect();
    for there in there.iter().filter(|there| is_within(&there.key) && is_old(there.time)) {
        // Reports, exports and whatever else is there have none.
        if !with_row.contains(&there.key) && there.key.parse::<ObjectKey>().is_ok() {
            compared.without_row += 1;
            if compared.named.len() < NAMED {
                compared.named.push(there.key.clone());
            }
        }
    }
    Ok(end)
}

fn count(objects: usize) -> u64 {
    u64::try_from(objects).unwrap_or(u64::MAX)
}

/// What nobody said: that the object is gone.
fn removal(known: &KnownObject, now: Timestamp) -> ObjectRemoved {
    let KnownObject { object, time } = known.clone();
    ObjectRemoved {
        provider: object.provider,
        bucket: object.bucket,
        key: object.key,
        sequence: format!("compared-{}", time.as_microsecond()),
        version: Some(object.version),
        removal: Removal::Deleted,
        cause: None,
        // It is not known when, but no later than now. Whatever was put lately, the same bytes included, is not meant.
        time: now.checked_sub(YOUNGEST).unwrap_or(time),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use framepost_events::ObjectFinalized;
    use framepost_events::record::ObjectRef;
    use framepost_ports::catalog::{ChunkQuery, Interval, Order};
    use framepost_ports::contract::Footage;
    use framepost_ports::memory::{MemoryCatalog, SimulatedClock};
    use std::sync::Mutex;

    /// A bucket, and what happens in it while it is listed.
    #[derive(Default)]
    struct Listed {
        objects: Mutex<Vec<ObjectFinalized>>,
        pages: Mutex<u32>,
    }

    #[async_trait]
    impl ObjectListing for Listed {
        async fn list(&self, prefix: &str, after: &str, max: usize) -> Result<Vec<ObjectFinalized>> {
            *self.pages.lock().unwrap() += 1;
            let objects = self.objects.lock().unwrap();
            let mut found: Vec<ObjectFinalized> =
                objects.iter().filter(|one| one.key.starts_with(prefix) && one.key.as_str() > after).cloned().collect();
            found.sort_by(|a, b| a.key.cmp(&b.key));
            found.truncate(max);
            Ok(found)
        }
    }

    fn finalized(object: &ObjectRef, time: Timestamp) -> ObjectFinalized {
        ObjectFinalized {
            provider: object.provider,
            bucket: object.bucket.clone(),
            key: object.key.clone(),
            version: object.version.clone(),
            size: Some(1),
            time,
            media_link: None,
            region: None,
            read_version: None,
        }
    }

    async fn keys(catalog: &MemoryCatalog) -> BTreeSet<String> {
        let query = ChunkQuery {
            cameras: None,
            within: Interval::ALWAYS,
            order: Order::OldestFirst,
            after: None,
            limit: 10_000,
        };
        catalog.chunks(&query).await.unwrap().into_iter().map(|row| row.chunk.object.key).collect()
    }

    #[tokio::test]
    async fn what_is_gone_loses_its_rows_and_what_has_none_is_named() {
        let mut footage = Footage::new(4);
        let catalog = MemoryCatalog::default();
        let listed = Arc::new(Listed::default());
        let mut expected = BTreeSet::new();
        let mut lost = 0;
        let mut unnamed = Vec::new();
        // More than a page, so that borders are in the middle of what is gone and of what has no row.
        for n in 0..2_600_i64 {
            let records = footage.chunk(&Footage::camera(0), n * 3_000, n.unsigned_abs(), "1");
            let object = records[0].data.object().clone();
            let is_there = n % 7 != 3;
            let has_row = n % 11 != 5;
            if has_row {
                let changes: Vec<Change> =
                    records.iter().map(|record| Change::Record(Box::new(record.clone()))).collect();
                catalog.apply(&changes).await.unwrap();
            }
            if is_there {
                listed.objects.lock().unwrap().push(finalized(&object, records[0].time));
            }
            match (is_there, has_row) {
                (true, true) => drop(expected.insert(object.key)),
                (false, true) => lost += 1,
                (true, false) => unnamed.push(object.key),
                (false, false) => {}
            }
        }
        // What is no footage has no row, and nobody misses it.
        let stray = ObjectRef { key: "exports/1/a.mp4".to_owned(), ..finalized_object(&listed) };
        listed.objects.lock().unwrap().push(finalized(&stray, Timestamp::UNIX_EPOCH));
        let bucket = Bucket { listing: listed.clone(), provider: Provider::Local, name: "footage".to_owned() };
        let clock = SimulatedClock::new("2026-11-25T00:00:00Z".parse().unwrap());
        let compared = step(&catalog, &bucket, &clock).await.unwrap();
        assert_eq!((compared.gone, compared.progress), (lost, Progress::Whole));
        assert_eq!(compared.without_row, u64::try_from(unnamed.len()).unwrap());
        assert!(compared.named.len() == NAMED && compared.named.iter().all(|key| unnamed.contains(key)));
        assert_eq!(keys(&catalog).await, expected);
        let pages = *listed.pages.lock().unwrap();
        assert_eq!(step(&catalog, &bucket, &clock).await.unwrap().progress, Progress::Whole);
        assert_eq!(*listed.pages.lock().unwrap(), pages, "once a day");
    }

    fn finalized_object(listed: &Listed) -> ObjectRef {
        let first = listed.objects.lock().unwrap()[0].clone();
        ObjectRef { provider: first.provider, bucket: first.bucket, key: first.key, version: first.version }
    }

    #[tokio::test]
    async fn an_empty_bucket_and_another_one_take_nothing() {
        let mut footage = Footage::new(4);
        let catalog = MemoryCatalog::default();
        let records = footage.chunk(&Footage::camera(0), 0, 0, "1");
        catalog.apply(&[Change::Record(Box::new(records[0].clone()))]).await.unwrap();
        let listed = Arc::new(Listed::default());
        let of = |name: &str| Bucket { listing: listed.clone(), provider: Provider::Local, name: name.to_owned() };
        let clock = SimulatedClock::new("2026-11-25T00:00:00Z".parse().unwrap());
        let error = step(&catalog, &of("footage"), &clock).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let mut stray = finalized(records[0].data.object(), Timestamp::UNIX_EPOCH);
        stray.key = "in/x.mkv".to_owned();
        listed.objects.lock().unwrap().push(stray);
        assert_eq!(step(&catalog, &of("another"), &clock).await.unwrap().gone, 0);
        assert_eq!(keys(&catalog).await.len(), 1);
        // What is young may be on its way.
        let clock = SimulatedClock::new(records[0].time);
        let catalog_of_today = MemoryCatalog::default();
        catalog_of_today.apply(&[Change::Record(Box::new(records[0].clone()))]).await.unwrap();
        assert_eq!(step(&catalog_of_today, &of("footage"), &clock).await.unwrap().gone, 0);
    }
}
