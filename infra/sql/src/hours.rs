//! Hours of a camera, each packed in one row, from which questions about long stretches of time are answered.
//!
//! A packed hour says what the rows of its chunks, looks and sightings say, and nothing else. Whoever changes one of these rows marks
//! its hour in the same transaction, which removes what was packed. Writers exclude each other, so whoever packs an hour sees all of
//! its rows. Hours that are not packed are read from the tables, and no answer depends on which they are.

use crate::batch::Insert;
use crate::executor::{Executor, Row, row, values};
use crate::packed::{self, SeriesLook};
use crate::read;
use framepost_ports::catalog::ChunkOutline;
use framepost_ports::{ErrorKind, Result};
use std::collections::{BTreeSet, VecDeque};

pub(crate) const HOUR_US: i64 = 3_600_000_000;
/// How long nothing has changed in an hour before it is packed. A gateway that makes up for an outage delivers for a while.
const SETTLED_US: i64 = 5 * 60_000_000;
/// Hours that one batch of changes packs, at most.
pub(crate) const PACKED_PER_BATCH: usize = 4;
/// Hours that one transaction without changes packs, at most.
pub(crate) const PACKED_AT_ONCE: usize = 16;
/// Such transactions in a row, so that what calls for them comes to an end.
pub(crate) const TRANSACTIONS: usize = 250;
/// Chunks, looks and sightings of a packed hour, at most: about thirty of each a second. With more it stays unpacked.
const PACKED_MAX: usize = 100_000;
/// Hours that are read at once.
const READ_AT_ONCE: usize = 48;

/// Returns the start of the hour.
pub(crate) fn hour_of(us: i64) -> i64 {
    us.saturating_sub(us.rem_euclid(HOUR_US))
}

/// The hours in which something changed, by ids of cameras and starts.
pub(crate) type Changed = BTreeSet<(i64, i64)>;

/// A time that is written again within a minute stays as it is, so that a batch of new chunks writes none of these rows.
const CHANGED: Insert = Insert {
    table: "hour",
    columns: "camera bigint, from_us bigint, changed_us bigint",
    rest:
        "ON CONFLICT (camera, from_us) DO UPDATE SET changed_us = excluded.changed_us, chunks = NULL, length_us = NULL,
        bytes = NULL, outlines = NULL, looks = NULL, sightings = NULL
        WHERE hour.chunks IS NOT NULL OR hour.changed_us < excluded.changed_us - 60000000",
};

/// Removes what was packed of these hours. `now_us` is the time of the latest change.
pub(crate) async fn mark(db: &mut impl Executor, changed: Changed, now_us: i64) -> Result<()> {
    CHANGED.write(db, changed.into_iter().map(|(camera, hour_us)| row![camera, hour_us, now_us])).await
}

/// Packs hours in which nothing has changed lately, the ones of the longest ago first. Returns how many there were, `limit` at most. An
/// hour with a row that cannot be read stays unpacked: new records are written all the same.
pub(crate) async fn pack(db: &mut impl Executor, now_us: i64, limit: usize) -> Result<usize> {
    let sql = "SELECT camera, from_us FROM hour WHERE chunks IS NULL AND changed_us < $1 ORDER BY changed_us LIMIT $2";
    let hours = db.query(sql, values![now_us.saturating_sub(SETTLED_US), limit]).await?;
    for hour in &hours {
        let camera = hour.int(0)?;
        let hour_us = hour.int(1)?;
        match pack_hour(db, camera, hour_us).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                let error = framepost_ports::chain(&error);
                tracing::warn!(camera, hour_us, error, "an hour of the catalogue cannot be packed");
                leave_unpacked(db, camera, hour_us).await?;
            }
            packed => packed?,
        }
    }
    Ok(hours.len())
}

/// Has an hour be read from the tables for good.
async fn leave_unpacked(db: &mut impl Executor, camera: i64, hour_us: i64) -> Result<()> {
    let sql = "UPDATE hour SET changed_us = $3 WHERE camera = $1 AND from_us = $2";
    db.execute(sql, values![camera, hour_us, i64::MAX]).await
}

async fn pack_hour(db: &mut impl Executor, camera: i64, hour_us: i64) -> Result<()> {
    let place = values![camera, hour_us, hour_us.saturating_add(HOUR_US), PACKED_MAX + 1];
    let sql = format!(
        "SELECT {} FROM chunk WHERE camera = $1 AND from_us >= $2 AND from_us < $3 AND newest = 1
            ORDER BY from_us, key LIMIT $4",
        read::OUTLINE
    );
    let chunks = db.ask(&sql, place).await?;
    let sql = "SELECT from_us, to_us, skipped, series, key, place, version FROM look
        WHERE camera = $1 AND from_us >= $2 AND from_us < $3 ORDER BY from_us, key, version, place, series LIMIT $4";
    let looks = db.ask(sql, place).await?;
    let sql = "SELECT series, sighting FROM sighting WHERE camera = $1 AND from_us >= $2 AND from_us < $3
        ORDER BY from_us, label, series LIMIT $4";
    let sightings = db.ask(sql, place).await?;
    let chunks = db.answer(chunks).await?;
    let looks = db.answer(looks).await?;
    let sightings = db.answer(sightings).await?;
    let of_hour = values![camera, hour_us];
    let rows = [chunks.len(), looks.len(), sightings.len()];
    if rows == [0; 3] {
        return db.execute("DELETE FROM hour WHERE camera = $1 AND from_us = $2", of_hour).await;
    }
    if rows.into_iter().any(|rows| rows > PACKED_MAX) {
        return leave_unpacked(db, camera, hour_us).await;
    }
    let outlines = chunks.iter().map(read::outline).collect::<Result<Vec<ChunkOutline>>>()?;
    let mut seen = Vec::<SeriesLook>::with_capacity(looks.len());
    let mut before: Option<&Row> = None;
    for row in &looks {
        let again = before.is_some_and(|before| before.0[0] == row.0[0] && before.0[4..] == row.0[4..]);
        seen.push(SeriesLook { looked: read::of_look(row)?, series: row.int(3)?, again });
        before = Some(row);
    }
    let length_us: i64 = outlines.iter().map(|chunk| chunk.to.as_microsecond() - chunk.from.as_microsecond()).sum();
    let bytes: u64 = outlines.iter().map(|chunk| chunk.size_bytes).sum();
    let sightings = sightings.iter().map(|row| Ok((row.int(0)?, row.json(1)?))).collect::<Result<_>>()?;
    let packed = values![
        camera,
        hour_us,
        outlines.len(),
        length_us,
        bytes,
        packed::pack_outlines(hour_us, &outlines)?,
        packed::pack_looks(hour_us, &seen)?,
        packed::pack_sightings(sightings)?,
    ];
    let sql = "UPDATE hour SET chunks = $3, length_us = $4, bytes = $5, outlines = $6, looks = $7, sightings = $8
        WHERE camera = $1 AND from_us = $2";
    db.execute(sql, packed).await
}

/// A part of a stretch of time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A packed hour: its start, and a column of it.
    Packed(i64, Vec<u8>),
    /// Time that is not packed: start and end.
    Rows(i64, i64),
}

/// Reads a stretch of time as packed hours and what is between them, some at a time.
pub(crate) struct Hours {
    camera: i64,
    column: &'static str,
    /// What is not read yet.
    from_us: i64,
    to_us: i64,
    read: VecDeque<Part>,
}

impl Hours {
    /// Reads a column of the hours of a camera, by its id: `outlines`, `looks` or `sightings`.
    pub(crate) fn new(camera: i64, column: &'static str, [from_us, to_us]: [i64; 2]) -> Self {
        Self { camera, column, from_us, to_us, read: VecDeque::new() }
    }

    /// Returns the next part in order; `None` at the end.
    pub(crate) async fn next(&mut self, db: &mut impl Executor) -> Result<Option<Part>> {
        if self.read.is_empty() && self.from_us < self.to_us {
            self.read_more(db).await?;
        }
        Ok(self.read.pop_front())
    }

    async fn read_more(&mut self, db: &mut impl Executor) -> Result<()> {
        let sql = format!(
            "SELECT from_us, {} FROM hour WHERE camera = $1 AND from_us >= $2 AND from_us < $3 AND chunks IS NOT NULL
                ORDER BY from_us LIMIT $4",
            self.column
        );
        let hours = db.query(&sql, values![self.camera, hour_of(self.from_us), self.to_us, READ_AT_ONCE]).await?;
        for hour in &hours {
            let hour_us = hour.int(0)?;
            if self.from_us < hour_us {
                self.read.push_back(Part::Rows(self.from_us, hour_us));
            }
            self.read.push_back(Part::Packed(hour_us, hour.bytes(1)?.to_vec()));
            self.from_us = hour_us.saturating_add(HOUR_US);
        }
        if hours.len() < READ_AT_ONCE {
            if self.from_us < self.to_us {
                self.read.push_back(Part::Rows(self.from_us, self.to_us));
            }
            self.from_us = self.to_us;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_begins_where_it_is_full() {
        assert_eq!([0, 1, HOUR_US - 1, HOUR_US].map(hour_of), [0, 0, 0, HOUR_US]);
        assert_eq!([-1, -HOUR_US].map(hour_of), [-HOUR_US, -HOUR_US], "before 1970 too");
        assert_eq!(hour_of(i64::MIN), i64::MIN, "there is no hour before");
    }
}
