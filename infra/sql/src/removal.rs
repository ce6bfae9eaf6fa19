//! Removals, and what they tell of the chunks that are gone.

use crate::about::{place, plain};
use crate::executor::{Executor, Row, values};
use crate::read;
use framepost_events::record::ObjectRef;
use framepost_events::removed::{Cause, ObjectRemoved};
use framepost_ports::Result;
use framepost_ports::catalog::{CameraName, Interval, RemovedChunk};
use jiff::Timestamp;

/// Notes a removal. `chunk` is the camera and the start of the chunk that was removed, if its key names them, and `to_us` the end of
/// its video, if a record said it. A removal that is noted already learns the end.
pub(crate) async fn note(
    db: &mut impl Executor,
    removed: &ObjectRemoved,
    chunk: Option<(i64, Timestamp)>,
    to_us: Option<i64>,
) -> Result<()> {
    let sql = "INSERT INTO removal (key, place, sequence, version, time_us, camera, from_us, to_us, cause)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (key, place, sequence, version) DO UPDATE SET
            to_us = CASE WHEN removal.to_us IS NULL OR excluded.to_us > removal.to_us THEN excluded.to_us ELSE removal.to_us END";
    let values = values![
        plain(&removed.key),
        format!("{}/{}", removed.provider, removed.bucket),
        removed.sequence.as_str(),
        removed.version.clone().unwrap_or_default(),
        removed.time,
        chunk.map(|(camera, _)| camera),
        chunk.map(|(_, from)| from),
        to_us,
        number(removed.cause),
    ];
    db.execute(sql, values).await
}

/// Notes the end of the video of a chunk whose record came after its removal.
pub(crate) async fn note_end(db: &mut impl Executor, object: &ObjectRef, to: Timestamp) -> Result<()> {
    let sql = "UPDATE removal SET to_us = $1 WHERE key = $2 AND place = $3 AND (to_us IS NULL OR to_us < $1)";
    db.execute(sql, values![to, plain(&object.key), place(object)]).await
}

/// Returns the chunks of a camera that were removed and overlap this interval, the oldest first.
pub(crate) async fn removed(
    db: &mut impl Executor,
    name: &CameraName,
    within: Interval,
    limit: usize,
) -> Result<Vec<RemovedChunk>> {
    let Some((id, longest_us)) = read::camera(db, name).await? else { return Ok(vec![]) };
    // Of several removals of a key, the last says the cause: it is the lowest digit of a number that is greatest for the last.
    // In the order of the index, so that a day whose chunks are all gone is neither sorted nor kept in a table of its own.
    let sql = "SELECT from_us, COALESCE(MAX(to_us), from_us), MAX(time_us * 4 + cause) FROM removal
        WHERE camera = $1 AND from_us >= $2 AND from_us < $3
            AND NOT EXISTS (SELECT 1 FROM chunk WHERE chunk.key = removal.key)
        GROUP BY from_us, key
        HAVING COALESCE(MAX(to_us), from_us) > $4 OR (COALESCE(MAX(to_us), from_us) = from_us AND from_us = $4)
        ORDER BY from_us, key LIMIT $5";
    let since_us = within.from.as_microsecond().saturating_sub(longest_us);
    let rows = db.query(sql, values![id, since_us, within.to, within.from, limit]).await?;
    let row = |row: &Row| {
        let said = row.int(2)?;
        let at = Timestamp::from_microsecond(said.div_euclid(4)).map_err(|_| read::corrupt("a time"))?;
        Ok(RemovedChunk { from: row.time(0)?, to: row.time(1)?, at, cause: cause(said.rem_euclid(4)) })
    };
    rows.iter().map(row).collect()
}

fn number(cause: Option<Cause>) -> i64 {
    match cause {
        None => 0,
        Some(Cause::Request) => 1,
        Some(Cause::Lifecycle) => 2,
        Some(Cause::Replaced) => 3,
    }
}

fn cause(number: i64) -> Option<Cause> {
    [Cause::Request, Cause::Lifecycle, Cause::Replaced].into_iter().find(|cause| self::number(Some(*cause)) == number)
}
