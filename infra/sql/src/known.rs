//! What changes need to know of the rows that are there, asked at once for all of them: removals of their objects, and the ids
//! of their cameras and models.

use crate::about::{About, json, may_come_again, place, plain};
use crate::batch::one_of;
use crate::executor::{Executor, Row, row, values};
use crate::read;
use framepost_events::ObjectRemoved;
use framepost_events::record::{Model, ObjectRef};
use framepost_ports::catalog::{CameraName, Change, LookRow};
use framepost_ports::{Error, ErrorKind, Result};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The removals of some objects.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    /// By key and place: versions (empty for each of them) and times in µs.
    of: HashMap<(String, String), Vec<(String, i64)>>,
}

impl Removals {
    /// Of the objects that these changes are about.
    pub(crate) async fn of(db: &mut impl Executor, changes: &[Change]) -> Result<Self> {
        let records = changes.iter().filter_map(|change| match change {
            Change::Record(record) => Some(plain(&record.data.object().key)),
            Change::Removed(_) => None,
        });
        let keys = records.collect::<BTreeSet<_>>().into_iter().map(|key| row![key]).collect();
        let mut asked = Vec::new();
        for (among, values) in one_of(db.dialect(), "key text", keys) {
            let sql = format!("SELECT key, place, version, time_us FROM removal WHERE {among}");
            asked.push(db.ask_with(&sql, values).await?);
        }
        let mut removals = Self::default();
        for asked in asked {
            for row in db.answer(asked).await? {
                let object = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
                removals.of.entry(object).or_default().push((row.text(2)?.to_owned(), row.int(3)?));
            }
        }
        Ok(removals)
    }

    /// Adds one that is written now.
    pub(crate) fn add(&mut self, removed: &ObjectRemoved) {
        let object = (plain(&removed.key), format!("{}/{}", removed.provider, removed.bucket));
        let version = removed.version.clone().unwrap_or_default();
        self.of.entry(object).or_default().push((version, removed.time.as_microsecond()));
    }

    /// Returns whether one applies to this version of the object, which became complete at `time`.
    pub(crate) fn apply_to(&self, object: &ObjectRef, time: Timestamp) -> bool {
        let time_us = time.as_microsecond();
        let applies = |(version, removed_us): &(String, i64)| {
            (*version == object.version && (*removed_us >= time_us || !may_come_again(object.provider)))
                || (version.is_empty() && *removed_us >= time_us)
        };
        self.of.get(&(plain(&object.key), place(object))).is_some_and(|removals| removals.iter().any(applies))
    }
}

/// Ids of cameras and models.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    /// By camera: its id, and the length of its longest chunk as its row has it, in µs.
    cameras: HashMap<CameraName, (i64, i64)>,
    /// By the text of model and settings: its id, and the time of its last result in µs.
    series: HashMap<String, (i64, i64)>,
}

const CAMERA: &str =
    "INSERT INTO camera (site, name, longest_us) VALUES ($1, $2, $3) ON CONFLICT (site, name) DO UPDATE SET
    longest_us = CASE WHEN excluded.longest_us > camera.longest_us THEN excluded.longest_us ELSE camera.longest_us END
    RETURNING id, longest_us";
const SERIES: &str = "INSERT INTO series (name, model, last_us) VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET
    last_us = CASE WHEN excluded.last_us > series.last_us THEN excluded.last_us ELSE series.last_us END
    RETURNING id, last_us";

impl Ids {
    /// Of what these changes are about, unless they are about removed objects.
    pub(crate) async fn of(
        db: &mut impl Executor,
        removals: &Removals,
        changes: &[Change],
        abouts: &[About],
    ) -> Result<Self> {
        let mut cameras: BTreeMap<CameraName, i64> = BTreeMap::new();
        let mut series: BTreeMap<String, (String, i64)> = BTreeMap::new();
        for (change, about) in changes.iter().zip(abouts) {
            let Change::Record(record) = change else { continue };
            if let About::Look(row, name) = about {
                if !series.contains_key(name) {
                    series.insert(name.clone(), (model(row)?, i64::MIN));
                }
                let last_us = row.time.as_microsecond();
                series.entry(name.clone()).and_modify(|(_, last)| *last = last_us.max(*last));
            }
            if let Some((name, length_us)) =
                about.camera().filter(|_| !removals.apply_to(record.data.object(), record.time))
            {
                let longest = cameras.entry(name).or_default();
                *longest = length_us.max(*longest);
            }
        }
        let mut ids = Self { cameras: known(db, &cameras.keys().collect::<Vec<_>>()).await?, series: HashMap::new() };
        // Most are there already, and none of their chunks has been longer: nothing is written for those.
        cameras.retain(|name, length_us| ids.cameras.get(name).is_none_or(|(_, longest_us)| *longest_us < *length_us));
        let mut asked = Vec::new();
        for (name, length_us) in cameras {
            let values = values![name.site.as_str(), name.camera.as_str(), length_us];
            asked.push((name, db.ask(CAMERA, values).await?));
        }
        let mut asked_series = Vec::new();
        for (name, (model, last_us)) in series {
            let asked = db.ask(SERIES, values![name.as_str(), model, last_us]).await?;
            asked_series.push((name, asked));
        }
        for (name, asked) in asked {
            let row = one(&db.answer(asked).await?, "a camera")?;
            ids.cameras.insert(name, row);
        }
        for (name, asked) in asked_series {
            let row = one(&db.answer(asked).await?, "a model")?;
            ids.series.insert(name, row);
        }
        Ok(ids)
    }

    /// Returns the id of a camera, which has a chunk of this length in µs.
    pub(crate) async fn camera(&mut self, db: &mut impl Executor, name: &CameraName, length_us: i64) -> Result<i64> {
        match self.cameras.get(name) {
            Some((id, longest)) if *longest >= length_us => return Ok(*id),
            _ => {}
        }
        let rows = db.query(CAMERA, values![name.site.as_str(), name.camera.as_str(), length_us]).await?;
        let row = one(&rows, "a camera")?;
        self.cameras.insert(name.clone(), row);
        Ok(row.0)
    }

    /// Returns the id of the model and the settings of a result.
    pub(crate) async fn series(&mut self, db: &mut impl Executor, row: &LookRow, name: &str) -> Result<i64> {
        let last_us = row.time.as_microsecond();
        match self.series.get(name) {
            Some((id, last)) if *last >= last_us => return Ok(*id),
            _ => {}
        }
        let rows = db.query(SERIES, values![name, model(row)?, last_us]).await?;
        let found = one(&rows, "a model")?;
        self.series.insert(name.to_owned(), found);
        Ok(found.0)
    }
}

/// Returns those of the cameras that have a row, with its id and the length of their longest chunk in µs.
async fn known(db: &mut impl Executor, names: &[&CameraName]) -> Result<HashMap<CameraName, (i64, i64)>> {
    let mut asked = Vec::new();
    let names = names.iter().map(|name| row![name.site.as_str(), name.camera.as_str()]).collect();
    for (among, values) in one_of(db.dialect(), "site text, name text", names) {
        let sql = format!("SELECT id, longest_us, site, name FROM camera WHERE {among}");
        asked.push(db.ask_with(&sql, values).await?);
    }
    let mut known = HashMap::new();
    for asked in asked {
        for row in db.answer(asked).await? {
            known.insert(read::name(&row, 2)?, (row.int(0)?, row.int(1)?));
        }
    }
    Ok(known)
}

/// A model as JSON, without the arm of a comparison.
fn model(row: &LookRow) -> Result<String> {
    json(&Model { arm: None, ..row.inferred.model.clone() })
}

/// Two whole numbers of the one row.
fn one(rows: &[Row], what: &str) -> Result<(i64, i64)> {
    let row = rows.first().ok_or_else(|| Error::new(ErrorKind::Corrupt, "write", what))?;
    Ok((row.int(0)?, row.int(1)?))
}
