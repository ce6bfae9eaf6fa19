//! What the rules need from a database: statements with values, and rows of values.

use framepost_ports::{Error, ErrorKind, Result};
use jiff::Timestamp;
use serde::de::value::StrDeserializer;

/// The database, where its SQL differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    Postgres,
}

/// A value of a statement or a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// Values of one column, one for each row.
    #[cfg(feature = "postgres")]
    List(Vec<Self>),
}

macro_rules! from {
    ($($Type:ty: $value:ident => $made:expr,)+) => {
        $(impl From<$Type> for Value {
            fn from($value: $Type) -> Self {
                $made
            }
        })+
    };
}

from! {
    i64: value => Self::Int(value),
    u32: value => Self::Int(value.into()),
    // Sizes and counts of more than 2^63 do not exist.
    u64: value => Self::Int(i64::try_from(value).unwrap_or(i64::MAX)),
    usize: value => Self::Int(i64::try_from(value).unwrap_or(i64::MAX)),
    bool: value => Self::Int(value.into()),
    f64: value => Self::Real(value),
    &str: value => Self::Text(value.to_owned()),
    String: value => Self::Text(value),
    Vec<u8>: value => Self::Bytes(value),
    Timestamp: value => Self::Int(value.as_microsecond()),
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The values of a statement.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::executor::Value::from($value)),*] };
}
pub(crate) use values;

/// The values of a row.
macro_rules! row {
    ($($value:expr),* $(,)?) => { vec![$($crate::executor::Value::from($value)),*] };
}
pub(crate) use row;

/// A row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    fn wrong(&self, at: usize, expected: &str) -> Error {
        let what = format!("column {at} is {:?}, not {expected}", self.0.get(at));
        Error::new(ErrorKind::Corrupt, "read", "the catalogue").because(what)
    }

    pub(crate) fn int_or_null(&self, at: usize) -> Result<Option<i64>> {
        match self.0.get(at) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.wrong(at, "a whole number")),
        }
    }

    pub(crate) fn int(&self, at: usize) -> Result<i64> {
        self.int_or_null(at)?.ok_or_else(|| self.wrong(at, "a whole number"))
    }

    pub(crate) fn real_or_null(&self, at: usize) -> Result<Option<f64>> {
        match self.0.get(at) {
            Some(Value::Real(value)) => Ok(Some(*value)),
            Some(Value::Int(value)) => Ok(Some(*value as f64)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.wrong(at, "a number")),
        }
    }

    pub(crate) fn text(&self, at: usize) -> Result<&str> {
        self.text_or_null(at)?.ok_or_else(|| self.wrong(at, "a text"))
    }

    pub(crate) fn text_or_null(&self, at: usize) -> Result<Option<&str>> {
        match self.0.get(at) {
            Some(Value::Text(value)) => Ok(Some(value)),
            Some(Value::Null) => Ok(None),
            _ => Err(self.wrong(at, "a text")),
        }
    }

    pub(crate) fn bytes(&self, at: usize) -> Result<&[u8]> {
        match self.0.get(at) {
            Some(Value::Bytes(value)) => Ok(value),
            _ => Err(self.wrong(at, "bytes")),
        }
    }

    pub(crate) fn time(&self, at: usize) -> Result<Timestamp> {
        Timestamp::from_microsecond(self.int(at)?).map_err(|_| self.wrong(at, "a time"))
    }

    /// Parses a column of JSON that serde wrote.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, at: usize) -> Result<T> {
        serde_json::from_str(self.text(at)?).map_err(|_| self.wrong(at, "JSON of its kind"))
    }

    /// Reads the word of a unit variant.
    pub(crate) fn word<T: serde::de::DeserializeOwned>(&self, at: usize) -> Result<Option<T>> {
        let Some(word) = self.text_or_null(at)? else { return Ok(None) };
        let word = StrDeserializer::<serde::de::value::Error>::new(word);
        T::deserialize(word).map(Some).map_err(|_| self.wrong(at, "a word of its kind"))
    }
}

/// The answer to a statement, which may be on its way. It is given to [`Executor::answer`] of the same connection.
#[derive(Debug)]
pub(crate) enum Asked {
    /// It is there.
    #[cfg(feature = "sqlite")]
    Here(Vec<Row>),
    /// It is what the server sends for the statement with this number.
    #[cfg(feature = "postgres")]
    Sent(u64),
}

/// Runs statements on one connection, in the order of the calls. Statements stay prepared, so only few different texts are used.
///
/// A server far away is sent several statements without waiting for the answers. What goes wrong with one may therefore be
/// returned by a later call, at the end of the transaction at the latest.
pub(crate) trait Executor: Send {
    fn dialect(&self) -> Dialect;

    /// Runs a statement, whose rows are asked for later.
    fn ask(&mut self, sql: &str, values: &[Value]) -> impl Future<Output = Result<Asked>> + Send;

    /// The same, with values that are not needed any more.
    fn ask_with(&mut self, sql: &str, values: Vec<Value>) -> impl Future<Output = Result<Asked>> + Send {
        async move { self.ask(sql, &values).await }
    }

    /// Runs a statement that has no rows, with values that are not needed any more.
    fn execute_with(&mut self, sql: &str, values: Vec<Value>) -> impl Future<Output = Result<()>> + Send {
        async move { self.execute(sql, &values).await }
    }

    /// Returns the rows of a statement.
    fn answer(&mut self, asked: Asked) -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// Runs a statement and returns its rows.
    fn query(&mut self, sql: &str, values: &[Value]) -> impl Future<Output = Result<Vec<Row>>> + Send {
        async move {
            let asked = self.ask(sql, values).await?;
            self.answer(asked).await
        }
    }

    /// Runs a statement that has no rows.
    fn execute(&mut self, sql: &str, values: &[Value]) -> impl Future<Output = Result<()>> + Send;

    /// Runs statements without values, separated by semicolons.
    fn batch(&mut self, sql: &str) -> impl Future<Output = Result<()>> + Send;
}
