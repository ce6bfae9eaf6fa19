//! Questions about long stretches of time, which packed hours answer.

use crate::executor::{Executor, Row, values};
use crate::hours::{HOUR_US, Hours, Part};
use crate::packed::{self, SeriesLook};
use crate::read::{OUTLINE, before, before_sightings, camera, chunk_rows, corrupt, look_rows, of_look, outline, size};
use framepost_events::record::Model;
use framepost_ports::Result;
use framepost_ports::catalog::{Amount, CameraName, ChunkOutline, Interval, Looked, Sighting, SightingRow};
use jiff::Timestamp;
use std::collections::HashMap;

/// Returns the interval in whole microseconds, as rows have it.
fn whole(within: Interval) -> Interval {
    let whole = |time: Timestamp| Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time);
    Interval { from: whole(within.from), to: whole(within.to) }
}

pub(crate) async fn outlines(
    db: &mut impl Executor,
    name: &CameraName,
    within: Interval,
    limit: usize,
) -> Result<Vec<ChunkOutline>> {
    let within = whole(within);
    let Some((camera, longest)) = camera(db, name).await? else { return Ok(vec![]) };
    let mut hours = Hours::new(camera, "outlines", [before(within, longest), within.to.as_microsecond()]);
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(part) = hours.next(db).await?
    {
        match part {
            Part::Packed(hour_us, bytes) => {
                let packed = packed::outlines(hour_us, &bytes)?;
                found.extend(packed.into_iter().filter(|chunk| within.meets(chunk.from, chunk.to)));
            }
            Part::Rows(from_us, to_us) => {
                let left = limit.saturating_sub(found.len());
                for row in chunk_rows(db, OUTLINE, camera, [from_us, to_us], within, left).await? {
                    found.push(outline(&row)?);
                }
            }
        }
    }
    found.truncate(limit);
    Ok(found)
}

pub(crate) async fn looked(
    db: &mut impl Executor,
    name: &CameraName,
    within: Interval,
    limit: usize,
) -> Result<Vec<Looked>> {
    let within = whole(within);
    let Some((camera, longest)) = camera(db, name).await? else { return Ok(vec![]) };
    let series = Series::all(db).await?;
    let mut hours = Hours::new(camera, "looks", [before(within, longest), within.to.as_microsecond()]);
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(part) = hours.next(db).await?
    {
        match part {
            Part::Packed(hour_us, bytes) => {
                let packed = packed::looks(hour_us, &bytes)?;
                for of_chunk in packed.chunk_by(|_, next| next.again) {
                    let newest = of_chunk.iter().max_by_key(|look| series.rank(look.series));
                    let shown = newest.map(|look| look.looked).filter(|look| within.meets(look.from, look.to));
                    found.extend(shown);
                }
            }
            Part::Rows(from_us, to_us) => {
                let left = limit.saturating_sub(found.len());
                for row in look_rows(db, "l.skipped", camera, [from_us, to_us], within, left).await? {
                    found.push(of_look(&row)?);
                }
            }
        }
    }
    found.truncate(limit);
    Ok(found)
}

pub(crate) async fn seen(
    db: &mut impl Executor,
    name: &CameraName,
    within: Interval,
    limit: usize,
) -> Result<Vec<SightingRow>> {
    let within = whole(within);
    let Some((camera, longest)) = camera(db, name).await? else { return Ok(vec![]) };
    let series = Series::all(db).await?;
    let begin_us = within.from.as_microsecond();
    let mut found = sightings(db, camera, [before_sightings(within), begin_us], begin_us).await?;
    let mut hours = Hours::new(camera, "sightings", [begin_us, within.to.as_microsecond()]);
    while let Some(part) = hours.next(db).await? {
        match part {
            Part::Packed(_, bytes) => {
                let packed = packed::sightings(&bytes)?;
                found.extend(
                    packed.into_iter().filter(|(_, sighting)| {
                        begin_us <= sighting.from.as_microsecond() && sighting.from < within.to
                    }),
                );
            }
            Part::Rows(from_us, to_us) => {
                found.extend(sightings(db, camera, [from_us, to_us], begin_us).await?);
            }
        }
    }
    if series.0.len() > 1
        && let Some(first_us) = found.iter().map(|(_, sighting)| sighting.from.as_microsecond()).min()
    {
        let looks = series_looks(db, camera, [first_us.saturating_sub(longest), within.to.as_microsecond()]).await?;
        found.retain(|(of, sighting)| !series.newer_looked(*of, sighting.from, longest, &looks));
    }
    let row = |(of, sighting): (i64, Sighting)| {
        let (name_of, model) =
            series.0.get(&of).map(|series| (&series.name, &series.model)).ok_or_else(|| corrupt("a series"))?;
        Ok(SightingRow { camera: name.clone(), series: name_of.clone(), model: model.clone(), sighting })
    };
    let mut rows = found.into_iter().map(row).collect::<Result<Vec<SightingRow>>>()?;
    rows.sort_by(|a, b| order(b).cmp(&order(a)));
    rows.truncate(limit);
    Ok(rows)
}

/// What a camera's sightings are ordered by.
fn order(row: &SightingRow) -> (i64, &str, &str) {
    (row.sighting.from.as_microsecond(), &row.sighting.label, &row.series)
}

/// Reads the sightings that begin from `from_us` to `to_us` and end at `end_us` or later, each with the id of its series.
async fn sightings(
    db: &mut impl Executor,
    camera: i64,
    [from_us, to_us]: [i64; 2],
    end_us: i64,
) -> Result<Vec<(i64, Sighting)>> {
    let sql =
        "SELECT series, sighting FROM sighting WHERE camera = $1 AND from_us >= $2 AND from_us < $3 AND to_us >= $4";
    let rows = db.query(sql, values![camera, from_us, to_us, end_us]).await?;
    rows.iter().map(|row| Ok((row.int(0)?, row.json(1)?))).collect()
}

/// Reads all looks at chunks that start between these times, in the order of their starts.
async fn series_looks(db: &mut impl Executor, camera: i64, starts: [i64; 2]) -> Result<Vec<SeriesLook>> {
    let mut hours = Hours::new(camera, "looks", starts);
    let mut found = Vec::new();
    while let Some(part) = hours.next(db).await? {
        match part {
            Part::Packed(hour_us, bytes) => found.extend(packed::looks(hour_us, &bytes)?),
            Part::Rows(from_us, to_us) => {
                let sql = "SELECT from_us, to_us, skipped, series FROM look
                    WHERE camera = $1 AND from_us >= $2 AND from_us < $3 ORDER BY from_us";
                for row in db.query(sql, values![camera, from_us, to_us]).await? {
                    found.push(SeriesLook { looked: of_look(&row)?, series: row.int(3)?, again: false });
                }
            }
        }
    }
    Ok(found)
}

/// Models with their settings, by ids.
struct Series(HashMap<i64, OneSeries>);

struct OneSeries {
    name: String,
    model: Model,
    /// The higher, the newer.
    rank: usize,
}

impl Series {
    async fn all(db: &mut impl Executor) -> Result<Self> {
        let rows = db.query("SELECT id, name, model FROM series ORDER BY last_us, name", &[]).await?;
        let one = |(rank, row): (usize, &Row)| {
            Ok((row.int(0)?, OneSeries { name: row.text(1)?.to_owned(), model: row.json(2)?, rank }))
        };
        Ok(Self(rows.iter().enumerate().map(one).collect::<Result<_>>()?))
    }

    fn rank(&self, id: i64) -> Option<usize> {
        self.0.get(&id).map(|series| series.rank)
    }

    /// Returns whether a newer series than this one looked at the chunk of this moment. `looks` are in the order of their starts, and
    /// none is longer than `longest_us`.
    fn newer_looked(&self, id: i64, at: Timestamp, longest_us: i64, looks: &[SeriesLook]) -> bool {
        let at_us = at.as_microsecond();
        let first = looks.partition_point(|look| look.looked.from.as_microsecond() < at_us.saturating_sub(longest_us));
        let mut candidates = looks[first..].iter().take_while(|look| look.looked.from.as_microsecond() <= at_us);
        candidates.any(|look| {
            look.looked.to.as_microsecond() > at_us && look.series != id && self.rank(look.series) > self.rank(id)
        })
    }
}

pub(crate) async fn recorded(db: &mut impl Executor, name: &CameraName, within: &[Interval]) -> Result<Vec<Amount>> {
    let Some((camera, _)) = camera(db, name).await? else { return Ok(vec![Amount::default(); within.len()]) };
    let mut amounts = Vec::with_capacity(within.len());
    for within in within {
        amounts.push(amount(db, camera, within.from.as_microsecond(), within.to.as_microsecond()).await?);
    }
    Ok(amounts)
}

/// Returns how much was recorded of the chunks that start from `from_us` to `to_us`: the sums of packed hours, and of the rows
/// between them.
async fn amount(db: &mut impl Executor, camera: i64, from_us: i64, to_us: i64) -> Result<Amount> {
    let sql = "SELECT from_us, chunks, length_us, bytes FROM hour
        WHERE camera = $1 AND from_us >= $2 AND from_us <= $3 AND chunks IS NOT NULL ORDER BY from_us";
    let hours = db.query(sql, values![camera, from_us, to_us.saturating_sub(HOUR_US)]).await?;
    let mut sum = Amount::default();
    let mut add = |row: &Row, at: usize| {
        let [chunks, length_us, bytes] =
            [size(row, at)?, size(row, at + 1)?, size(row, at + 2)?].map(Option::unwrap_or_default);
        sum.chunks += chunks;
        sum.length_us += length_us;
        sum.bytes += bytes;
        Ok(())
    };
    let mut unpacked = Vec::new();
    let mut at_us = from_us;
    for hour in &hours {
        let hour_us = hour.int(0)?;
        if at_us < hour_us {
            unpacked.push([at_us, hour_us]);
        }
        add(hour, 1)?;
        at_us = hour_us.saturating_add(HOUR_US);
    }
    if at_us < to_us {
        unpacked.push([at_us, to_us]);
    }
    for [from_us, to_us] in unpacked {
        // A sum is of a type of its own in PostgreSQL.
        let sql = "SELECT COUNT(*), CAST(SUM(to_us - from_us) AS BIGINT), CAST(SUM(size_bytes) AS BIGINT) FROM chunk
            WHERE camera = $1 AND from_us >= $2 AND from_us < $3 AND newest = 1";
        let rows = db.query(sql, values![camera, from_us, to_us]).await?;
        add(rows.first().ok_or_else(|| corrupt("a sum"))?, 0)?;
    }
    Ok(sum)
}
