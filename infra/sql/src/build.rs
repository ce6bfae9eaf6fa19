//! Builds sightings from detections.
//!
//! Chunks mostly arrive in the order of their times. The fold then continues, because its state is stored for each camera and
//! model. If a look arrives late or is removed, the whole day is built again from its remaining looks.

use crate::about::{json, plain};
use crate::batch::{Insert, one_of};
use crate::executor::{Executor, Row, Value, row, values};
use crate::hours::{Changed, hour_of};
use framepost_events::record::ChunkInferred;
use framepost_ports::Result;
use framepost_ports::catalog::{Interval, LookRow, Sighting, SightingFold};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The looks that changed, of one camera and one model.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// New looks, by their places in the order.
    pub(crate) new: BTreeMap<(i64, String, String), LookRow>,
    /// The starts of the days from which looks were removed.
    pub(crate) gone: BTreeSet<Timestamp>,
}

/// The place of the last look that the fold contains: start in µs, and key.
type Last = (i64, String);

/// Returns the start of the day, which is built as a whole.
fn day_of(time: Timestamp) -> Timestamp {
    SightingFold::partition(time).from
}

/// Rows that are written when all of them are known.
#[derive(Default)]
struct Made {
    /// Hours in which sightings begin that changed.
    hours: Changed,
    /// By what makes them one row: camera, series, day, label and start.
    sightings: BTreeMap<(i64, i64, Timestamp, String, Timestamp), Vec<Value>>,
    tails: Vec<Vec<Value>>,
}

const SIGHTING: Insert = Insert {
    table: "sighting",
    columns: "camera bigint, series bigint, day_us bigint, label text, from_us bigint, to_us bigint, score float8,
        sighting text",
    rest: "ON CONFLICT (camera, series, day_us, label, from_us) DO UPDATE SET
        to_us = excluded.to_us, score = excluded.score, sighting = excluded.sighting",
};
const TAIL: Insert = Insert {
    table: "tail",
    columns: "camera bigint, series bigint, from_us bigint, key text, fold text",
    rest: "ON CONFLICT (camera, series) DO UPDATE SET
        from_us = excluded.from_us, key = excluded.key, fold = excluded.fold",
};

/// Brings the sightings up to date of each camera by each model, by their ids. Returns the hours in which changed ones begin.
pub(crate) async fn sightings(db: &mut impl Executor, touched: BTreeMap<(i64, i64), Touched>) -> Result<Changed> {
    let keys = touched.keys().map(|(camera, series)| row![*camera, *series]).collect();
    let mut tails = HashMap::new();
    for (among, values) in one_of(db.dialect(), "camera bigint, series bigint", keys) {
        let sql = format!("SELECT from_us, key, fold, camera, series FROM tail WHERE {among}");
        for tail in db.query(&sql, &values).await? {
            tails.insert((tail.int(3)?, tail.int(4)?), tail);
        }
    }
    let mut made = Made::default();
    for (of, touched) in touched {
        go_on(db, &mut made, of.0, of.1, touched, tails.get(&of)).await?;
    }
    SIGHTING.write(db, made.sightings.into_values()).await?;
    TAIL.write(db, made.tails).await?;
    Ok(made.hours)
}

/// Brings the sightings of a camera by a model up to date. `tail` is the row with where its fold is.
async fn go_on(
    db: &mut impl Executor,
    rows: &mut Made,
    camera: i64,
    series: i64,
    touched: Touched,
    tail: Option<&Row>,
) -> Result<()> {
    let tail = match tail {
        Some(row) => Some(((row.int(0)?, row.text(1)?.to_owned()), row.json::<SightingFold>(2)?)),
        None => None,
    };
    let is_next = |(from, key, _): &(i64, String, String)| match &tail {
        Some((last, _)) => (*from, key) > (last.0, &last.1),
        None => true,
    };
    let goes_on = touched.gone.is_empty() && touched.new.keys().next().is_some_and(is_next);
    if goes_on {
        let mut day = tail.as_ref().and_then(|((from, _), _)| Timestamp::from_microsecond(*from).ok()).map(day_of);
        let mut fold = tail.map(|(_, fold)| fold).unwrap_or_default();
        let mut last = (0, String::new());
        let mut made = BTreeMap::new();
        for ((from, key, _), look) in &touched.new {
            let ended = fold.take(&look.look());
            let here = day_of(look.from);
            // What ended with its day was open before, and is written.
            let ended = if day == Some(here) { ended } else { vec![] };
            for sighting in ended.into_iter().chain(fold.open().cloned()) {
                made.insert((here, sighting.label.clone(), sighting.from), sighting);
            }
            (day, last) = (Some(here), (*from, key.clone()));
        }
        for ((day, ..), sighting) in &made {
            rows.sighting(camera, series, *day, sighting)?;
        }
        return rows.tail(camera, series, &last, &fold);
    }
    let mut days = touched.gone;
    days.extend(touched.new.values().map(|look| day_of(look.from)));
    again(db, rows, camera, series, days, tail.map(|(last, _)| last)).await
}

/// Builds these days again, and determines where the fold continues.
async fn again(
    db: &mut impl Executor,
    rows: &mut Made,
    camera: i64,
    series: i64,
    mut days: BTreeSet<Timestamp>,
    tail: Option<Last>,
) -> Result<()> {
    let sql = "SELECT MAX(from_us) FROM look WHERE camera = $1 AND series = $2";
    let newest = db.query(sql, values![camera, series]).await?;
    let newest = newest.first().map(|row| row.int_or_null(0)).transpose()?.flatten();
    let last_day = newest.and_then(|us| Timestamp::from_microsecond(us).ok()).map(day_of);
    if let Some(last_day) = last_day {
        let known = tail.and_then(|(us, _)| Timestamp::from_microsecond(us).ok());
        if known.is_none_or(|time| day_of(time) != last_day) {
            days.insert(last_day);
        }
    } else {
        db.execute("DELETE FROM tail WHERE camera = $1 AND series = $2", values![camera, series]).await?;
    }
    for day in days {
        let (last, fold) = rebuild(db, rows, camera, series, day).await?;
        if Some(day) == last_day {
            rows.tail(camera, series, &last, &fold)?;
        }
    }
    Ok(())
}

/// Builds one day from its looks. Returns the place of the last look, and the fold after it.
async fn rebuild(
    db: &mut impl Executor,
    rows: &mut Made,
    camera: i64,
    series: i64,
    day: Timestamp,
) -> Result<(Last, SightingFold)> {
    let Interval { from, to } = SightingFold::partition(day);
    let sql = "DELETE FROM sighting WHERE camera = $1 AND series = $2 AND day_us = $3 RETURNING from_us";
    for row in db.query(sql, values![camera, series, day]).await? {
        rows.hours.insert((camera, hour_of(row.int(0)?)));
    }
    let sql = "SELECT from_us, to_us, key, time_us, record FROM look
        WHERE camera = $1 AND series = $2 AND from_us >= $3 AND from_us < $4 ORDER BY from_us, key, version";
    let looks = db.query(sql, values![camera, series, from, to]).await?;
    let mut fold = SightingFold::default();
    let mut last = (0, String::new());
    let mut made = Vec::new();
    for row in looks {
        let inferred: ChunkInferred = row.json(4)?;
        let look = LookRow { time: row.time(3)?, from: row.time(0)?, to: row.time(1)?, inferred };
        made.extend(fold.take(&look.look()));
        last = (row.int(0)?, row.text(2)?.to_owned());
    }
    made.extend(fold.open().cloned());
    for sighting in &made {
        rows.sighting(camera, series, day, sighting)?;
    }
    Ok((last, fold))
}

impl Made {
    fn sighting(&mut self, camera: i64, series: i64, day: Timestamp, sighting: &Sighting) -> Result<()> {
        let Sighting { label, from, to, score, .. } = sighting;
        let label = plain(label);
        self.hours.insert((camera, hour_of(from.as_microsecond())));
        let row = row![camera, series, day, label.as_str(), *from, *to, *score, json(sighting)?];
        self.sightings.insert((camera, series, day, label, *from), row);
        Ok(())
    }

    fn tail(&mut self, camera: i64, series: i64, last: &Last, fold: &SightingFold) -> Result<()> {
        self.tails.push(row![camera, series, last.0, last.1.as_str(), json(fold)?]);
        Ok(())
    }
}
