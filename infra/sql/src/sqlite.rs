//! The catalogue in one SQLite file on this machine.
//!
//! The file is in WAL mode: readers do not wait for the writer, and the writer not for readers. One connection writes, and a
//! few read. Each statement blocks, so all work is done on threads that may. `synchronous` is `FULL`: what [`apply`] took
//! survives a power cut. Several processes may have the file open; writers wait for each other.
//!
//! [`apply`]: framepost_ports::Catalog::apply

use crate::executor::{Asked, Dialect, Executor, Row, Value};
use crate::{hold, hours, objects, read, removal, schema, stretch, write};
use async_trait::async_trait;
use framepost_events::record::GatewayReported;
use framepost_ports::catalog::{
    Amount, CameraName, Catalog, Change, ChunkBrief, ChunkOutline, ChunkQuery, ChunkRow, GapRow, Happening, Hold,
    HoldQuery, Interval, KnownCamera, LookRow, Looked, ObjectPage, RemovedChunk, SightingQuery, SightingRow,
    SpanEndRow,
};
use framepost_ports::{Error, ErrorKind, Result};
use futures::executor::block_on as now;
use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How long a statement waits while another process writes.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections that are kept for readers.
const READERS_KEPT: usize = 8;
/// Statements that a connection keeps prepared.
const PREPARED: usize = 64;

/// A catalogue in a file. Clones share it.
#[derive(Clone)]
pub struct SqliteCatalog {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Counts the batches of changes that were written.
    written: watch::Sender<u64>,
}

impl SqliteCatalog {
    /// Opens the file, or creates it, and brings its tables to the newest version.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if the file is not a database, or a newer program made it.
    pub async fn open(file: impl Into<PathBuf>) -> Result<Self> {
        let file = file.into();
        blocking(move || {
            let mut writer = connect(&file)?;
            in_transaction(&mut writer, |db| now(schema::migrate(db)))?;
            let inner =
                Inner { file, writer: Mutex::new(writer), readers: Mutex::default(), written: watch::channel(0).0 };
            Ok(Self { inner: Arc::new(inner) })
        })
        .await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Sqlite<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        blocking(move || {
            let mut writer = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
            in_transaction(&mut writer, work)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Sqlite<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        blocking(move || {
            let kept = inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = kept.map_or_else(|| connect(&inner.file), Ok)?;
            // All statements of a question see the same rows.
            reader.execute_batch("BEGIN").map_err(|error| failed("read", error))?;
            let found = work(&mut Sqlite::new(&mut reader));
            reader.execute_batch("COMMIT").map_err(|error| failed("read", error))?;
            let mut readers = inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if readers.len() < READERS_KEPT {
                readers.push(reader);
            }
            found
        })
        .await
    }
}

/// Runs `work` in a transaction that has the right to write from its start.
fn in_transaction<T>(writer: &mut Connection, work: impl FnOnce(&mut Sqlite<'_>) -> Result<T>) -> Result<T> {
    let run = |writer: &Connection, sql| writer.execute_batch(sql).map_err(|error| failed("write", error));
    if !writer.is_autocommit() {
        // What the last one began when it panicked.
        run(writer, "ROLLBACK")?;
    }
    run(writer, "BEGIN IMMEDIATE")?;
    let done = work(&mut Sqlite::new(writer)).and_then(|done| run(writer, "COMMIT").map(|()| done));
    if done.is_err() && !writer.is_autocommit() {
        run(writer, "ROLLBACK")?;
    }
    done
}

fn connect(file: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(file, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        // The answers of these are rows.
        for pragma in ["journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -16384"] {
            connection.prepare(&format!("PRAGMA {pragma}"))?.query(())?.next()?;
        }
        Ok(connection)
    };
    open().map_err(|error| failed("open", error))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::Io, "ask", "the catalogue").because(error))?
}

fn failed(operation: &'static str, error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseCorrupt, DatabaseLocked, NotADatabase, PermissionDenied};
    let kind = match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => ErrorKind::Busy,
        Some(NotADatabase | DatabaseCorrupt) => ErrorKind::Invalid,
        Some(PermissionDenied) => ErrorKind::Denied,
        _ => ErrorKind::Io,
    };
    Error::new(kind, operation, "the catalogue").because(error)
}

pub(crate) struct Sqlite<'a> {
    connection: &'a mut Connection,
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Bytes(value) => ValueRef::Blob(value),
            #[cfg(feature = "postgres")]
            Self::List(_) => return Err(rusqlite::Error::ToSqlConversionFailure("a list".into())),
        }))
    }
}

impl<'a> Sqlite<'a> {
    pub(crate) fn new(connection: &'a mut Connection) -> Self {
        Self { connection }
    }

    fn run(&mut self, sql: &str, values: &[Value]) -> rusqlite::Result<Vec<Row>> {
        // `$7` would be a name here, whose number is that of its first use; `?7` is the seventh
        // (https://sqlite.org/lang_expr.html#varparam).
        let mut statement = self.connection.prepare_cached(&sql.replace('$', "?"))?;
        let columns = statement.column_count();
        let count = statement.parameter_count();
        let values = values.get(..count).ok_or(rusqlite::Error::InvalidParameterCount(count, values.len()))?;
        for (n, value) in (1..).zip(values) {
            statement.raw_bind_parameter(n, value)?;
        }
        let mut rows = statement.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let value = |n: usize| {
                Ok(match row.get_ref(n)? {
                    ValueRef::Integer(value) => Value::Int(value),
                    ValueRef::Real(value) => Value::Real(value),
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
                    ValueRef::Null => Value::Null,
                })
            };
            found.push(Row((0..columns).map(value).collect::<rusqlite::Result<_>>()?));
        }
        Ok(found)
    }
}

impl Executor for Sqlite<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn ask(&mut self, sql: &str, values: &[Value]) -> Result<Asked> {
        self.run(sql, values).map(Asked::Here).map_err(|error| failed("ask", error))
    }

    async fn answer(&mut self, asked: Asked) -> Result<Vec<Row>> {
        match asked {
            Asked::Here(rows) => Ok(rows),
            #[cfg(feature = "postgres")]
            Asked::Sent(_) => {
                Err(Error::new(ErrorKind::Invalid, "ask", "the catalogue").because("it was asked of another one"))
            }
        }
    }

    async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<()> {
        self.run(sql, values).map(|_| ()).map_err(|error| failed("write", error))
    }

    async fn batch(&mut self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(|error| failed("write", error))
    }
}

#[async_trait]
impl Catalog for SqliteCatalog {
    async fn apply(&self, changes: &[Change]) -> Result<()> {
        let changes = changes.to_vec();
        self.write(move |db| now(write::apply(db, &changes))).await?;
        self.inner.written.send_modify(|batches| *batches += 1);
        Ok(())
    }

    async fn cameras(&self) -> Result<Vec<KnownCamera>> {
        self.read(|db| now(read::cameras(db))).await
    }

    async fn briefs(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<ChunkBrief>> {
        let camera = camera.clone();
        self.read(move |db| now(read::briefs(db, &camera, within, limit))).await
    }

    async fn outlines(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<ChunkOutline>> {
        let camera = camera.clone();
        self.read(move |db| now(stretch::outlines(db, &camera, within, limit))).await
    }

    async fn recorded(&self, camera: &CameraName, within: &[Interval]) -> Result<Vec<Amount>> {
        let camera = camera.clone();
        let within = within.to_vec();
        self.read(move |db| now(stretch::recorded(db, &camera, &within))).await
    }

    async fn chunks(&self, query: &ChunkQuery) -> Result<Vec<ChunkRow>> {
        let query = query.clone();
        self.read(move |db| now(read::chunks(db, &query))).await
    }

    async fn chunk(&self, key: &str) -> Result<Option<ChunkRow>> {
        let key = key.to_owned();
        self.read(move |db| now(read::chunk(db, &key))).await
    }

    async fn gaps(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<GapRow>> {
        let camera = camera.clone();
        self.read(move |db| now(read::gaps(db, &camera, within, limit))).await
    }

    async fn removed(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<RemovedChunk>> {
        let camera = camera.clone();
        self.read(move |db| now(removal::removed(db, &camera, within, limit))).await
    }

    async fn span_ends(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<SpanEndRow>> {
        let camera = camera.clone();
        self.read(move |db| now(read::span_ends(db, &camera, within, limit))).await
    }

    async fn looks(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<LookRow>> {
        let camera = camera.clone();
        self.read(move |db| now(read::looks(db, &camera, within, limit))).await
    }

    async fn looked(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<Looked>> {
        let camera = camera.clone();
        self.read(move |db| now(stretch::looked(db, &camera, within, limit))).await
    }

    async fn sightings(&self, query: &SightingQuery) -> Result<Vec<SightingRow>> {
        let query = query.clone();
        self.read(move |db| now(read::sightings(db, &query))).await
    }

    async fn seen(&self, camera: &CameraName, within: Interval, limit: usize) -> Result<Vec<SightingRow>> {
        let camera = camera.clone();
        self.read(move |db| now(stretch::seen(db, &camera, within, limit))).await
    }

    async fn reports(&self) -> Result<Vec<GatewayReported>> {
        self.read(|db| now(read::reports(db))).await
    }

    async fn happenings(&self, after: i64, limit: usize) -> Result<Vec<Happening>> {
        self.read(move |db| now(read::happenings(db, after, limit))).await
    }

    fn written(&self) -> Option<watch::Receiver<u64>> {
        Some(self.inner.written.subscribe())
    }

    async fn last_happening(&self) -> Result<i64> {
        self.read(|db| now(read::last_happening(db))).await
    }

    async fn forget_removals(&self, before: Timestamp) -> Result<()> {
        self.write(move |db| now(read::forget_removals(db, before))).await
    }

    async fn pack(&self, time: Timestamp) -> Result<()> {
        for _ in 0..hours::TRANSACTIONS {
            let packed = self.write(move |db| now(hours::pack(db, time.as_microsecond(), hours::PACKED_AT_ONCE)));
            if packed.await? == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn hold(&self, hold: &Hold) -> Result<()> {
        let hold = hold.clone();
        self.write(move |db| now(hold::hold(db, &hold))).await
    }

    async fn held(&self, id: &str) -> Result<Option<Hold>> {
        let id = id.to_owned();
        self.read(move |db| now(hold::held(db, &id))).await
    }

    async fn holds(&self, query: &HoldQuery) -> Result<Vec<Hold>> {
        let query = query.clone();
        self.read(move |db| now(hold::holds(db, &query))).await
    }

    async fn release(&self, id: &str) -> Result<()> {
        let id = id.to_owned();
        self.write(move |db| now(hold::release(db, &id))).await
    }

    async fn objects(&self, after: &str, limit: usize) -> Result<ObjectPage> {
        let after = after.to_owned();
        self.read(move |db| now(objects::objects(db, &after, limit))).await
    }

    async fn mark(&self, name: &str) -> Result<Option<String>> {
        let name = name.to_owned();
        self.read(move |db| now(objects::mark(db, &name))).await
    }

    async fn set_mark(&self, name: &str, text: &str) -> Result<()> {
        let name = name.to_owned();
        let text = text.to_owned();
        self.write(move |db| now(objects::set_mark(db, &name, &text))).await
    }
}
