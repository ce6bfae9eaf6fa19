//! One connection to PostgreSQL, on which statements do not wait for each other's answers.
//!
//! The server runs statements in the order in which they were sent, and answers in that order (PostgreSQL 15 documentation, §55.2.4,
//! pipelining). So a batch of changes costs a few round trips and not one for each statement. After a statement fails in a
//! transaction, the server refuses those behind it. Answers are taken in order, so the first failure is the one that is returned.

use crate::executor::{Asked, Dialect, Executor, Row, Value};
use crate::postgres_error::failed;
use bytes::BytesMut;
use framepost_ports::{Error, ErrorKind, Result};
use futures::future::BoxFuture;
use std::collections::{HashMap, VecDeque};
use std::error::Error as StdError;
use std::sync::Arc;
use std::task::Poll;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Statement};

/// Statements whose answers are on their way, at most.
const SENT_MAX: usize = 512;

type Answer = std::result::Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>;

/// A connection, with the statements that were prepared on it.
pub(crate) struct Postgres {
    client: Arc<Client>,
    prepared: HashMap<String, Statement>,
    /// Statements that were sent, the oldest first.
    sent: VecDeque<Sent>,
    /// Rows that came for statements that were not asked for them yet.
    here: HashMap<u64, Vec<Row>>,
    next: u64,
}

/// A statement that was sent.
struct Sent {
    /// Its number, if somebody will ask for its rows.
    number: Option<u64>,
    answer: Coming,
}

enum Coming {
    Later(BoxFuture<'static, Answer>),
    Here(Answer),
}

impl ToSql for Value {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> std::result::Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) if *of == Type::INT4 => i32::try_from(*value)?.to_sql(of, out),
            Self::Int(value) if *of == Type::FLOAT8 => (*value as f64).to_sql(of, out),
            Self::Int(value) => value.to_sql(of, out),
            Self::Real(value) => value.to_sql(of, out),
            Self::Text(value) => value.to_sql(of, out),
            Self::Bytes(value) => value.to_sql(of, out),
            Self::List(values) if matches!(of.kind(), Kind::Array(_)) => values.to_sql(of, out),
            Self::List(_) => Err(format!("a list for a value of the type {of}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl Postgres {
    pub(crate) fn new(client: Client) -> Self {
        let client = Arc::new(client);
        Self { client, prepared: HashMap::new(), sent: VecDeque::new(), here: HashMap::new(), next: 0 }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    async fn send(&mut self, number: Option<u64>, sql: &str, values: Vec<Value>) -> Result<()> {
        let known = self.prepared.get(sql).cloned();
        let statement = if let Some(statement) = known {
            statement
        } else {
            let statement = match self.client.prepare(sql).await {
                Ok(statement) => statement,
                Err(error) => {
                    // After an error the server refuses everything until the transaction ends. What went wrong is the first one.
                    while !self.sent.is_empty() {
                        self.receive().await?;
                    }
                    return Err(failed("ask", error));
                }
            };
            self.prepared.insert(sql.to_owned(), statement.clone());
            statement
        };
        let client = self.client.clone();
        let mut later: BoxFuture<'static, Answer> = Box::pin(async move {
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            client.query(&statement, &values).await
        });
        // It is sent when it is looked at for the first time.
        let first = std::future::poll_fn(|context| Poll::Ready(later.as_mut().poll(context))).await;
        let answer = match first {
            Poll::Ready(answer) => Coming::Here(answer),
            Poll::Pending => Coming::Later(later),
        };
        self.sent.push_back(Sent { number, answer });
        while self.sent.len() > SENT_MAX {
            self.receive().await?;
        }
        Ok(())
    }

    /// Waits for the answer to the oldest statement.
    async fn receive(&mut self) -> Result<()> {
        let Some(Sent { number, answer }) = self.sent.pop_front() else { return Ok(()) };
        let answer = match answer {
            Coming::Later(answer) => answer.await,
            Coming::Here(answer) => answer,
        };
        let rows = answer.map_err(|error| failed("ask", error))?;
        if let Some(number) = number {
            self.here.insert(number, rows.iter().map(read_row).collect::<Result<_>>()?);
        }
        Ok(())
    }
}

impl Executor for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    async fn ask(&mut self, sql: &str, values: &[Value]) -> Result<Asked> {
        self.ask_with(sql, values.to_vec()).await
    }

    async fn ask_with(&mut self, sql: &str, values: Vec<Value>) -> Result<Asked> {
        let number = self.next;
        self.next += 1;
        self.send(Some(number), sql, values).await?;
        Ok(Asked::Sent(number))
    }

    async fn execute_with(&mut self, sql: &str, values: Vec<Value>) -> Result<()> {
        self.send(None, sql, values).await
    }

    async fn answer(&mut self, asked: Asked) -> Result<Vec<Row>> {
        let number = match asked {
            Asked::Sent(number) => number,
            #[cfg(feature = "sqlite")]
            Asked::Here(rows) => return Ok(rows),
        };
        loop {
            if let Some(rows) = self.here.remove(&number) {
                return Ok(rows);
            }
            if self.sent.is_empty() {
                return Err(
                    Error::new(ErrorKind::Invalid, "ask", "the catalogue").because("it was asked of another one")
                );
            }
            self.receive().await?;
        }
    }

    async fn execute(&mut self, sql: &str, values: &[Value]) -> Result<()> {
        self.send(None, sql, values.to_vec()).await
    }

    async fn batch(&mut self, sql: &str) -> Result<()> {
        // A transaction is not ended before it is known that all of it went well.
        while !self.sent.is_empty() {
            self.receive().await?;
        }
        self.client.batch_execute(sql).await.map_err(|error| failed("write", error))
    }
}

fn read_row(row: &tokio_postgres::Row) -> Result<Row> {
    let value = |(n, column): (usize, &tokio_postgres::Column)| {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(n)?.map(Value::Int),
            Type::INT4 => row.try_get::<_, Option<i32>>(n)?.map(|value| Value::Int(value.into())),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(n)?.map(Value::Real),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(n)?.map(Value::Bytes),
            _ => row.try_get::<_, Option<String>>(n)?.map(Value::Text),
        };
        Ok(value.unwrap_or(Value::Null))
    };
    let values = row.columns().iter().enumerate().map(value).collect::<std::result::Result<_, tokio_postgres::Error>>();
    values.map(Row).map_err(|error| failed("read", error))
}
