//! Rows that wait to be written, many by one statement: a database takes them in a fraction of the time of a statement each.
//!
//! PostgreSQL takes any number of rows by one text, a list for each column, and SQLite by a few texts with a place for each value.
//!
//! A statement may change a row only once (PostgreSQL 15 documentation, INSERT, ON CONFLICT: "deterministic"). So of several
//! versions of a row only the one waits that would be left if they were written one after the other.

use crate::executor::{Asked, Dialect, Executor, Value};
use framepost_ports::Result;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// How many rows one statement with places writes, so that there are few different statements.
#[cfg(feature = "sqlite")]
const ROWS: [usize; 3] = [64, 8, 1];

/// How many keys one statement with places is about.
#[cfg(feature = "sqlite")]
const KEYS: [usize; 3] = [1, 16, 128];

/// A row's version of an object: key, place and version.
pub(crate) type OfObject = (String, String, String);

/// Rows of a table that wait, by what makes them one row. Each has the time of its record in µs.
pub(crate) type Waiting<K> = BTreeMap<K, (i64, Vec<Value>)>;

/// Adds a row, unless a later record has its place. Of two records of the same time, the second has it.
pub(crate) fn wait<K: Ord>(rows: &mut Waiting<K>, key: K, time_us: i64, row: Vec<Value>) {
    let later = rows.get(&key).is_some_and(|(there_us, _)| *there_us > time_us);
    if !later {
        rows.insert(key, (time_us, row));
    }
}

/// A statement that inserts rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Insert {
    pub(crate) table: &'static str,
    /// The columns that are given, each with its type: `name text, value bigint`.
    pub(crate) columns: &'static str,
    /// What stands behind the rows.
    pub(crate) rest: &'static str,
}

/// Texts of statements, by their numbers of rows.
type Texts = HashMap<(Insert, usize), Arc<str>>;

/// Those that were made. There are few, and each is long.
static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);

impl Insert {
    /// Writes these rows, which have a value for each column.
    pub(crate) async fn write(self, db: &mut impl Executor, rows: impl IntoIterator<Item = Vec<Value>>) -> Result<()> {
        for (sql, values) in self.statements(db.dialect(), rows) {
            db.execute_with(&sql, values).await?;
        }
        Ok(())
    }

    /// The same. Returns what brings the rows that the statements return.
    pub(crate) async fn ask(
        self,
        db: &mut impl Executor,
        rows: impl IntoIterator<Item = Vec<Value>>,
    ) -> Result<Vec<Asked>> {
        let mut asked = Vec::new();
        for (sql, values) in self.statements(db.dialect(), rows) {
            asked.push(db.ask_with(&sql, values).await?);
        }
        Ok(asked)
    }

    /// The text of the statement that inserts what is made by `rows`. Texts are kept by `count`.
    fn text(self, count: usize, rows: impl FnOnce() -> String) -> Arc<str> {
        let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
        let text = || {
            let names: Vec<&str> = columns(self.columns).map(|(name, _)| name).collect();
            format!("INSERT INTO {} ({}) {} {}", self.table, names.join(", "), rows(), self.rest).into()
        };
        texts.entry((self, count)).or_insert_with(text).clone()
    }

    fn statements(self, dialect: Dialect, rows: impl IntoIterator<Item = Vec<Value>>) -> Vec<(Arc<str>, Vec<Value>)> {
        let rows: Vec<Vec<Value>> = rows.into_iter().collect();
        match dialect {
            #[cfg(feature = "sqlite")]
            Dialect::Sqlite => self.of_places(rows),
            #[cfg(feature = "postgres")]
            Dialect::Postgres if rows.is_empty() => vec![],
            #[cfg(feature = "postgres")]
            Dialect::Postgres => {
                let text = self.text(0, || format!("SELECT * FROM {}", unnest(self.columns)));
                vec![(text, lists(columns(self.columns).count(), rows))]
            }
        }
    }

    /// Statements with a place for each value.
    #[cfg(feature = "sqlite")]
    fn of_places(self, rows: Vec<Vec<Value>>) -> Vec<(Arc<str>, Vec<Value>)> {
        let columns = columns(self.columns).count();
        let mut rows = rows.into_iter();
        let mut statements = Vec::new();
        while rows.len() > 0 {
            let count = ROWS.into_iter().find(|count| *count <= rows.len()).unwrap_or(1);
            let mut values = Vec::with_capacity(count * columns);
            values.extend(rows.by_ref().take(count).flatten());
            statements.push((self.text(count, || format!("VALUES {}", tuples(count, columns))), values));
        }
        statements
    }
}

/// The columns of a text like that of an [`Insert`]: their names and types.
fn columns(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(',').filter_map(|column| column.trim().split_once(' '))
}

/// What makes rows of a list for each column.
#[cfg(feature = "postgres")]
fn unnest(text: &str) -> String {
    let places: Vec<String> =
        columns(text).enumerate().map(|(n, (_, of_type))| format!("${}::{of_type}[]", n + 1)).collect();
    format!("unnest({})", places.join(", "))
}

/// Rows of so many columns as a list for each column.
#[cfg(feature = "postgres")]
fn lists(columns: usize, rows: Vec<Vec<Value>>) -> Vec<Value> {
    let mut lists: Vec<Vec<Value>> = (0..columns).map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        for (list, value) in lists.iter_mut().zip(row) {
            list.push(value);
        }
    }
    lists.into_iter().map(Value::List).collect()
}

/// `($1, $2), ($3, $4)`: so many rows of so many values.
#[cfg(feature = "sqlite")]
fn tuples(rows: usize, columns: usize) -> String {
    let tuple = |row: usize| {
        let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(tuple).collect::<Vec<_>>().join(", ")
}

/// Conditions which together hold for the rows whose `text` columns (`site text, name text`) are one of these.
pub(crate) fn one_of(dialect: Dialect, text: &str, keys: Vec<Vec<Value>>) -> Vec<(String, Vec<Value>)> {
    if keys.is_empty() {
        return vec![];
    }
    let names: Vec<&str> = columns(text).map(|(name, _)| name).collect();
    let names = names.join(", ");
    let count = columns(text).count();
    match dialect {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => {
            let condition = |keys: Vec<&Vec<Value>>| {
                let among =
                    if count == 1 { tuples(1, keys.len()) } else { format!("(VALUES {})", tuples(keys.len(), count)) };
                (format!("({names}) IN {among}"), keys.into_iter().flatten().cloned().collect())
            };
            filled(&keys).into_iter().map(condition).collect()
        }
        #[cfg(feature = "postgres")]
        Dialect::Postgres => {
            let condition = if count == 1 {
                let of_type = columns(text).map(|(_, of_type)| of_type).collect::<String>();
                format!("{names} = ANY($1::{of_type}[])")
            } else {
                format!("({names}) IN (SELECT * FROM {})", unnest(text))
            };
            vec![(condition, lists(count, keys))]
        }
    }
}

/// Returns the keys in pieces of a few lengths, so that there are few different statements. The last key fills what is left.
#[cfg(feature = "sqlite")]
fn filled<T>(keys: &[T]) -> Vec<Vec<&T>> {
    let mut pieces = Vec::new();
    let mut rest = keys;
    while let Some(last) = rest.last() {
        let most = KEYS.into_iter().find(|most| *most >= rest.len()).unwrap_or(KEYS[KEYS.len() - 1]);
        let (now, later) = rest.split_at(most.min(rest.len()));
        pieces.push(now.iter().chain(std::iter::repeat(last)).take(most).collect());
        rest = later;
    }
    pieces
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::executor::{row, values};

    #[test]
    fn rows_are_written_many_at_a_time() {
        let insert = Insert { table: "t", columns: "a bigint, b text", rest: "ON CONFLICT DO NOTHING" };
        let statements = insert.statements(Dialect::Sqlite, (0..138_i64).map(|n| values![n, "x"].to_vec()));
        let counts: Vec<usize> = statements.iter().map(|(_, values)| values.len() / 2).collect();
        assert_eq!(counts, [64, 64, 8, 1, 1]);
        assert_eq!(&*statements[3].0, "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        assert!(statements[2].0.contains("($1, $2), ($3, $4), "), "{}", statements[2].0);
        let written: Vec<&Value> = statements.iter().flat_map(|(_, values)| values.iter().step_by(2)).collect();
        assert!((0..138).map(Value::Int).eq(written.into_iter().cloned()), "in their order");
        assert!(insert.statements(Dialect::Sqlite, []).is_empty());
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn a_server_takes_a_list_for_each_column() {
        let insert = Insert { table: "t", columns: "a bigint,\n  b text", rest: "RETURNING a" };
        let rows = (0..3_i64).map(|n| row![n, (n != 1).then_some("x")]);
        let [(sql, values)] = &insert.statements(Dialect::Postgres, rows)[..] else { panic!("one statement") };
        assert_eq!(&**sql, "INSERT INTO t (a, b) SELECT * FROM unnest($1::bigint[], $2::text[]) RETURNING a");
        let x = Value::from("x");
        let lists = [vec![Value::Int(0), Value::Int(1), Value::Int(2)], vec![x.clone(), Value::Null, x]];
        assert_eq!(values[..], lists.map(Value::List));
        assert!(insert.statements(Dialect::Postgres, []).is_empty());
    }

    #[test]
    fn rows_are_asked_for_by_one_column_or_several() {
        let keys = |count: i64| (0..count).map(|n| row![n]).collect::<Vec<_>>();
        let [(one, values)] = &one_of(Dialect::Sqlite, "a bigint", keys(2))[..] else { panic!("one condition") };
        assert!(one.starts_with("(a) IN ($1, $2, ") && one.ends_with(", $16)") && values.len() == 16, "{one}");
        let two = || vec![row![1_i64, "x"]];
        let expected = ("(a, b) IN (VALUES ($1, $2))".to_owned(), values![1_i64, "x"].to_vec());
        assert_eq!(one_of(Dialect::Sqlite, "a bigint, b text", two()), [expected]);
        #[cfg(feature = "postgres")]
        {
            let [(one, values)] = &one_of(Dialect::Postgres, "a bigint", keys(20))[..] else { panic!("one condition") };
            assert!(one == "a = ANY($1::bigint[])" && values.len() == 1, "{one}");
            let [(several, _)] = &one_of(Dialect::Postgres, "a bigint, b text", two())[..] else {
                panic!("one condition")
            };
            assert_eq!(several, "(a, b) IN (SELECT * FROM unnest($1::bigint[], $2::text[]))");
        }
        assert!(one_of(Dialect::Sqlite, "a bigint", vec![]).is_empty());
    }

    #[test]
    fn keys_come_in_pieces_of_a_few_lengths() {
        let lengths = |count: u32| filled(&(0..count).collect::<Vec<_>>()).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!((lengths(0), lengths(1), lengths(2), lengths(17)), (vec![], vec![1], vec![16], vec![128]));
        let keys: Vec<u32> = (0..140).collect();
        let pieces = filled(&keys);
        assert_eq!(lengths(140), [128, 16]);
        assert!(keys.iter().eq(pieces.concat().into_iter().take(140)));
        assert_eq!(pieces[1][12..], [&139; 4]);
    }

    #[test]
    fn the_last_of_the_latest_waits() {
        let mut rows = Waiting::new();
        for (time_us, text) in [(5, "a"), (4, "b"), (7, "c"), (7, "d"), (6, "e")] {
            wait(&mut rows, "k", time_us, values![text].to_vec());
        }
        assert_eq!(rows["k"], (7, values!["d"].to_vec()));
    }
}
