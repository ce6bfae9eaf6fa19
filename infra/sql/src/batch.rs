//! Rows that wait to be written, many by one statement: a database takes them in a fraction of the time of a statement each.
//!
//! A statement may change a row only once (PostgreSQL 15 documentation, INSERT, ON CONFLICT: "deterministic"). So of several
//! versions of a row only the one waits that would be left if they were written one after the other.

use crate::executor::{Asked, Executor, Value};
use framepost_ports::Result;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// How many rows one statement writes, so that there are few different statements.
const ROWS: [usize; 3] = [64, 8, 1];

/// How many keys one statement is about.
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
    /// The table and its columns: `mark (name, value)`.
    pub(crate) into: &'static str,
    /// What stands behind the rows.
    pub(crate) rest: &'static str,
}

/// Texts of statements, by their numbers of rows.
type Texts = HashMap<(Insert, usize), Arc<str>>;

/// Those that were made. There are few, and each is long.
static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);

impl Insert {
    /// Writes these rows, which have the same number of values.
    pub(crate) async fn write(self, db: &mut impl Executor, rows: impl IntoIterator<Item = Vec<Value>>) -> Result<()> {
        for (sql, values) in self.statements(rows) {
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
        for (sql, values) in self.statements(rows) {
            asked.push(db.ask_with(&sql, values).await?);
        }
        Ok(asked)
    }

    /// The text of the statement that inserts so many rows of so many columns.
    fn text(self, count: usize, columns: usize) -> Arc<str> {
        let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
        let text = || format!("INSERT INTO {} VALUES {} {}", self.into, tuples(count, columns), self.rest).into();
        texts.entry((self, count)).or_insert_with(text).clone()
    }

    fn statements(self, rows: impl IntoIterator<Item = Vec<Value>>) -> Vec<(Arc<str>, Vec<Value>)> {
        let mut rows: std::vec::IntoIter<_> = rows.into_iter().collect::<Vec<_>>().into_iter();
        let mut statements = Vec::new();
        while let Some(columns) = rows.as_slice().first().map(Vec::len) {
            let count = ROWS.into_iter().find(|count| *count <= rows.len()).unwrap_or(1);
            let mut values = Vec::with_capacity(count * columns);
            values.extend(rows.by_ref().take(count).flatten());
            statements.push((self.text(count, columns), values));
        }
        statements
    }
}

/// `($1, $2), ($3, $4)`: so many rows of so many values.
pub(crate) fn tuples(rows: usize, columns: usize) -> String {
    let tuple = |row: usize| {
        let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(tuple).collect::<Vec<_>>().join(", ")
}

/// Returns the keys in pieces of a few lengths, so that there are few different statements. The last key fills what is left.
pub(crate) fn filled<T>(keys: &[T]) -> Vec<Vec<&T>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::values;

    #[test]
    fn rows_are_written_many_at_a_time() {
        let insert = Insert { into: "t (a, b)", rest: "ON CONFLICT DO NOTHING" };
        let statements = insert.statements((0..138_i64).map(|n| values![n, "x"].to_vec()));
        let counts: Vec<usize> = statements.iter().map(|(_, values)| values.len() / 2).collect();
        assert_eq!(counts, [64, 64, 8, 1, 1]);
        assert_eq!(&*statements[3].0, "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        assert!(statements[2].0.contains("($1, $2), ($3, $4), "), "{}", statements[2].0);
        let written: Vec<&Value> = statements.iter().flat_map(|(_, values)| values.iter().step_by(2)).collect();
        assert!((0..138).map(Value::Int).eq(written.into_iter().cloned()), "in their order");
        assert!(insert.statements([]).is_empty());
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
