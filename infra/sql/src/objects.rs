//! Objects that have rows, and how far a comparison of them with a bucket is.

use crate::executor::{Executor, values};
use crate::read::object;
use framepost_ports::Result;
use framepost_ports::catalog::{KnownObject, ObjectPage};
use std::collections::BTreeMap;

/// The tables whose rows are of objects.
const TABLES: [&str; 5] = ["chunk", "gap", "span_end", "reject", "look"];

pub(crate) async fn objects(db: &mut impl Executor, after: &str, limit: usize) -> Result<ObjectPage> {
    let mut known = BTreeMap::<(String, String), KnownObject>::new();
    let mut until: Option<String> = None;
    for table in TABLES {
        let sql = format!(
            "SELECT key, place, version, time_us FROM {table} WHERE key > $1 ORDER BY key, place, version LIMIT $2"
        );
        let rows = db.query(&sql, values![after, limit + 1]).await?;
        if rows.len() > limit {
            // The last key may have more versions. A key with more versions than a page has rows is not told to its end.
            let last = rows.last().map(|row| row.text(0)).transpose()?;
            let mut before = None;
            for row in &rows {
                let key = row.text(0)?;
                before = before.max(Some(key).filter(|key| Some(*key) < last));
            }
            let here = before.or(last).map(str::to_owned);
            until = match (until, here) {
                (Some(until), Some(here)) => Some(until.min(here)),
                (until, here) => until.or(here),
            };
        }
        for row in &rows {
            let object = object(row, 0)?;
            let time = row.time(3)?;
            let place = (object.key.clone(), object.identity());
            let one = known.entry(place).or_insert(KnownObject { object, time });
            one.time = one.time.max(time);
        }
    }
    let is_within = |key: &str| until.as_deref().is_none_or(|until| key <= until);
    let objects = known.into_values().filter(|known| is_within(&known.object.key)).collect();
    Ok(ObjectPage { objects, until })
}

pub(crate) async fn mark(db: &mut impl Executor, name: &str) -> Result<Option<String>> {
    let rows = db.query("SELECT value FROM mark WHERE name = $1", values![name]).await?;
    rows.first().map(|row| row.text(0).map(str::to_owned)).transpose()
}

pub(crate) async fn set_mark(db: &mut impl Executor, name: &str, text: &str) -> Result<()> {
    let sql = "INSERT INTO mark (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    db.execute(sql, values![name, text]).await
}
