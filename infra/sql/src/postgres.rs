//! The catalogue on a server, version 13 or newer.
//!
//! Connections are made when they are needed, kept, and made anew where one broke. Writers take one lock of the database for
//! the length of their transaction: two that build the sightings of one camera at the same time would each miss what the other
//! has not committed. Readers take none.
//!
//! A user that only reads makes no tables (`tables=awaited`). It connects before they are there, and each question fails with
//! [`ErrorKind::Busy`] until whoever makes them has brought them to this program's version.

use crate::cloud::Nobody;
use crate::executor::{Executor as _, Value};
use crate::login::{Login, Tables};
use crate::pipeline::Postgres;
use crate::{Passwords, hold, hours, objects, read, removal, schema, stretch, write};
use async_trait::async_trait;
use framepost_events::record::GatewayReported;
use framepost_ports::catalog::{
    Amount, CameraName, Catalog, Change, ChunkBrief, ChunkOutline, ChunkQuery, ChunkRow, GapRow, Happening, Hold,
    HoldQuery, Interval, KnownCamera, LookRow, Looked, ObjectPage, RemovedChunk, SightingQuery, SightingRow,
    SpanEndRow,
};
use framepost_ports::{Error, ErrorKind, Result};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{AcquireError, Semaphore, SemaphorePermit};

/// Connections of one process at a time.
const CONNECTIONS: usize = 8;
/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The lock of writers. Any number that no other program takes.
const WRITERS_LOCK: i64 = 0x4652_414d_4550_4f53;

/// A catalogue on a server. Clones are the same one.
#[derive(Clone)]
pub struct PostgresCatalog {
    inner: Arc<Inner>,
}

struct Inner {
    login: Login,
    places: Semaphore,
    idle: Mutex<Vec<Postgres>>,
    /// The tables were seen to have this program's version.
    is_newest: AtomicBool,
}

/// Runs `$work` in a transaction of `$catalog`.
macro_rules! within {
    ($kind:ident, $catalog:expr, |$db:ident| $work:expr) => {{
        let (place, mut db) = $catalog.begin(Kind::$kind).await?;
        let $db = &mut db;
        let done = $work.await?;
        $catalog.commit(db).await?;
        drop(place);
        Ok(done)
    }};
}

impl PostgresCatalog {
    /// Connects to the database of this URL and brings its tables to the newest version.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the URL is none, the tables are of a newer program, or there is no such reader;
    /// [`ErrorKind::Denied`] if the server does not know the user, or the user may not make tables.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, Arc::new(Nobody)).await
    }

    /// The same, with `passwords` for a user whom a cloud vouches for (`login=aws`, `login=gcp`).
    ///
    /// # Errors
    ///
    /// The same, and those of `passwords`.
    pub async fn connect_with(url: &str, passwords: Arc<dyn Passwords>) -> Result<Self> {
        let mut login = Login::of(url, passwords)?;
        login.config().connect_timeout(PATIENCE).application_name("framepost");
        let inner = Inner {
            login,
            places: Semaphore::new(CONNECTIONS),
            idle: Mutex::default(),
            is_newest: AtomicBool::new(false),
        };
        let catalog = Self { inner: Arc::new(inner) };
        match catalog.inner.login.tables {
            Tables::Made => catalog.make_tables().await?,
            Tables::Awaited => match catalog.cameras().await {
                Err(error) if error.kind() == ErrorKind::Busy => {
                    tracing::warn!(error = framepost_ports::chain(&error), "the catalogue is awaited");
                }
                answered => drop(answered?),
            },
        }
        Ok(catalog)
    }

    /// Brings the tables to the newest version, and grants the reader what it needs.
    async fn make_tables(&self) -> Result<()> {
        let (place, mut db) = self.begin_on_any(Kind::Write).await?;
        schema::migrate(&mut db).await?;
        if let Some(role) = &self.inner.login.reader {
            schema::grant(&mut db, role).await?;
        }
        self.commit(db).await?;
        drop(place);
        self.inner.is_newest.store(true, Ordering::Release);
        Ok(())
    }

    async fn connection(&self) -> Result<Postgres> {
        loop {
            let idle = self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(connection) if !connection.is_closed() => return Ok(connection),
                Some(_) => {}
                None => break,
            }
        }
        let (client, connection) = self.inner.login.connect().await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(error = framepost_ports::chain(&error), "a connection to the catalogue was lost");
            }
        });
        Ok(Postgres::new(client))
    }

    /// Begins a transaction. A connection that is dropped before its end is closed, which rolls it back. Fails with
    /// [`ErrorKind::Busy`] until the tables have this program's version.
    async fn begin(&self, kind: Kind) -> Result<(SemaphorePermit<'_>, Postgres)> {
        let (place, mut db) = self.begin_on_any(kind).await?;
        if !self.inner.is_newest.load(Ordering::Acquire) {
            schema::check(&mut db).await?;
            self.inner.is_newest.store(true, Ordering::Release);
        }
        Ok((place, db))
    }

    /// Begins a transaction, whatever tables there are.
    async fn begin_on_any(&self, kind: Kind) -> Result<(SemaphorePermit<'_>, Postgres)> {
        let closed = |error: AcquireError| Error::new(ErrorKind::Io, "ask", "the catalogue").because(error);
        let place = self.inner.places.acquire().await.map_err(closed)?;
        let mut db = self.connection().await?;
        db.batch(match kind {
            Kind::Read => "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Kind::Write => "BEGIN",
        })
        .await?;
        if matches!(kind, Kind::Write) {
            db.query("SELECT 1 FROM (SELECT pg_advisory_xact_lock($1)) AS locked", &[Value::Int(WRITERS_LOCK)]).await?;
        }
        Ok((place, db))
    }

    async fn commit(&self, mut db: Postgres) -> Result<()> {
        db.batch("COMMIT").await?;
        self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Read,
    Write,
}

#[async_trait]
impl Catalog for PostgresCatalog {
    async fn apply(&self, changes: &[Change]) -> Result<()> {
        within!(Write, self, |db| write::apply(db, changes))
    }

    async fn cameras(&self) -> Result<Vec<KnownCamera>> {
        within!(Read, self, |db| read::cameras(db))
    }

    async fn briefs(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<ChunkBrief>> {
        within!(Read, self, |db| read::briefs(db, camera, within, limit))
    }

    async fn outlines(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<ChunkOutline>> {
        within!(Read, self, |db| stretch::outlines(db, camera, within, limit))
    }

    async fn recorded(&self, camera: &CameraName, within: &[Interval]) -> Result<Vec<Amount>> {
        within!(Read, self, |db| stretch::recorded(db, camera, within))
    }

    async fn chunks(&self, query: &ChunkQuery) -> Result<Vec<ChunkRow>> {
        within!(Read, self, |db| read::chunks(db, query))
    }

    async fn chunk(&self, key: &str) -> Result<Option<ChunkRow>> {
        within!(Read, self, |db| read::chunk(db, key))
    }

    async fn gaps(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<GapRow>> {
        within!(Read, self, |db| read::gaps(db, camera, within, limit))
    }

    async fn removed(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<RemovedChunk>> {
        within!(Read, self, |db| removal::removed(db, camera, within, limit))
    }

    async fn span_ends(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<SpanEndRow>> {
        within!(Read, self, |db| read::span_ends(db, camera, within, limit))
    }

    async fn looks(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<LookRow>> {
        within!(Read, self, |db| read::looks(db, camera, within, limit))
    }

    async fn looked(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<Looked>> {
        within!(Read, self, |db| stretch::looked(db, camera, within, limit))
    }

    async fn sightings(&self, query: &SightingQuery) -> Result<Vec<SightingRow>> {
        within!(Read, self, |db| read::sightings(db, query))
    }

    async fn seen(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<SightingRow>> {
        within!(Read, self, |db| stretch::seen(db, camera, within, limit))
    }

    async fn reports(&self) -> Result<Vec<GatewayReported>> {
        within!(Read, self, |db| read::reports(db))
    }

    async fn happenings(&self, after: i64, limit: usize) -> Result<Vec<Happening>> {
        within!(Read, self, |db| read::happenings(db, after, limit))
    }

    async fn last_happening(&self) -> Result<i64> {
        within!(Read, self, |db| read::last_happening(db))
    }

    async fn forget_removals(&self, before: Timestamp) -> Result<()> {
        within!(Write, self, |db| read::forget_removals(db, before))
    }

    async fn pack(&self, time: Timestamp) -> Result<()> {
        for _ in 0..hours::TRANSACTIONS {
            let pack =
                async || within!(Write, self, |db| hours::pack(db, time.as_microsecond(), hours::PACKED_AT_ONCE));
            if pack().await? == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn hold(&self, hold: &Hold) -> Result<()> {
        within!(Write, self, |db| hold::hold(db, hold))
    }

    async fn held(&self, id: &str) -> Result<Option<Hold>> {
        within!(Read, self, |db| hold::held(db, id))
    }

    async fn holds(&self, query: &HoldQuery) -> Result<Vec<Hold>> {
        within!(Read, self, |db| hold::holds(db, query))
    }

    async fn release(&self, id: &str) -> Result<()> {
        within!(Write, self, |db| hold::release(db, id))
    }

    async fn objects(&self, after: &str, limit: usize) -> Result<ObjectPage> {
        within!(Read, self, |db| objects::objects(db, after, limit))
    }

    async fn mark(&self, name: &str) -> Result<Option<String>> {
        within!(Read, self, |db| objects::mark(db, name))
    }

    async fn set_mark(&self, name: &str, text: &str) -> Result<()> {
        within!(Write, self, |db| objects::set_mark(db, name, text))
    }
}
