use crate::Result;
use crate::catalog::{
    Amount, CameraName, Catalog, Change, ChunkBrief, ChunkOutline, ChunkPlace, ChunkQuery, ChunkRow, GapRow, Happening,
    Hold, HoldQuery, Interval, KnownCamera, KnownObject, LookRow, Looked, ObjectPage, Order, RemovedChunk,
    SightingFold, SightingQuery, SightingRow, SpanEndRow,
};
use async_trait::async_trait;
use framepost_events::ObjectRemoved;
use framepost_events::record::{Data, GatewayReported, Model, ObjectRef, Record, RecordType as _};
use framepost_events::removed::Cause;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A catalogue in memory, which works out each answer from all that it was told: slow, and simple enough to be the judge of
/// the others.
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    told: Mutex<Told>,
    /// Number of batches that were applied.
    written: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Told {
    /// By identity of the object, type, and what else the record depends on.
    records: BTreeMap<(String, String, String), Record>,
    removals: Vec<ObjectRemoved>,
    /// When the last chunk became complete that a model looked at.
    models: BTreeMap<String, Timestamp>,
    reports: BTreeMap<String, GatewayReported>,
    happened: Vec<Record>,
    /// Ends of the video of chunks that were removed, by their keys.
    ends: BTreeMap<String, Timestamp>,
    holds: BTreeMap<String, Hold>,
    marks: BTreeMap<String, String>,
}

impl Told {
    fn record(&mut self, record: &Record) {
        let object = record.data.object();
        let mut of = String::new();
        match &record.data {
            Data::ChunkInferred(inferred) => {
                of = inferred.made_with().unwrap_or_default();
                let last = self.models.entry(of.clone()).or_insert(record.time);
                *last = (*last).max(record.time);
            }
            Data::GatewayReported(reported) => {
                let site = reported.report.site.to_string();
                let newer = |known: &GatewayReported| {
                    (known.report.at, &known.object.key) <= (reported.report.at, &reported.object.key)
                };
                if self.reports.get(&site).is_none_or(newer) {
                    self.reports.insert(site, (**reported).clone());
                }
                self.happened.push(record.clone());
                return;
            }
            _ => {}
        }
        if self.removals.iter().any(|removed| takes(removed, object, record.time)) {
            self.gone(record);
        } else {
            self.happened.push(record.clone());
            let known = self.records.entry((object.identity(), record.event_type.clone(), of));
            // The same bytes may be put again: what was said of the later put counts.
            known
                .and_modify(|known| {
                    if known.time <= record.time {
                        *known = record.clone();
                    }
                })
                .or_insert_with(|| record.clone());
        }
    }

    /// Notes the end of a chunk's video before its record is forgotten.
    fn gone(&mut self, record: &Record) {
        let Data::ChunkProbed(chunk) = &record.data else { return };
        let Some(row) = ChunkRow::new(record.time, (**chunk).clone()).filter(|row| row.camera().is_some()) else {
            return;
        };
        let end = self.ends.entry(chunk.object.key.clone()).or_insert(row.to);
        *end = row.to.max(*end);
    }

    fn removed(&self, camera: &CameraName) -> Vec<RemovedChunk> {
        let there: BTreeSet<String> = self.chunks().into_iter().map(|row| row.chunk.object.key).collect();
        let mut last = BTreeMap::<(Timestamp, &str), (Timestamp, Option<Cause>)>::new();
        for removal in self.removals.iter().filter(|removal| !there.contains(&removal.key)) {
            let Some((_, from)) = RemovedChunk::named_by(&removal.key).filter(|(name, _)| name == camera) else {
                continue;
            };
            let said = last.entry((from, &removal.key)).or_insert((removal.time, removal.cause));
            *said = (removal.time, removal.cause).max(*said);
        }
        let chunk = |((from, key), (at, cause)): ((Timestamp, &str), (Timestamp, Option<Cause>))| {
            let to = self.ends.get(key).copied().unwrap_or(from);
            RemovedChunk { from, to, at, cause }
        };
        last.into_iter().map(chunk).collect()
    }

    fn chunks(&self) -> Vec<ChunkRow> {
        let rows = self.records.values().filter_map(|record| match &record.data {
            Data::ChunkProbed(chunk) => ChunkRow::new(record.time, (**chunk).clone()),
            _ => None,
        });
        let mut newest = BTreeMap::<String, ChunkRow>::new();
        for row in rows.filter(|row| row.camera().is_some()) {
            let version = |row: &ChunkRow| (row.time, row.chunk.object.version.clone());
            let known = newest.entry(row.chunk.object.key.clone()).or_insert_with(|| row.clone());
            if version(known) < version(&row) {
                *known = row;
            }
        }
        let mut rows: Vec<ChunkRow> = newest.into_values().collect();
        rows.sort_by_key(place);
        rows
    }

    fn looks(&self, of: impl Fn(&CameraName) -> bool) -> Vec<LookRow> {
        let rows = self.records.values().filter_map(|record| match &record.data {
            Data::ChunkInferred(inferred) => LookRow::new(record.time, (**inferred).clone()),
            _ => None,
        });
        let mut rows: Vec<LookRow> = rows.filter(|row| row.camera().is_some_and(|camera| of(&camera))).collect();
        rows.sort_by_key(|row| (row.from, row.inferred.object.key.clone(), row.inferred.object.version.clone()));
        rows
    }

    /// The later, the newer.
    fn rank<'a>(&self, series: &'a str) -> (Option<Timestamp>, &'a str) {
        (self.models.get(series).copied(), series)
    }

    fn sightings(&self) -> Vec<SightingRow> {
        let looks = self.looks(|_| true);
        let mut series = BTreeMap::<(CameraName, String), Vec<&LookRow>>::new();
        for look in &looks {
            if let Some(camera) = look.camera() {
                series.entry((camera, look.series())).or_default().push(look);
            }
        }
        let mut rows = Vec::new();
        for ((camera, name), looks) in &series {
            let Some(last) = looks.last() else { continue };
            let mut fold = SightingFold::default();
            let mut made: Vec<_> = looks.iter().flat_map(|look| fold.take(&look.look())).collect();
            made.extend(fold.end());
            for sighting in made {
                let newer_looked = series.iter().any(|((other, other_name), looks)| {
                    other == camera
                        && self.rank(other_name) > self.rank(name)
                        && looks.iter().any(|look| look.from <= sighting.from && sighting.from < look.to)
                });
                if !newer_looked {
                    let model = Model { arm: None, ..last.inferred.model.clone() };
                    rows.push(SightingRow { camera: camera.clone(), model, series: name.clone(), sighting });
                }
            }
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.place()));
        rows
    }
}

/// Whether the record has a row of its own. One without a place in time or a camera is nowhere to be found.
fn has_row(record: &Record) -> bool {
    match &record.data {
        Data::ChunkProbed(chunk) => {
            ChunkRow::new(record.time, (**chunk).clone()).is_some_and(|row| row.camera().is_some())
        }
        Data::ChunkInferred(inferred) => {
            LookRow::new(record.time, (**inferred).clone()).is_some_and(|row| row.camera().is_some())
        }
        Data::SpanEnded(end) => CameraName::of(end.site.as_ref(), end.camera.as_ref()).is_some(),
        Data::GapRecorded(_) | Data::ObjectRejected(_) => true,
        Data::GatewayReported(_) => false,
    }
}

fn place(row: &ChunkRow) -> ChunkPlace {
    ChunkPlace { from: row.from, key: row.chunk.object.key.clone() }
}

fn takes(removed: &ObjectRemoved, object: &ObjectRef, time: Timestamp) -> bool {
    let same = (removed.provider, &removed.bucket, &removed.key) == (object.provider, &object.bucket, &object.key);
    same && removed.removes(&object.version, time)
}

impl MemoryCatalog {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn apply(&self, changes: &[Change]) -> Result<()> {
        let mut told = self.told();
        for change in changes {
            match change {
                Change::Record(record) => told.record(record),
                Change::Removed(removed) => {
                    let taken = |record: &Record| takes(removed, record.data.object(), record.time);
                    let records: Vec<Record> = told.records.values().filter(|record| taken(record)).cloned().collect();
                    for record in &records {
                        told.gone(record);
                    }
                    told.records.retain(|_, record| !taken(record));
                    told.removals.push(removed.clone());
                }
            }
        }
        drop(told);
        self.written.send_modify(|batches| *batches += 1);
        Ok(())
    }

    async fn cameras(&self) -> Result<Vec<KnownCamera>> {
        let told = self.told();
        let mut names: BTreeSet<CameraName> = told.looks(|_| true).iter().filter_map(LookRow::camera).collect();
        let chunks = told.chunks();
        names.extend(chunks.iter().filter_map(ChunkRow::camera));
        for record in told.records.values() {
            match &record.data {
                Data::GapRecorded(gap) => {
                    names.insert(CameraName { site: gap.gap.site.clone(), camera: gap.gap.camera.clone() });
                }
                Data::SpanEnded(end) => names.extend(CameraName::of(end.site.as_ref(), end.camera.as_ref())),
                _ => {}
            }
        }
        let known = names.into_iter().map(|name| {
            let mut of = chunks.iter().filter(|row| row.camera().as_ref() == Some(&name));
            let first = of.clone().next().map(|row| row.from);
            KnownCamera { first, last: of.next_back().map(ChunkRow::brief), name }
        });
        Ok(known.collect())
    }

    async fn briefs(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<ChunkBrief>> {
        let query =
            ChunkQuery { cameras: Some(vec![camera.clone()]), within, order: Order::OldestFirst, after: None, limit };
        Ok(self.chunks(&query).await?.iter().map(ChunkRow::brief).collect())
    }

    async fn outlines(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<ChunkOutline>> {
        Ok(self.briefs(camera, within, limit).await?.iter().map(ChunkBrief::outline).collect())
    }

    async fn recorded(&self, camera: &CameraName, within: &[Interval]) -> Result<Vec<Amount>> {
        let chunks = self.told().chunks();
        let of_camera = |row: &&ChunkRow| row.camera().as_ref() == Some(camera);
        let amount = |within: &Interval| {
            let rows = chunks.iter().filter(of_camera).filter(|row| within.from <= row.from && row.from < within.to);
            rows.fold(Amount::default(), |sum, row| Amount {
                chunks: sum.chunks + 1,
                length_us: sum.length_us
                    + u64::try_from(row.to.as_microsecond() - row.from.as_microsecond()).unwrap_or_default(),
                bytes: sum.bytes + row.chunk.size_bytes,
            })
        };
        Ok(within.iter().map(amount).collect())
    }

    async fn chunks(&self, query: &ChunkQuery) -> Result<Vec<ChunkRow>> {
        let mut rows = self.told().chunks();
        rows.retain(|row| {
            let wanted =
                row.camera().is_some_and(|camera| query.cameras.as_ref().is_none_or(|of| of.contains(&camera)));
            let is_next = query.after.as_ref().is_none_or(|after| match query.order {
                Order::OldestFirst => place(row) > *after,
                Order::NewestFirst => place(row) < *after,
            });
            wanted && is_next && query.within.meets(row.from, row.to)
        });
        if query.order == Order::NewestFirst {
            rows.reverse();
        }
        rows.truncate(query.limit);
        Ok(rows)
    }

    async fn chunk(&self, key: &str) -> Result<Option<ChunkRow>> {
        Ok(self.told().chunks().into_iter().find(|row| row.chunk.object.key == key))
    }

    async fn gaps(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<GapRow>> {
        let told = self.told();
        let rows = told.records.values().filter_map(|record| match &record.data {
            Data::GapRecorded(gap) => Some(GapRow::new(record.time, (**gap).clone())),
            _ => None,
        });
        let mut rows: Vec<GapRow> =
            rows.filter(|row| row.camera() == *camera && within.meets(row.gap.from, row.gap.to)).collect();
        rows.sort_by_key(|row| (row.gap.from, row.object.key.clone(), row.object.version.clone()));
        rows.truncate(limit);
        Ok(rows)
    }

    async fn removed(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<RemovedChunk>> {
        let mut chunks = self.told().removed(camera);
        chunks.retain(|chunk| within.meets(chunk.from, chunk.to));
        chunks.truncate(limit);
        Ok(chunks)
    }

    async fn span_ends(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<SpanEndRow>> {
        let told = self.told();
        let rows = told.records.values().filter_map(|record| match &record.data {
            Data::SpanEnded(end) => Some(SpanEndRow { time: record.time, end: (**end).clone() }),
            _ => None,
        });
        let mut rows: Vec<SpanEndRow> = rows
            .filter(|row| row.camera().as_ref() == Some(camera) && within.meets(row.end.end, row.end.end))
            .collect();
        rows.sort_by_key(|row| (row.end.end, row.end.object.key.clone(), row.end.object.version.clone()));
        rows.truncate(limit);
        Ok(rows)
    }

    async fn looks(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<LookRow>> {
        let told = self.told();
        let all = told.looks(|name| name == camera);
        let is_newest = |row: &&LookRow| {
            let better = |other: &&LookRow| {
                other.inferred.object.identity() == row.inferred.object.identity()
                    && other.from == row.from
                    && told.rank(&other.series()) > told.rank(&row.series())
            };
            !all.iter().any(|other| better(&other))
        };
        let shown = all.iter().filter(|row| within.meets(row.from, row.to)).filter(is_newest);
        Ok(shown.take(limit).cloned().collect())
    }

    async fn looked(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<Looked>> {
        let rows = self.looks(camera, within, limit).await?;
        Ok(rows.iter().map(|row| Looked { from: row.from, to: row.to, skipped: row.skipped() }).collect())
    }

    async fn sightings(&self, query: &SightingQuery) -> Result<Vec<SightingRow>> {
        let mut rows = self.told().sightings();
        rows.retain(|row| {
            let sighting = &row.sighting;
            query.cameras.as_ref().is_none_or(|of| of.contains(&row.camera))
                && (query.labels.is_empty() || query.labels.contains(&sighting.label))
                && sighting.from < query.within.to
                && sighting.to >= query.within.from
                && sighting.score >= query.score_min
                && query.after.as_ref().is_none_or(|after| row.place() < *after)
        });
        rows.truncate(query.limit);
        Ok(rows)
    }

    async fn seen(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<SightingRow>> {
        self.sightings(&SightingQuery::of(camera, within, limit)).await
    }

    async fn reports(&self) -> Result<Vec<GatewayReported>> {
        Ok(self.told().reports.values().cloned().collect())
    }

    async fn happenings(&self, after: i64, limit: usize) -> Result<Vec<Happening>> {
        let told = self.told();
        let numbered = (1..).zip(told.happened.iter()).skip_while(|(number, _)| *number <= after);
        Ok(numbered.take(limit).map(|(number, record)| Happening { number, record: record.clone() }).collect())
    }

    fn written(&self) -> Option<watch::Receiver<u64>> {
        Some(self.written.subscribe())
    }

    async fn last_happening(&self) -> Result<i64> {
        Ok(i64::try_from(self.told().happened.len()).unwrap_or(i64::MAX))
    }

    async fn forget_removals(&self, before: Timestamp) -> Result<()> {
        self.told().removals.retain(|removed| removed.time >= before);
        Ok(())
    }

    async fn hold(&self, hold: &Hold) -> Result<()> {
        self.told().holds.insert(hold.id.clone(), hold.clone());
        Ok(())
    }

    async fn held(&self, id: &str) -> Result<Option<Hold>> {
        Ok(self.told().holds.get(id).cloned())
    }

    async fn holds(&self, query: &HoldQuery) -> Result<Vec<Hold>> {
        let mut holds: Vec<Hold> = self.told().holds.values().cloned().collect();
        holds.retain(|hold| {
            query.among.as_ref().is_none_or(|among| among.iter().any(|whose| whose.has(&hold.camera)))
                && hold.within.from < query.within.to
                && hold.within.to > query.within.from
                && query.after.as_ref().is_none_or(|after| hold.place() < *after)
        });
        holds.sort_by_key(|hold| std::cmp::Reverse(hold.place()));
        holds.truncate(query.limit);
        Ok(holds)
    }

    async fn release(&self, id: &str) -> Result<()> {
        self.told().holds.remove(id);
        Ok(())
    }

    async fn objects(&self, after: &str, limit: usize) -> Result<ObjectPage> {
        let told = self.told();
        let mut by_key = BTreeMap::<&str, BTreeMap<String, KnownObject>>::new();
        for record in told.records.values().filter(|record| has_row(record)) {
            let object = record.data.object();
            if object.key.as_str() <= after {
                continue;
            }
            let new = || KnownObject { object: object.clone(), time: record.time };
            let known = by_key.entry(&object.key).or_default().entry(object.identity()).or_insert_with(new);
            known.time = known.time.max(record.time);
        }
        let is_more = by_key.len() > limit;
        let page: Vec<_> = by_key.into_iter().take(limit).collect();
        let until = page.last().filter(|_| is_more).map(|(key, _)| (*key).to_owned());
        Ok(ObjectPage { objects: page.into_iter().flat_map(|(_, versions)| versions.into_values()).collect(), until })
    }

    async fn mark(&self, name: &str) -> Result<Option<String>> {
        Ok(self.told().marks.get(name).cloned())
    }

    async fn set_mark(&self, name: &str, text: &str) -> Result<()> {
        self.told().marks.insert(name.to_owned(), text.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract;
    use std::sync::Arc;

    #[tokio::test]
    async fn it_keeps_the_contract() {
        contract::catalog(Arc::new(MemoryCatalog::default()), Arc::new(MemoryCatalog::default())).await;
    }
}
