//! Reads rows, and makes answers of them.

use crate::executor::{Executor, Row, Value, values};
use framepost_events::finalized::Provider;
use framepost_events::record::{ChainState, GatewayReported, Model, ObjectRef, Signature};
use framepost_ports::catalog::{
    CameraName, ChunkBrief, ChunkOutline, ChunkQuery, ChunkRow, GapRow, Happening, Interval, KnownCamera, LookRow,
    Looked, Order, SightingQuery, SightingRow, SpanEndRow,
};
use framepost_ports::{Error, ErrorKind, Result};
use std::collections::{BTreeSet, HashMap};

const DAY_US: i64 = 86_400_000_000;

/// The columns of a [`ChunkOutline`].
pub(crate) const OUTLINE: &str = "from_us, to_us, size_bytes, activity, signature, content, chain";

/// The columns of a [`ChunkBrief`].
const BRIEF: &str =
    "from_us, to_us, key, place, version, time_us, seconds, size_bytes, init_bytes, media_end, timescale,
    sample_entry, codec, audio_codec, random_access, activity, signature, content, chain";

pub(crate) fn corrupt(what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, "read", "the catalogue").because(format!("{what} is not one"))
}

pub(crate) fn object(row: &Row, key: usize) -> Result<ObjectRef> {
    let (provider, bucket) = row.text(key + 1)?.split_once('/').ok_or_else(|| corrupt("a bucket"))?;
    let provider = match provider {
        "s3" => Provider::S3,
        "gcs" => Provider::Gcs,
        "local" => Provider::Local,
        _ => return Err(corrupt("a provider")),
    };
    let version = row.text(key + 2)?.to_owned();
    let key = row.text(key)?.to_owned();
    Ok(ObjectRef { provider, bucket: bucket.to_owned(), key, version })
}

pub(crate) fn name(row: &Row, at: usize) -> Result<CameraName> {
    let name = |at, what| row.text(at).map(str::to_owned).and_then(|text| text.try_into().map_err(|_| corrupt(what)));
    let site = name(at, "a site")?;
    let camera = row.text(at + 1)?.parse().map_err(|_| corrupt("a camera"))?;
    Ok(CameraName { site, camera })
}

pub(crate) fn size(row: &Row, at: usize) -> Result<Option<u64>> {
    Ok(row.int_or_null(at)?.and_then(|value| u64::try_from(value).ok()))
}

fn brief(row: &Row) -> Result<ChunkBrief> {
    Ok(ChunkBrief {
        from: row.time(0)?,
        to: row.time(1)?,
        object: object(row, 2)?,
        time: row.time(5)?,
        seconds: row.real_or_null(6)?,
        size_bytes: size(row, 7)?.unwrap_or_default(),
        init_bytes: size(row, 8)?,
        media_end: size(row, 9)?,
        timescale: size(row, 10)?.and_then(|value| u32::try_from(value).ok()),
        sample_entry_digest: row.text_or_null(11)?.and_then(|text| text.parse().ok()),
        codec: row.text(12)?.to_owned(),
        audio_codec: row.text_or_null(13)?.map(str::to_owned),
        starts_with_random_access: row.int_or_null(14)?.map(|value| value != 0),
        activity: row.real_or_null(15)?,
        signature: row.word(16)?.unwrap_or(Signature::Unknown),
        content: row.word(17)?,
        chain: row.word(18)?.unwrap_or(ChainState::Absent),
    })
}

/// Returns the id of a camera, and the length of its longest chunk in µs.
pub(crate) async fn camera(db: &mut impl Executor, name: &CameraName) -> Result<Option<(i64, i64)>> {
    let sql = "SELECT id, longest_us FROM camera WHERE site = $1 AND name = $2";
    let rows = db.query(sql, values![name.site.as_str(), name.camera.as_str()]).await?;
    rows.first().map(|row| Ok((row.int(0)?, row.int(1)?))).transpose()
}

/// Returns the earliest start that can overlap the interval, if nothing is longer than `longest_us`.
pub(crate) fn before(within: Interval, longest_us: i64) -> i64 {
    within.from.as_microsecond().saturating_sub(longest_us)
}

pub(crate) async fn cameras(db: &mut impl Executor) -> Result<Vec<KnownCamera>> {
    let sql = "SELECT id, site, name FROM camera WHERE EXISTS (SELECT 1 FROM chunk WHERE chunk.camera = camera.id)
            OR EXISTS (SELECT 1 FROM gap WHERE gap.camera = camera.id)
            OR EXISTS (SELECT 1 FROM span_end WHERE span_end.camera = camera.id)
            OR EXISTS (SELECT 1 FROM look WHERE look.camera = camera.id)
        ORDER BY site, name";
    let mut known = Vec::new();
    for row in db.query(sql, &[]).await? {
        let id = row.int(0)?;
        let first = db.query("SELECT MIN(from_us) FROM chunk WHERE camera = $1", values![id]).await?;
        let first = match first.first() {
            Some(row) if row.int_or_null(0)?.is_some() => Some(row.time(0)?),
            _ => None,
        };
        let sql = format!(
            "SELECT {BRIEF} FROM chunk WHERE camera = $1 AND newest = 1 ORDER BY from_us DESC, key DESC LIMIT 1"
        );
        let last = db.query(&sql, values![id]).await?.first().map(brief).transpose()?;
        known.push(KnownCamera { name: name(&row, 1)?, first, last });
    }
    Ok(known)
}

/// Returns these columns of the chunks of a camera, by its id, that start from `from_us` to `to_us` and overlap the interval.
pub(crate) async fn chunk_rows(
    db: &mut impl Executor,
    columns: &'static str,
    camera: i64,
    [from_us, to_us]: [i64; 2],
    within: Interval,
    limit: usize,
) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT {columns} FROM chunk WHERE camera = $1 AND from_us >= $2 AND from_us < $3
            AND (to_us > $4 OR (from_us = to_us AND from_us = $4)) AND newest = 1 ORDER BY from_us, key LIMIT $5"
    );
    db.query(&sql, values![camera, from_us, to_us, within.from, limit]).await
}

pub(crate) async fn briefs(
    db: &mut impl Executor,
    name: &CameraName,
    within: Interval,
    limit: usize,
) -> Result<Vec<ChunkBrief>> {
    let Some((id, longest)) = camera(db, name).await? else { return Ok(vec![]) };
    let starts = [before(within, longest), within.to.as_microsecond()];
    chunk_rows(db, BRIEF, id, starts, within, limit).await?.iter().map(brief).collect()
}

/// Makes an outline of a row with the columns [`OUTLINE`], in their order.
pub(crate) fn outline(row: &Row) -> Result<ChunkOutline> {
    Ok(ChunkOutline {
        from: row.time(0)?,
        to: row.time(1)?,
        size_bytes: size(row, 2)?.unwrap_or_default(),
        activity: row.real_or_null(3)?,
        signature: row.word(4)?.unwrap_or(Signature::Unknown),
        content: row.word(5)?,
        chain: row.word(6)?.unwrap_or(ChainState::Absent),
    })
}

/// Returns a condition for rows of one of these cameras; `None` if none of them is known.
async fn among(db: &mut impl Executor, cameras: Option<&[CameraName]>) -> Result<Option<(String, i64)>> {
    let Some(names) = cameras else {
        let rows = db.query("SELECT MAX(longest_us) FROM camera", &[]).await?;
        let longest = rows.first().map(|row| row.int_or_null(0)).transpose()?.flatten();
        return Ok(Some((String::new(), longest.unwrap_or_default())));
    };
    let mut ids = Vec::new();
    let mut longest = 0;
    for name in names {
        if let Some((id, of_camera)) = camera(db, name).await? {
            ids.push(id.to_string());
            longest = longest.max(of_camera);
        }
    }
    Ok((!ids.is_empty()).then(|| (format!("AND camera IN ({})", ids.join(", ")), longest)))
}

pub(crate) async fn chunks(db: &mut impl Executor, query: &ChunkQuery) -> Result<Vec<ChunkRow>> {
    let Some((among, longest)) = among(db, query.cameras.as_deref()).await? else { return Ok(vec![]) };
    let within = query.within;
    let mut values = values![before(within, longest), within.to, within.from, query.limit].to_vec();
    let (comparison, direction) = match query.order {
        Order::OldestFirst => (">", "ASC"),
        Order::NewestFirst => ("<", "DESC"),
    };
    let mut after = String::new();
    if let Some(place) = &query.after {
        values.extend([Value::from(place.from), Value::from(place.key.as_str())]);
        after = format!("AND (from_us, key) {comparison} ($5, $6)");
    }
    let sql = format!(
        "SELECT from_us, to_us, time_us, record FROM chunk WHERE from_us >= $1 AND from_us < $2
            AND (to_us > $3 OR (from_us = to_us AND from_us = $3)) AND newest = 1 {among} {after}
            ORDER BY from_us {direction}, key {direction} LIMIT $4"
    );
    db.query(&sql, &values).await?.iter().map(chunk_row).collect()
}

fn chunk_row(row: &Row) -> Result<ChunkRow> {
    Ok(ChunkRow { from: row.time(0)?, to: row.time(1)?, time: row.time(2)?, chunk: row.json(3)? })
}

pub(crate) async fn chunk(db: &mut impl Executor, key: &str) -> Result<Option<ChunkRow>> {
    let sql = "SELECT from_us, to_us, time_us, record FROM chunk WHERE key = $1 AND newest = 1";
    db.query(sql, values![key]).await?.first().map(chunk_row).transpose()
}

/// Returns the rows of a camera in a table of intervals and their records, whose length is not limited.
async fn plain_rows(
    db: &mut impl Executor,
    table: &'static str,
    name: &CameraName,
    within: Interval,
    limit: usize,
) -> Result<Vec<Row>> {
    let Some((id, _)) = camera(db, name).await? else { return Ok(vec![]) };
    let sql = format!(
        "SELECT time_us, record FROM {table} WHERE camera = $1 AND from_us < $2
            AND (to_us > $3 OR (from_us = to_us AND from_us = $3)) ORDER BY from_us, key, version LIMIT $4"
    );
    db.query(&sql, values![id, within.to, within.from, limit]).await
}

pub(crate) async fn gaps(
    db: &mut impl Executor,
    name: &CameraName,
    within: Interval,
    limit: usize,
) -> Result<Vec<GapRow>> {
    let rows = plain_rows(db, "gap", name, within, limit).await?;
    rows.iter().map(|row| Ok(GapRow::new(row.time(0)?, row.json(1)?))).collect()
}

pub(crate) async fn span_ends(
    db: &mut impl Executor,
    name: &CameraName,
    within: Interval,
    limit: usize,
) -> Result<Vec<SpanEndRow>> {
    let rows = plain_rows(db, "span_end", name, within, limit).await?;
    rows.iter().map(|row| Ok(SpanEndRow { time: row.time(0)?, end: row.json(1)? })).collect()
}

/// Holds where there is a single series, so that no row has a newer one's beside it and none has to be looked for.
const SINGLE_SERIES: &str = "(SELECT COUNT(*) FROM series) = 1";

/// Returns the results of detectors for the chunks of a camera, by its id, that start from `from_us` to `to_us` and overlap the
/// interval: of those for one chunk, that of the newest model.
pub(crate) async fn look_rows(
    db: &mut impl Executor,
    columns: &'static str,
    camera: i64,
    [from_us, to_us]: [i64; 2],
    within: Interval,
    limit: usize,
) -> Result<Vec<Row>> {
    let sql = format!(
        "SELECT l.from_us, l.to_us, {columns} FROM look l JOIN series e ON e.id = l.series
        WHERE l.camera = $1 AND l.from_us >= $2 AND l.from_us < $3
            AND (l.to_us > $4 OR (l.from_us = l.to_us AND l.from_us = $4))
            AND ({SINGLE_SERIES} OR NOT EXISTS (SELECT 1 FROM look other JOIN series newer ON newer.id = other.series
                WHERE other.key = l.key AND other.place = l.place AND other.version = l.version
                    AND other.from_us = l.from_us AND other.series <> l.series
                    AND (newer.last_us, newer.name) > (e.last_us, e.name)))
        ORDER BY l.from_us, l.key, l.version LIMIT $5"
    );
    db.query(&sql, values![camera, from_us, to_us, within.from, limit]).await
}

pub(crate) async fn looks(
    db: &mut impl Executor,
    name: &CameraName,
    within: Interval,
    limit: usize,
) -> Result<Vec<LookRow>> {
    let Some((id, longest)) = camera(db, name).await? else { return Ok(vec![]) };
    let starts = [before(within, longest), within.to.as_microsecond()];
    let rows = look_rows(db, "l.time_us, l.record", id, starts, within, limit).await?;
    let row =
        |row: &Row| Ok(LookRow { from: row.time(0)?, to: row.time(1)?, time: row.time(2)?, inferred: row.json(3)? });
    rows.iter().map(row).collect()
}

/// Reads start, end, and why it was not looked at.
pub(crate) fn of_look(row: &Row) -> Result<Looked> {
    Ok(Looked { from: row.time(0)?, to: row.time(1)?, skipped: row.word(2)? })
}

/// Returns the earliest start of a sighting that can overlap the interval: each is of one day, and a chunk of it may go over
/// midnight.
pub(crate) fn before_sightings(within: Interval) -> i64 {
    before(within, 2 * DAY_US)
}

/// The most lists that are read one by one and merged.
const LISTS_MAX: usize = 64;

/// Returns a page of sightings. An index has the sightings of one camera, of one label, or of one label at one camera in order.
/// Those of several are therefore read as several lists: in one query, all of them would be sorted for the first page.
pub(crate) async fn sightings(db: &mut impl Executor, query: &SightingQuery) -> Result<Vec<SightingRow>> {
    let mut cameras = vec![Among::All];
    if let Some(names) = &query.cameras {
        let mut ids = BTreeSet::new();
        for name in names {
            ids.extend(camera(db, name).await?.map(|(id, _)| id));
        }
        if ids.is_empty() {
            return Ok(vec![]);
        }
        cameras = if ids.len() * query.labels.len().max(1) <= LISTS_MAX {
            ids.into_iter().map(Among::One).collect()
        } else {
            let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
            vec![Among::Each(ids.join(", "))]
        };
    }
    let labels: BTreeSet<Option<&str>> = match &query.labels[..] {
        [] => [None].into(),
        labels => labels.iter().map(|label| Some(label.as_str())).collect(),
    };
    let mut rows = Vec::new();
    for among in &cameras {
        for label in &labels {
            rows.extend(sightings_of(db, query, among, *label).await?);
        }
    }
    if cameras.len() * labels.len() > 1 {
        rows.sort_by_key(|row| std::cmp::Reverse(row.place()));
        rows.truncate(query.limit);
    }
    Ok(rows)
}

/// The sightings to read, by ids of cameras.
enum Among {
    All,
    One(i64),
    Each(String),
}

/// Returns a page of the sightings that one index has in order.
async fn sightings_of(
    db: &mut impl Executor,
    query: &SightingQuery,
    among: &Among,
    label: Option<&str>,
) -> Result<Vec<SightingRow>> {
    let within = query.within;
    let mut values = values![before_sightings(within), within.to, within.from, query.score_min, query.limit].to_vec();
    let mut place = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let mut further = match among {
        Among::All => String::new(),
        Among::One(id) => format!("AND s.camera = {}", place((*id).into())),
        Among::Each(ids) => format!("AND s.camera IN ({ids})"),
    };
    if let Some(label) = label {
        further = format!("{further} AND s.label = {}", place(label.into()));
    }
    if let Some(after) = &query.after {
        let from = place(after.from.into());
        let texts = [after.camera.site.as_str(), after.camera.camera.as_str(), &after.label, &after.series];
        let texts = texts.map(|text| place(text.into())).join(", ");
        // The second is for the index; the first decides.
        further = format!(
            "{further} AND (s.from_us, c.site, c.name, s.label, e.name) < ({from}, {texts}) AND s.from_us <= {from}"
        );
    }
    let sql = format!(
        "SELECT c.site, c.name, e.name, e.model, s.sighting FROM sighting s
            JOIN camera c ON c.id = s.camera JOIN series e ON e.id = s.series
        WHERE s.from_us >= $1 AND s.from_us < $2 AND s.to_us >= $3 AND s.score >= $4 {further}
            AND ({SINGLE_SERIES} OR NOT EXISTS (SELECT 1 FROM look l JOIN series newer ON newer.id = l.series
                WHERE l.camera = s.camera AND l.series <> s.series AND l.from_us <= s.from_us
                    AND l.from_us >= s.from_us - c.longest_us AND l.to_us > s.from_us
                    AND (newer.last_us, newer.name) > (e.last_us, e.name)))
        ORDER BY s.from_us DESC, c.site DESC, c.name DESC, s.label DESC, e.name DESC LIMIT $5"
    );
    let rows = db.query(&sql, &values).await?;
    // There are few models, and many sightings of each.
    let mut models = HashMap::<&str, Model>::new();
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let series = row.text(2)?;
        let model = match models.get(series) {
            Some(model) => model.clone(),
            None => models.entry(series).or_insert(row.json(3)?).clone(),
        };
        found.push(SightingRow { camera: name(row, 0)?, series: series.to_owned(), model, sighting: row.json(4)? });
    }
    Ok(found)
}

pub(crate) async fn reports(db: &mut impl Executor) -> Result<Vec<GatewayReported>> {
    let rows = db.query("SELECT record FROM report ORDER BY site", &[]).await?;
    rows.iter().map(|row| row.json(0)).collect()
}

/// Number of records that are kept for readers that reconnect.
const HAPPENINGS_KEPT: i64 = 100_000;

pub(crate) async fn happenings(db: &mut impl Executor, after: i64, limit: usize) -> Result<Vec<Happening>> {
    let sql = "SELECT id, record FROM happening WHERE id > $1 ORDER BY id LIMIT $2";
    let rows = db.query(sql, values![after, limit]).await?;
    rows.iter().map(|row| Ok(Happening { number: row.int(0)?, record: row.json(1)? })).collect()
}

pub(crate) async fn last_happening(db: &mut impl Executor) -> Result<i64> {
    let rows = db.query("SELECT MAX(id) FROM happening", &[]).await?;
    Ok(rows.first().map(|row| row.int_or_null(0)).transpose()?.flatten().unwrap_or(0))
}

pub(crate) async fn forget_removals(db: &mut impl Executor, before: jiff::Timestamp) -> Result<()> {
    let last = last_happening(db).await?;
    db.execute("DELETE FROM happening WHERE id <= $1", values![last - HAPPENINGS_KEPT]).await?;
    db.execute("DELETE FROM removal WHERE time_us < $1", values![before]).await
}
