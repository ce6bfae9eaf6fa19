//! Writes changes as rows.

use crate::build;
use crate::executor::{Executor, Value, values};
use framepost_events::ObjectRemoved;
use framepost_events::finalized::Provider;
use framepost_events::record::{Data, GatewayReported, Model, ObjectRef, Record};
use framepost_ports::catalog::{CameraName, Change, ChunkRow, LookRow, SightingFold};
use framepost_ports::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

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
    /// By camera: its id, and the length of its longest chunk as its row has it, in µs.
    cameras: HashMap<CameraName, (i64, i64)>,
    /// Changed looks, by ids of camera and series.
    touched: BTreeMap<(i64, i64), Touched>,
}

/// Applies the changes. The caller commits, or rolls back if this fails.
pub(crate) async fn apply(db: &mut impl Executor, changes: &[Change]) -> Result<()> {
    let mut writing = Writing { db, cameras: HashMap::new(), touched: BTreeMap::new() };
    for change in changes {
        match change {
            Change::Record(record) => writing.record(record).await?,
            Change::Removed(removed) => writing.removed(removed).await?,
        }
    }
    let Writing { db, touched, .. } = writing;
    for ((camera, series), touched) in touched {
        build::sightings(db, camera, series, touched).await?;
    }
    Ok(())
}

/// Returns provider and bucket of an object as one text.
fn place(object: &ObjectRef) -> String {
    format!("{}/{}", object.provider, object.bucket)
}

/// Whether a version that was removed may be put again: [`ObjectRemoved::removes`], as the statements ask it.
fn may_come_again(provider: Provider) -> bool {
    match provider {
        Provider::Local => true,
        Provider::S3 | Provider::Gcs => false,
    }
}

/// A text as a database takes it: one of them has no NUL.
fn plain(text: &str) -> String {
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
        if !self.is_removed(record.data.object(), time).await? {
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
                if self.is_removed(&rejected.object, time).await? {
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

    /// Returns whether a removal applies to this version of the object.
    async fn is_removed(&mut self, object: &ObjectRef, time: Timestamp) -> Result<bool> {
        let sql = "SELECT 1 FROM removal WHERE key = $1 AND place = $2
            AND ((version = $3 AND (time_us >= $4 OR $5 = 0)) OR (version = '' AND time_us >= $4)) LIMIT 1";
        let again = may_come_again(object.provider);
        let values = values![plain(&object.key), place(object), object.version.as_str(), time, again];
        Ok(!self.db.query(sql, values).await?.is_empty())
    }

    /// Returns the id of a camera, which has a chunk of this length in µs.
    async fn camera(&mut self, name: &CameraName, length_us: i64) -> Result<i64> {
        if let Some((id, longest)) = self.cameras.get(name)
            && *longest >= length_us
        {
            return Ok(*id);
        }
        let sql = "INSERT INTO camera (site, name, longest_us) VALUES ($1, $2, $3) ON CONFLICT (site, name) DO UPDATE SET
            longest_us = CASE WHEN excluded.longest_us > camera.longest_us THEN excluded.longest_us ELSE camera.longest_us END
            RETURNING id, longest_us";
        let rows = self.db.query(sql, values![name.site.as_str(), name.camera.as_str(), length_us]).await?;
        let row = rows.first().ok_or_else(|| Error::new(ErrorKind::Corrupt, "write", "a camera"))?;
        let id = row.int(0)?;
        let longest = row.int(1)?;
        self.cameras.insert(name.clone(), (id, longest));
        Ok(id)
    }

    async fn chunk(&mut self, row: &ChunkRow) -> Result<()> {
        let Some(name) = row.camera() else { return Ok(()) };
        let object = &row.chunk.object;
        if self.is_removed(object, row.time).await? {
            return Ok(());
        }
        let camera = self.camera(&name, row.to.as_microsecond() - row.from.as_microsecond()).await?;
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
        if self.is_removed(object, time).await? {
            return Ok(());
        }
        let camera = self.camera(name, 0).await?;
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
        let model = Model { arm: None, ..row.inferred.model.clone() };
        let sql = "INSERT INTO series (name, model, last_us) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET
            last_us = CASE WHEN excluded.last_us > series.last_us THEN excluded.last_us ELSE series.last_us END RETURNING id";
        let rows = self.db.query(sql, values![row.series(), json(&model)?, row.time]).await?;
        let series = rows.first().ok_or_else(|| Error::new(ErrorKind::Corrupt, "write", "a model"))?.int(0)?;
        let Some(name) = row.camera() else { return Ok(()) };
        let object = &row.inferred.object;
        if self.is_removed(object, row.time).await? {
            return Ok(());
        }
        let camera = self.camera(&name, row.to.as_microsecond() - row.from.as_microsecond()).await?;
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
        if !self.db.query(sql, values).await?.is_empty() {
            let at = (row.from.as_microsecond(), object.key.clone(), object.version.clone());
            self.touched.entry((camera, series)).or_default().new.insert(at, row);
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
