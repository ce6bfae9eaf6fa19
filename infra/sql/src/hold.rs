//! Holds, which are kept as they are.

use crate::about::plain;
use crate::executor::{Executor, Row, Value, values};
use crate::read::name;
use framepost_ports::Result;
use framepost_ports::catalog::{Hold, HoldQuery, Interval};

const COLUMNS: &str = "id, site, name, from_us, to_us, reason, created_us, created_by";

pub(crate) async fn hold(db: &mut impl Executor, hold: &Hold) -> Result<()> {
    let sql = "INSERT INTO hold (id, site, name, from_us, to_us, reason, created_us, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET
        site = excluded.site, name = excluded.name, from_us = excluded.from_us, to_us = excluded.to_us,
        reason = excluded.reason, created_us = excluded.created_us, created_by = excluded.created_by";
    let Hold { id, camera, within, reason, created, created_by } = hold;
    let values = values![
        id.as_str(),
        camera.site.as_str(),
        camera.camera.as_str(),
        within.from,
        within.to,
        plain(reason),
        *created,
        created_by.as_deref(),
    ];
    db.execute(sql, values).await
}

pub(crate) async fn held(db: &mut impl Executor, id: &str) -> Result<Option<Hold>> {
    let sql = format!("SELECT {COLUMNS} FROM hold WHERE id = $1");
    db.query(&sql, values![id]).await?.first().map(row).transpose()
}

pub(crate) async fn holds(db: &mut impl Executor, query: &HoldQuery) -> Result<Vec<Hold>> {
    let mut values = values![query.within.from, query.within.to, query.limit].to_vec();
    let mut place = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let mut further = String::new();
    if let Some(after) = &query.after {
        let created = place(after.created.into());
        let id = place(after.id.as_str().into());
        further = format!("AND (created_us, id) < ({created}, {id})");
    }
    if let Some(among) = &query.among {
        let mut each: Vec<String> = Vec::with_capacity(among.len());
        for whose in among {
            let site = place(whose.site.as_str().into());
            each.push(match &whose.camera {
                Some(camera) => format!("(site = {site} AND name = {})", place(camera.as_str().into())),
                None => format!("site = {site}"),
            });
        }
        if each.is_empty() {
            return Ok(vec![]);
        }
        further = format!("{further} AND ({})", each.join(" OR "));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM hold WHERE to_us > $1 AND from_us < $2 {further}
            ORDER BY created_us DESC, id DESC LIMIT $3"
    );
    db.query(&sql, &values).await?.iter().map(row).collect()
}

pub(crate) async fn release(db: &mut impl Executor, id: &str) -> Result<()> {
    db.execute("DELETE FROM hold WHERE id = $1", values![id]).await
}

fn row(row: &Row) -> Result<Hold> {
    Ok(Hold {
        id: row.text(0)?.to_owned(),
        camera: name(row, 1)?,
        within: Interval { from: row.time(3)?, to: row.time(4)? },
        reason: row.text(5)?.to_owned(),
        created: row.time(6)?,
        created_by: row.text_or_null(7)?.map(str::to_owned),
    })
}
