//! Writes changes as rows.

use crate::about::{About, json, length_us, may_come_again, place, plain};
use crate::batch::{Insert, OfObject, Waiting, one_of, wait};
use crate::build::{self, Touched};
use crate::executor::{Asked, Executor, Value, row, values};
use crate::hours::{self, Changed, hour_of};
use crate::known::{Ids, Removals};
use crate::removal;
use framepost_events::ObjectRemoved;
use framepost_events::record::{Data, GatewayReported, ObjectRef, Record};
use framepost_ports::catalog::{CameraName, Change, ChunkRow, LookRow, RemovedChunk, SightingFold};
use framepost_ports::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// What one transaction writes, and what it has learnt of the rows that are there.
struct Writing<'a, E> {
    db: &'a mut E,
    removals: Removals,
    ids: Ids,
    /// Records that are not on the list of records written yet.
    happenings: Vec<Vec<Value>>,
    chunks: Waiting<OfObject>,
    /// Gaps, the ends of spans and rejects, by table.
    plain: [Waiting<OfObject>; 3],
    /// Looks by object and series, with the id of their camera and their JSON.
    looks: BTreeMap<(OfObject, i64), (i64, LookRow, String)>,
    /// Changed looks, by ids of camera and series.
    touched: BTreeMap<(i64, i64), Touched>,
    /// Hours in which chunks or looks changed.
    hours: Changed,
}

/// Applies the changes. The caller commits, or rolls back if this fails.
pub(crate) async fn apply(db: &mut impl Executor, changes: &[Change]) -> Result<()> {
    let abouts: Vec<About> = changes.iter().map(About::of).collect();
    let removals = Removals::of(db, changes).await?;
    let ids = Ids::of(db, &removals, changes, &abouts).await?;
    let mut writing = Writing {
        db,
        removals,
        ids,
        happenings: Vec::new(),
        chunks: BTreeMap::new(),
        plain: Default::default(),
        looks: BTreeMap::new(),
        touched: BTreeMap::new(),
        hours: Changed::new(),
    };
    for (change, about) in changes.iter().zip(abouts) {
        match change {
            Change::Record(record) => writing.record(record, about).await?,
            Change::Removed(removed) => writing.removed(removed).await?,
        }
    }
    writing.flush().await?;
    let Writing { db, touched, mut hours, .. } = writing;
    hours.append(&mut build::sightings(db, touched).await?);
    let Some(now_us) = changes.iter().map(time_us).max() else { return Ok(()) };
    hours::mark(db, hours, now_us).await?;
    hours::pack(db, now_us, hours::PACKED_PER_BATCH).await.map(|_| ())
}

/// Returns when the object became complete, or was removed, in µs.
fn time_us(change: &Change) -> i64 {
    match change {
        Change::Record(record) => record.time.as_microsecond(),
        Change::Removed(removed) => removed.time.as_microsecond(),
    }
}

/// The JSON of a record's data, of which the record's own ends.
fn data_of(record: &str) -> Result<&str> {
    // Within a text the quotes would have backslashes before them.
    let data = record.split_once(",\"data\":").and_then(|(_, data)| data.strip_suffix('}'));
    data.ok_or_else(|| Error::new(ErrorKind::Invalid, "write", "the catalogue").because("a record without data"))
}

/// Asks which versions of these keys have rows, and where.
async fn ask_for_versions(
    db: &mut impl Executor,
    keys: &BTreeMap<String, BTreeSet<(String, String)>>,
) -> Result<Vec<Asked>> {
    let keys = keys.keys().map(|key| row![key.as_str()]).collect();
    let mut asked = Vec::new();
    for (among, values) in one_of(db.dialect(), "key text", keys) {
        let sql = format!("SELECT key, place, version, camera, from_us FROM chunk WHERE {among}");
        asked.push(db.ask_with(&sql, values).await?);
    }
    Ok(asked)
}

/// Marks the newest version of each key, and unmarks the others.
async fn mark_newest(db: &mut impl Executor, keys: Vec<String>) -> Result<()> {
    let keys = keys.into_iter().map(|key| row![key]).collect();
    for (among, values) in one_of(db.dialect(), "key text", keys) {
        let sql = format!(
            "UPDATE chunk SET newest = CASE WHEN EXISTS (SELECT 1 FROM chunk other WHERE other.key = chunk.key
                AND (other.time_us, other.version) > (chunk.time_us, chunk.version)) THEN 0 ELSE 1 END
            WHERE {among}"
        );
        db.execute_with(&sql, values).await?;
    }
    Ok(())
}

/// The word of a unit variant.
fn word(value: &impl Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Some(word),
        _ => None,
    }
}

/// A table of intervals or rejects, with a record for each.
#[derive(Debug, Clone, Copy)]
enum Plain {
    Gap,
    SpanEnd,
    Reject,
}

const PLAIN: [Plain; 3] = [Plain::Gap, Plain::SpanEnd, Plain::Reject];

impl Plain {
    fn insert(self) -> Insert {
        match self {
            Self::Gap => Insert {
                table: "gap",
                columns: "camera bigint, from_us bigint, to_us bigint, key text, place text, version text, time_us
                    bigint, record text",
                rest: "ON CONFLICT (key, place, version) DO UPDATE SET camera = excluded.camera, from_us = excluded.from_us,
                    to_us = excluded.to_us, time_us = excluded.time_us, record = excluded.record
                    WHERE excluded.time_us >= gap.time_us",
            },
            Self::SpanEnd => Insert {
                table: "span_end",
                columns: "camera bigint, from_us bigint, to_us bigint, key text, place text, version text, time_us
                    bigint, record text",
                rest: "ON CONFLICT (key, place, version) DO UPDATE SET camera = excluded.camera, from_us = excluded.from_us,
                    to_us = excluded.to_us, time_us = excluded.time_us, record = excluded.record
                    WHERE excluded.time_us >= span_end.time_us",
            },
            Self::Reject => Insert {
                table: "reject",
                columns: "key text, place text, version text, time_us bigint, record text",
                rest: "ON CONFLICT (key, place, version) DO UPDATE SET record = excluded.record, time_us = excluded.time_us
                    WHERE excluded.time_us >= reject.time_us",
            },
        }
    }
}

const HAPPENING: Insert = Insert { table: "happening", columns: "record text", rest: "" };

const CHUNK: Insert = Insert {
    table: "chunk",
    columns: "camera bigint, from_us bigint, to_us bigint, key text, place text, version text, time_us bigint,
        seconds float8, size_bytes bigint, init_bytes bigint, media_end bigint, timescale bigint, sample_entry text,
        codec text, audio_codec text, random_access bigint, activity float8, signature text, content text, chain
        text, newest bigint, record text",
    rest: "ON CONFLICT (key, place, version) DO UPDATE SET
        camera = excluded.camera, from_us = excluded.from_us, to_us = excluded.to_us, time_us = excluded.time_us,
        seconds = excluded.seconds, size_bytes = excluded.size_bytes, init_bytes = excluded.init_bytes,
        media_end = excluded.media_end, timescale = excluded.timescale, sample_entry = excluded.sample_entry,
        codec = excluded.codec, audio_codec = excluded.audio_codec, random_access = excluded.random_access,
        activity = excluded.activity, signature = excluded.signature, content = excluded.content,
        chain = excluded.chain, record = excluded.record
        WHERE excluded.time_us >= chunk.time_us",
};

/// What the same model says of the same bytes with the same settings is the same. Only when they were put may differ.
const LOOK: Insert = Insert {
    table: "look",
    columns: "camera bigint, series bigint, from_us bigint, to_us bigint, key text, place text, version text,
        time_us bigint, skipped text, record text",
    rest: "ON CONFLICT (key, place, version, series) DO UPDATE SET time_us = excluded.time_us
        WHERE excluded.time_us > look.time_us RETURNING key, place, version, series",
};

/// An object as the rows about it name it.
fn of_object(object: &ObjectRef) -> OfObject {
    (plain(&object.key), place(object), object.version.clone())
}

impl<E: Executor> Writing<'_, E> {
    async fn record(&mut self, record: &Record, about: About) -> Result<()> {
        let time = record.time;
        if let Data::GatewayReported(reported) = &record.data {
            if !self.removals.apply_to(&reported.object, time) {
                self.happenings.push(row![json(record)?]);
            }
            return self.report(reported).await;
        }
        if self.removals.apply_to(record.data.object(), time) {
            match &about {
                // The model did look, whatever became of the chunk.
                About::Look(look, series) => {
                    self.ids.series(self.db, look, series).await?;
                }
                About::Chunk(chunk) => {
                    if let Some(name) = chunk.camera() {
                        self.ids.camera(self.db, &name, length_us(chunk.from, chunk.to)).await?;
                        removal::note_end(self.db, &chunk.chunk.object, chunk.to).await?;
                    }
                }
                About::Interval(_) | About::Other => {}
            }
            return Ok(());
        }
        let text = json(record)?;
        let data = data_of(&text)?.to_owned();
        self.happenings.push(row![text]);
        match (&record.data, about) {
            (Data::GapRecorded(gap), About::Interval(camera)) => {
                self.interval(Plain::Gap, &camera, [gap.gap.from, gap.gap.to], &gap.object, time, data).await
            }
            (Data::SpanEnded(end), About::Interval(camera)) => {
                self.interval(Plain::SpanEnd, &camera, [end.end, end.end], &end.object, time, data).await
            }
            (Data::ObjectRejected(rejected), _) => {
                let of = of_object(&rejected.object);
                let row = row![of.0.as_str(), of.1.as_str(), of.2.as_str(), time, data];
                wait(&mut self.plain[Plain::Reject as usize], of, time.as_microsecond(), row);
                Ok(())
            }
            (_, About::Chunk(chunk)) => self.chunk(&chunk, data).await,
            (_, About::Look(look, series)) => self.look(look, &series, data).await,
            (_, About::Interval(_) | About::Other) => Ok(()),
        }
    }

    /// Adds the row of a chunk, whose data have this JSON.
    async fn chunk(&mut self, row: &ChunkRow, data: String) -> Result<()> {
        let Some(name) = row.camera() else { return Ok(()) };
        let object = &row.chunk.object;
        let camera = self.ids.camera(self.db, &name, length_us(row.from, row.to)).await?;
        self.hours.insert((camera, hour_of(row.from.as_microsecond())));
        let brief = row.brief();
        let of = of_object(object);
        let values = row![
            camera,
            row.from,
            row.to,
            object.key.as_str(),
            of.1.as_str(),
            object.version.as_str(),
            row.time,
            brief.seconds,
            brief.size_bytes,
            brief.init_bytes,
            brief.media_end,
            brief.timescale,
            brief.sample_entry_digest.map(|digest| digest.to_string()),
            brief.codec,
            brief.audio_codec,
            brief.starts_with_random_access,
            brief.activity,
            word(&brief.signature),
            word(&brief.content),
            word(&brief.chain),
            1_i64,
            data,
        ];
        wait(&mut self.chunks, of, row.time.as_microsecond(), values);
        Ok(())
    }

    /// Adds a row of a table of intervals and their records.
    async fn interval(
        &mut self,
        table: Plain,
        name: &CameraName,
        [from, to]: [Timestamp; 2],
        object: &ObjectRef,
        time: Timestamp,
        record: String,
    ) -> Result<()> {
        let camera = self.ids.camera(self.db, name, 0).await?;
        let of = of_object(object);
        let row = row![camera, from, to, of.0.as_str(), of.1.as_str(), of.2.as_str(), time, record];
        wait(&mut self.plain[table as usize], of, time.as_microsecond(), row);
        Ok(())
    }

    /// Adds a look, whose data have this JSON.
    async fn look(&mut self, row: LookRow, series: &str, data: String) -> Result<()> {
        let series = self.ids.series(self.db, &row, series).await?;
        let Some(name) = row.camera() else { return Ok(()) };
        let camera = self.ids.camera(self.db, &name, length_us(row.from, row.to)).await?;
        match self.looks.entry((of_object(&row.inferred.object), series)) {
            Entry::Vacant(place) => {
                place.insert((camera, row, data));
            }
            Entry::Occupied(mut there) => {
                let there = &mut there.get_mut().1;
                there.time = there.time.max(row.time);
            }
        }
        Ok(())
    }

    /// Writes the rows that wait, in statements of 64, 8 or 1 rows. Fails with the first error of the database.
    async fn flush(&mut self) -> Result<()> {
        HAPPENING.write(self.db, std::mem::take(&mut self.happenings)).await?;
        let chunks = std::mem::take(&mut self.chunks);
        let mut versions = BTreeMap::<String, BTreeSet<(String, String)>>::new();
        for (key, place, version) in chunks.keys().cloned() {
            versions.entry(key).or_default().insert((place, version));
        }
        let before = ask_for_versions(self.db, &versions).await?;
        CHUNK.write(self.db, chunks.into_values().map(|(_, row)| row)).await?;
        for table in PLAIN {
            let rows = std::mem::take(&mut self.plain[table as usize]);
            table.insert().write(self.db, rows.into_values().map(|(_, row)| row)).await?;
        }
        self.write_looks().await?;
        for asked in before {
            for row in self.db.answer(asked).await? {
                // It may have another start now, or not be the newest any more.
                self.hours.insert((row.int(3)?, hour_of(row.int(4)?)));
                let [key, place, version] = [row.text(0)?, row.text(1)?, row.text(2)?].map(str::to_owned);
                versions.entry(key).or_default().insert((place, version));
            }
        }
        // Most keys have one version, whose row is right as it was inserted.
        let several = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
        mark_newest(self.db, several.map(|(key, _)| key).collect()).await
    }

    /// Writes the looks that wait, and notes which of them changed something.
    async fn write_looks(&mut self) -> Result<()> {
        let mut looks = std::mem::take(&mut self.looks);
        let row = |((of, series), (camera, row, data)): (&(OfObject, i64), &mut (i64, LookRow, String))| {
            let skipped = row.skipped().and_then(|why| word(&why));
            let [key, place, version] = [&of.0, &of.1, &of.2].map(String::as_str);
            let data = std::mem::take(data);
            row![*camera, *series, row.from, row.to, key, place, version, row.time, skipped, data]
        };
        let rows: Vec<Vec<Value>> = looks.iter_mut().map(row).collect();
        for asked in LOOK.ask(self.db, rows).await? {
            for changed in self.db.answer(asked).await? {
                let texts = [changed.text(0)?, changed.text(1)?, changed.text(2)?].map(str::to_owned);
                let series = changed.int(3)?;
                let Some((camera, row, _)) = looks.remove(&(texts.into(), series)) else { continue };
                let object = &row.inferred.object;
                self.hours.insert((camera, hour_of(row.from.as_microsecond())));
                let at = (row.from.as_microsecond(), object.key.clone(), object.version.clone());
                self.touched.entry((camera, series)).or_default().new.insert(at, row);
            }
        }
        Ok(())
    }

    async fn report(&mut self, reported: &GatewayReported) -> Result<()> {
        let sql =
            "INSERT INTO report (site, at_us, key, record) VALUES ($1, $2, $3, $4) ON CONFLICT (site) DO UPDATE SET
                at_us = excluded.at_us, key = excluded.key, record = excluded.record
            WHERE (excluded.at_us, excluded.key) >= (report.at_us, report.key)";
        let report = &reported.report;
        let values = values![report.site.as_str(), report.at, plain(&reported.object.key), json(reported)?];
        self.db.execute(sql, values).await
    }

    async fn removed(&mut self, removed: &ObjectRemoved) -> Result<()> {
        self.flush().await?;
        self.removals.add(removed);
        let key = plain(&removed.key);
        let of = format!("{}/{}", removed.provider, removed.bucket);
        let version = removed.version.clone().unwrap_or_default();
        let which = "WHERE key = $1 AND place = $2
            AND ((version = $3 AND (time_us <= $4 OR $5 = 0)) OR ($3 = '' AND time_us <= $4))";
        let again = may_come_again(removed.provider);
        let values = values![key.as_str(), of.as_str(), version.as_str(), removed.time, again];
        // Of all versions: another one may be the newest afterwards.
        for row in self.db.query("SELECT camera, from_us FROM chunk WHERE key = $1", values![key.as_str()]).await? {
            self.hours.insert((row.int(0)?, hour_of(row.int(1)?)));
        }
        let mut to_us = None;
        for row in self.db.query(&format!("DELETE FROM chunk {which} RETURNING to_us"), values).await? {
            to_us = to_us.max(Some(row.int(0)?));
        }
        for table in ["gap", "span_end", "reject"] {
            self.db.execute(&format!("DELETE FROM {table} {which}"), values).await?;
        }
        let chunk = match RemovedChunk::named_by(&removed.key) {
            Some((name, from)) => Some((self.ids.camera(self.db, &name, 0).await?, from)),
            None => None,
        };
        removal::note(self.db, removed, chunk, to_us).await?;
        mark_newest(self.db, vec![key]).await?;
        let sql = format!("DELETE FROM look {which} RETURNING camera, series, from_us, version");
        for row in self.db.query(&sql, values).await? {
            let touched = self.touched.entry((row.int(0)?, row.int(1)?)).or_default();
            touched.new.remove(&(row.int(2)?, removed.key.clone(), row.text(3)?.to_owned()));
            touched.gone.insert(SightingFold::partition(row.time(2)?).from);
            self.hours.insert((row.int(0)?, hour_of(row.int(2)?)));
        }
        Ok(())
    }
}
