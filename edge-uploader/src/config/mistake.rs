//! Errors in a configuration, reported by line and key, never with the text itself.
//!
//! A common mistake is a password in the wrong place: a missing quote after it, or a password instead of a
//! variable's name. A message of a parser is therefore passed on only if its parts are known to come from this
//! program: names of keys, expectations, and a short list of remarks on TOML.

use super::units;
use framepost_ports::location::{self, Role};
use std::fmt;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// An error in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, starting at 1; `None` if the configuration was not parsed from a file.
    pub line: Option<usize>,
    /// The key with its parents, such as `camera.1.url`, with cameras counted from 1; empty if no key applies.
    pub key: String,
    /// A description in this program's own words.
    pub problem: String,
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)
    }
}

/// Beginnings of the parser's messages on invalid TOML that contain nothing of the text.
const REMARKS: [&str; 14] = [
    "string values must be quoted",
    "duplicate key",
    "invalid basic string",
    "invalid literal string",
    "missing escaped value",
    "missing comma",
    "missing assignment",
    "unclosed array",
    "unclosed table",
    "unclosed inline table",
    "key with no value",
    "missing value",
    "missing opening quote",
    "extra comma",
];

impl Mistake {
    /// Creates an error that the types do not detect.
    pub(super) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { line: None, key: key.into(), problem: problem.into() }
    }

    /// Converts the parser's error about `text`, keeping only what may be shown.
    pub(super) fn parsing(text: &str, error: &toml::de::Error) -> Self {
        let span = error.span();
        let line = span.as_ref().map(|span| line_of(text, span.start));
        let Ok(document) = DeTable::parse(text) else {
            let key = line.and_then(|line| known_key(text, line)).unwrap_or_default();
            let remark = REMARKS.iter().find(|remark| error.message().starts_with(**remark));
            let problem = remark.map_or("this is not TOML".to_owned(), |remark| format!("this is not TOML: {remark}"));
            return Self { line, key, problem };
        };
        let key = span.map(|span| path(document.get_ref(), &span)).unwrap_or_default();
        let problem = problem(&key, error.message());
        Self { line, key, problem }
    }

    /// Adds the line of the key in `text`.
    pub(super) fn located(mut self, text: &str) -> Self {
        if let Ok(document) = DeTable::parse(text) {
            self.line = start(document.get_ref(), &self.key).map(|at| line_of(text, at));
        }
        self
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].split(|byte| *byte == b'\n').count()
}

/// Returns a key if it may be shown: a bare key, which cannot hold most characters of a password or URL.
fn shown(key: &str) -> &str {
    let bare = key.len() <= 32 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare && !key.is_empty() { key } else { "***" }
}

/// Every key that a configuration can have.
const KEYS: [&str; 37] = [
    "site",
    "recording",
    "window",
    "keep",
    "every",
    "spool",
    "dir",
    "quota",
    "free_floor",
    "durability",
    "upload",
    "to",
    "endpoint_url",
    "region",
    "echo",
    "workers",
    "bandwidth_per_second",
    "signing",
    "key_file",
    "metrics",
    "report",
    "listen",
    "camera",
    "name",
    "url",
    "username",
    "password_file",
    "password_env",
    "certificate",
    "chunk_max",
    "transport",
    "audio",
    "clock",
    "inactivity",
    "pace",
    "repeat",
    "start",
];

/// Returns the key at the start of a line that cannot be parsed, if it is a known key.
fn known_key(text: &str, line: usize) -> Option<String> {
    let key = text.lines().nth(line - 1)?.split('=').next()?.trim();
    KEYS.contains(&key).then(|| key.to_owned())
}

/// Returns the innermost key that covers `span` with its name or its value.
fn path(table: &DeTable<'_>, span: &Range<usize>) -> String {
    let covers = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    for (key, value) in table {
        if covers(key.span()) {
            return shown(key.get_ref()).to_owned();
        }
        if !covers(value.span()) && !within(value.get_ref(), &covers) {
            continue;
        }
        let inner = match value.get_ref() {
            DeValue::Table(table) => path(table, span),
            DeValue::Array(values) => values
                .iter()
                .enumerate()
                .find(|(_, value)| covers(value.span()) || within(value.get_ref(), &covers))
                .map(|(n, value)| match value.get_ref() {
                    DeValue::Table(table) => join(&(n + 1).to_string(), &path(table, span)),
                    _ => (n + 1).to_string(),
                })
                .unwrap_or_default(),
            _ => String::new(),
        };
        return join(shown(key.get_ref()), &inner);
    }
    String::new()
}

/// A table's own span covers only its header, so check its entries.
fn within(value: &DeValue<'_>, covers: &dyn Fn(Range<usize>) -> bool) -> bool {
    match value {
        DeValue::Table(table) => {
            table.iter().any(|(k, v)| covers(k.span()) || covers(v.span()) || within(v.get_ref(), covers))
        }
        DeValue::Array(values) => values.iter().any(|v| covers(v.span()) || within(v.get_ref(), covers)),
        _ => false,
    }
}

fn join(outer: &str, inner: &str) -> String {
    if inner.is_empty() { outer.to_owned() } else { format!("{outer}.{inner}") }
}

/// Returns where the value of a key begins in the text, or that of its nearest parent if the key is missing.
fn start(table: &DeTable<'_>, key: &str) -> Option<usize> {
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    let (name, value) = table.iter().find(|(name, _)| name.get_ref().as_ref() == first)?;
    let inner = match value.get_ref() {
        DeValue::Table(table) => start(table, rest),
        DeValue::Array(values) => {
            let (n, rest) = rest.split_once('.').unwrap_or((rest, ""));
            let value = n.parse::<usize>().ok().and_then(|n| values.get(n.checked_sub(1)?));
            value.map(|value| match value.get_ref() {
                DeValue::Table(table) => start(table, rest).unwrap_or(value.span().start),
                _ => value.span().start,
            })
        }
        _ => None,
    };
    Some(inner.unwrap_or(name.span().start))
}

/// Returns the parser's message about a value without the value.
fn problem(key: &str, message: &str) -> String {
    if message.starts_with("missing field `") {
        // The field name comes from this program.
        return message.to_owned();
    }
    // serde puts the unexpected value first and the expectation, which comes from this program, last.
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    let own = |name: &str| key.rsplit('.').next() == Some(name);
    if message.starts_with("unknown field `") {
        return format!("unknown key; expected {}", expected.unwrap_or("no key here"));
    }
    let built_in = ["unknown variant `", "invalid type: ", "invalid value: ", "invalid length "];
    if let Some(expected) = expected
        && built_in.iter().any(|beginning| message.starts_with(beginning))
        && !own("to")
    {
        return format!("expected {expected}");
    }
    for said in [units::NOT_A_DURATION, units::NOT_POSITIVE, units::NOT_A_SIZE] {
        if message == said {
            return said.to_owned();
        }
    }
    match () {
        () if own("site") || own("name") => {
            "not a name: use 1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit, and not a date".to_owned()
        }
        () if own("to") => format!("expected {}", location::expected(Role::Bucket)),
        () if own("start") => "expected a time such as \"2026-11-20T15:08:23Z\"".to_owned(),
        () if own("listen") => "expected an address and a port such as \"127.0.0.1:9464\"".to_owned(),
        () => "not a value that this key takes".to_owned(),
    }
}
