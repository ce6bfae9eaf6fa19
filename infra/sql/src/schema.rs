//! The versions of the tables. Each is a list of statements that changes the tables of the version before.
//!
//! [`migrate`] brings a database to the newest version, with one transaction for each step. There is no way back: a program
//! refuses a database of a newer version than its own. A released version is never edited.
//!
//! On a server, whoever makes the tables also grants a reader what it needs ([`grant`]), so that a new version is readable from its
//! first moment on: all tables to read, and holds to write.

#[cfg(all(test, feature = "sqlite"))]
mod tests;

use crate::executor::{Dialect, Executor, values};
use framepost_ports::{Error, ErrorKind, Result};

/// The versions, the oldest first. `{id}` stands for the column of an id that the database makes, `{bytes}` for the
/// type of bytes. A line that begins with `{postgres}` is for that database alone.
const VERSIONS: [&str; 7] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
];

/// The version of this program.
const NEWEST: i64 = 7;

/// Brings the tables to the newest version. The caller ensures that nobody else does so at the same time.
pub(crate) async fn migrate(db: &mut impl Executor) -> Result<()> {
    migrate_to(db, NEWEST).await
}

/// The tables that a reader writes.
#[cfg(feature = "postgres")]
const WRITTEN: &str = "hold";

/// Fails with [`ErrorKind::Busy`] unless the tables have the version of this program, and with [`ErrorKind::Invalid`] if theirs is
/// newer. Changes nothing.
#[cfg(feature = "postgres")]
pub(crate) async fn check(db: &mut impl Executor) -> Result<()> {
    let awaited = |what: String| Error::new(ErrorKind::Busy, "open", "the catalogue").because(what);
    let is_there = "SELECT COALESCE(has_table_privilege(to_regclass('framepost_schema'), 'SELECT'), FALSE)::int";
    let rows = db.query(is_there, &[]).await?;
    if rows.first().map(|row| row.int(0)).transpose()? != Some(1) {
        return Err(awaited(
            "it has no tables that this user may read: who makes them has not been here yet".to_owned(),
        ));
    }
    let found = version(db).await?;
    if found < NEWEST {
        let what =
            format!("its tables have version {found}, and {NEWEST} is needed: who makes it has not been here yet");
        return Err(awaited(what));
    }
    refuse_newer(found)
}

/// Grants this role what a reader needs, unless it has it. The caller owns the tables.
#[cfg(feature = "postgres")]
pub(crate) async fn grant(db: &mut impl Executor, role: &str) -> Result<()> {
    let tables = tables();
    let lacks = |table: &str, right: &str| format!("NOT has_table_privilege($1::text::name, '{table}', '{right}')");
    let rights = ["INSERT", "UPDATE", "DELETE"];
    let lacking = tables.iter().map(|table| lacks(table, "SELECT")).chain(rights.map(|right| lacks(WRITTEN, right)));
    let sql = format!("SELECT ({})::int", lacking.collect::<Vec<_>>().join(" OR "));
    if db.query(&sql, values![role]).await?.first().map(|row| row.int(0)).transpose()? == Some(0) {
        return Ok(());
    }
    // No role can be called `public`, which is everybody.
    let quoted = if role == "public" { "PUBLIC".to_owned() } else { format!("\"{}\"", role.replace('"', "\"\"")) };
    let all = tables.join(", ");
    db.batch(&format!("GRANT SELECT ON {all} TO {quoted}; GRANT {} ON {WRITTEN} TO {quoted}", rights.join(", ")))
        .await?;
    tracing::info!(role, "a role may read the catalogue");
    Ok(())
}

/// The names of all tables.
#[cfg(feature = "postgres")]
fn tables() -> Vec<&'static str> {
    let made = VERSIONS.iter().flat_map(|statements| statements.lines());
    let made = made.filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next());
    std::iter::once("framepost_schema").chain(made).collect()
}

/// The version of the tables; 0 where there are none yet.
async fn version(db: &mut impl Executor) -> Result<i64> {
    let rows = db.query("SELECT MAX(version) FROM framepost_schema", &[]).await?;
    Ok(rows.first().map(|row| row.int_or_null(0)).transpose()?.flatten().unwrap_or(0))
}

fn refuse_newer(found: i64) -> Result<()> {
    if found <= NEWEST {
        return Ok(());
    }
    let what =
        format!("the catalogue has version {found} of its tables, and this program knows {NEWEST}: it is too old");
    Err(Error::new(ErrorKind::Invalid, "open", "the catalogue").because(what))
}

async fn migrate_to(db: &mut impl Executor, newest: i64) -> Result<()> {
    db.batch("CREATE TABLE IF NOT EXISTS framepost_schema (version BIGINT NOT NULL)").await?;
    let found = version(db).await?;
    refuse_newer(found)?;
    // Keys are ordered by their bytes, in any locale.
    let (id, text, bytes, postgres) = match db.dialect() {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => ("id INTEGER PRIMARY KEY", " TEXT", "BLOB", "-- "),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => {
            ("id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", " TEXT COLLATE \"C\"", "BYTEA", "")
        }
    };
    for (version, statements) in (1..=newest).zip(VERSIONS).filter(|(version, _)| *version > found) {
        let statements = statements.replace("{id}", id).replace("{bytes}", bytes);
        db.batch(&statements.replace(" TEXT", text).replace("{postgres}", postgres)).await?;
        db.execute("INSERT INTO framepost_schema (version) VALUES ($1)", values![version]).await?;
        tracing::info!(version, "the catalogue's schema was migrated");
    }
    Ok(())
}
