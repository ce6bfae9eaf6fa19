//! Writes changes as rows.

use crate::build;
use crate::executor::{Asked, Executor, Value, values};
use crate::known::{Ids, Removals};
use framepost_events::ObjectRemoved;
use framepost_events::finalized::Provider;
use framepost_events::record::{Data, GatewayReported, ObjectRef, Record};
use framepost_ports::catalog::{CameraName, Change, ChunkRow, LookRow, SightingFold};
use framepost_ports::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The looks that changed, of one camera and one model.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// New looks, by their places in the order.
    pub(crate) new: BTreeMap<(i64, String, String), LookRow>,
    /// The starts of the days from which looks were removed.
    pub(crate) gone: BTreeSet<Timestamp>,
}

/// What one transaction writes, and what it has learnt of the rows that are there.
struct Writing<'a, E> {
    db: &'a mut E,
    removals: Removals,
    ids: Ids,
    /// Looks of which is not known yet whether they changed anything: by ids of camera and series.
    looks: Vec<(Asked, (i64, i64), LookRow)>,
    /// Changed looks, by ids of camera and series.
    touched: BTreeMap<(i64, i64), Touched>,
}

/// Applies the changes. The caller commits, or rolls back if this fails.
pub(crate) async fn apply(db: &mut impl Executor, changes: &[Change]) -> Result<()> {
    let removals = Removals::of(db, changes).await?;
    let ids = Ids::of(db, &removals, changes).await?;
    let mut writing = Writing { db, removals, ids, looks: Vec::new(), touched: BTreeMap::new() };
    for change in changes {
        match change {
            Change::Record(record) => writing.record(record).await?,
            Change::Removed(removed) => writing.removed(removed).await?,
        }
    }
    writing.looks_changed().await?;
    let Writing { db, touched, .. } = writing;
    build::sightings(db, touched).await
}

/// Returns provider and bucket of an object as one text.
pub(crate) fn place(object: &ObjectRef) -> String {
    format!("{}/{}", object.provider, object.bucket)
}

/// Whether a version that was removed may be put again: [`ObjectRemoved::removes`], as the statements ask it.
pub(crate) fn may_come_again(provider: Provider) -> bool {
    match provider {
        Provider::Local => true,
        Provider::S3 | Provider::Gcs => false,
    }
}

/// A text as a database takes it: one of them has no NUL.
pub(crate) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(ErrorKind::Invalid, "write", "the catalogue").because(error))
}

/// The word of a unit variant.
fn word(value: &impl Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Some(word),
        _ => None,
    }
}

impl<E: Executor> Writing<'_, E> {
    async fn record(&mut self, record: &Record) -> Result<()> {
        let time = record.time;
        if !self.removals.apply_to(record.data.object(), time) {
            self.note(record).await?;
        }
        match &record.data {
            Data::ChunkProbed(chunk) => match ChunkRow::new(time, (**chunk).clone()) {
                Some(row) => self.chunk(&row).await,
                None => Ok(()),
            },
            Data::GapRecorded(gap) => {
                let camera = CameraName { site: gap.gap.site.clone(), camera: gap.gap.camera.clone() };
                self.plain_row("gap", &camera, [gap.gap.from, gap.gap.to], &gap.object, time, json(gap)?).await
            }
            Data::SpanEnded(end) => match CameraName::of(end.site.as_ref(), end.camera.as_ref()) {
                Some(camera) => {
                    self.plain_row("span_end", &camera, [end.end, end.end], &end.object, time, json(end)?).await
                }
                None => Ok(()),
            },
            Data::ChunkInferred(inferred) => match LookRow::new(time, (**inferred).clone()) {
                Some(row) => self.look(row).await,
                None => Ok(()),
            },
            Data::GatewayReported(reported) => self.report(reported).await,
            Data::ObjectRejected(rejected) => {
                if self.removals.apply_to(&rejected.object, time) {
                    return Ok(());
                }
                let object = &rejected.object;
                let sql = "INSERT INTO reject (key, place, version, time_us, record) VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (key, place, version) DO UPDATE SET record = excluded.record, time_us = excluded.time_us
                    WHERE excluded.time_us >= reject.time_us";
                let values = values![plain(&object.key), place(object), object.version.as_str(), time, json(rejected)?];
                self.db.execute(sql, values).await
            }
        }
    }

    /// Adds the record to the list of records written.
    async fn note(&mut self, record: &Record) -> Result<()> {
        self.db.execute("INSERT INTO happening (record) VALUES ($1)", values![json(record)?]).await
    }

    async fn chunk(&mut self, row: &ChunkRow) -> Result<()> {
        let Some(name) = row.camera() else { return Ok(()) };
        let object = &row.chunk.object;
        if self.removals.apply_to(object, row.time) {
            return Ok(());
        }
        let length_us = row.to.as_microsecond() - row.from.as_microsecond();
        let camera = self.ids.camera(self.db, &name, length_us).await?;
        let brief = row.brief();
        let sql = "INSERT INTO chunk (camera, from_us, to_us, key, place, version, time_us, seconds, size_bytes, init_bytes,
                media_end, timescale, sample_entry, codec, audio_codec, random_access, activity, signature, content, chain,
                newest, record)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, 1, $21)
            ON CONFLICT (key, place, version) DO UPDATE SET
                camera = excluded.camera, from_us = excluded.from_us, to_us = excluded.to_us, time_us = excluded.time_us,
                seconds = excluded.seconds, size_bytes = excluded.size_bytes, init_bytes = excluded.init_bytes,
                media_end = excluded.media_end, timescale = excluded.timescale, sample_entry = excluded.sample_entry,
                codec = excluded.codec, audio_codec = excluded.audio_codec, random_access = excluded.random_access,
                activity = excluded.activity, signature = excluded.signature, content = excluded.content,
                chain = excluded.chain, record = excluded.record
            WHERE excluded.time_us >= chunk.time_us";
        let values = values![
            camera,
            row.from,
            row.to,
            object.key.as_str(),
            place(object),
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
            json(&row.chunk)?,
        ];
        self.db.execute(sql, values).await?;
        self.mark_newest(&object.key).await
    }

    /// Marks the newest version of a key, and unmarks the others.
    async fn mark_newest(&mut self, key: &str) -> Result<()> {
        let sql = "UPDATE chunk SET newest = CASE WHEN EXISTS (SELECT 1 FROM chunk other WHERE other.key = chunk.key
                AND (other.time_us, other.version) > (chunk.time_us, chunk.version)) THEN 0 ELSE 1 END
            WHERE key = $1 AND EXISTS (SELECT 1 FROM chunk other WHERE other.key = $1 AND other.id <> chunk.id)";
        self.db.execute(sql, values![key]).await
    }

    /// Writes a row of a table of intervals and their records.
    async fn plain_row(
        &mut self,
        table: &'static str,
        name: &CameraName,
        [from, to]: [Timestamp; 2],
        object: &ObjectRef,
        time: Timestamp,
        record: String,
    ) -> Result<()> {
        if self.removals.apply_to(object, time) {
            return Ok(());
        }
        let camera = self.ids.camera(self.db, name, 0).await?;
        let sql = format!(
            "INSERT INTO {table} (camera, from_us, to_us, key, place, version, time_us, record)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (key, place, version) DO UPDATE SET camera = excluded.camera, from_us = excluded.from_us,
                to_us = excluded.to_us, time_us = excluded.time_us, record = excluded.record
            WHERE excluded.time_us >= {table}.time_us"
        );
        let values =
            values![camera, from, to, plain(&object.key), place(object), object.version.as_str(), time, record];
        self.db.execute(&sql, values).await
    }

    async fn look(&mut self, row: LookRow) -> Result<()> {
        let series = self.ids.series(self.db, &row).await?;
        let Some(name) = row.camera() else { return Ok(()) };
        let object = &row.inferred.object;
        if self.removals.apply_to(object, row.time) {
            return Ok(());
        }
        let length_us = row.to.as_microsecond() - row.from.as_microsecond();
        let camera = self.ids.camera(self.db, &name, length_us).await?;
        // What the same model says of the same bytes with the same settings is the same. Only when they were put may differ.
        let sql = "INSERT INTO look (camera, series, from_us, to_us, key, place, version, time_us, skipped, record)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            ON CONFLICT (key, place, version, series) DO UPDATE SET time_us = excluded.time_us
            WHERE excluded.time_us > look.time_us RETURNING id";
        let values = values![
            camera,
            series,
            row.from,
            row.to,
            object.key.as_str(),
            place(object),
            object.version.as_str(),
            row.time,
            row.skipped().and_then(|why| word(&why)),
            json(&row.inferred)?,
        ];
        let asked = self.db.ask(sql, values).await?;
        self.looks.push((asked, (camera, series), row));
        Ok(())
    }

    /// Notes which of the looks that were written changed something.
    async fn looks_changed(&mut self) -> Result<()> {
        for (asked, of, row) in std::mem::take(&mut self.looks) {
            if !self.db.answer(asked).await?.is_empty() {
                let object = &row.inferred.object;
                let at = (row.from.as_microsecond(), object.key.clone(), object.version.clone());
                self.touched.entry(of).or_default().new.insert(at, row);
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
        self.looks_changed().await?;
        self.removals.add(removed);
        let key = plain(&removed.key);
        let of = format!("{}/{}", removed.provider, removed.bucket);
        let version = removed.version.clone().unwrap_or_default();
        let sql = "INSERT INTO removal (key, place, sequence, version, time_us) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (key, place, sequence, version) DO NOTHING";
        let marked = [key.as_str(), of.as_str(), removed.sequence.as_str(), version.as_str()].map(Value::from);
        self.db.execute(sql, &[&marked[..], &[Value::from(removed.time)]].concat()).await?;
        let which = "WHERE key = $1 AND place = $2
            AND ((version = $3 AND (time_us <= $4 OR $5 = 0)) OR ($3 = '' AND time_us <= $4))";
        let again = may_come_again(removed.provider);
        let values = values![key.as_str(), of.as_str(), version.as_str(), removed.time, again];
        for table in ["chunk", "gap", "span_end", "reject"] {
            self.db.execute(&format!("DELETE FROM {table} {which}"), values).await?;
        }
        self.mark_newest(&key).await?;
        let sql = format!("DELETE FROM look {which} RETURNING camera, series, from_us, version");
        for row in self.db.query(&sql, values).await? {
            let touched = self.touched.entry((row.int(0)?, row.int(1)?)).or_default();
            touched.new.remove(&(row.int(2)?, removed.key.clone(), row.text(3)?.to_owned()));
            touched.gone.insert(SightingFold::partition(row.time(2)?).from);
        }
        Ok(())
    }
}
