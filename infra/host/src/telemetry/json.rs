//! Writes an event of `tracing` as one JSON object on one line, with the fields of its spans and the names that
//! CloudWatch and Lambda use: `timestamp`, `level`, `message`.
//!
//! The field `record` holds a record's fields as one JSON object, which are added to the line.
//!
//! The object is flat, so that a query can name a field. If two fields have the same name, the event's own
//! field takes precedence over its span's, and an inner span's over an outer one's.

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::io::Write as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The fields of a line, each name once, in the order in which they first appeared.
#[derive(Debug, Default)]
struct Fields(Vec<(Cow<'static, str>, Value)>);

impl Fields {
    fn put(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        match self.0.iter_mut().find(|(there, _)| *there == name) {
            Some((_, there)) => *there = value,
            None => self.0.push((name, value)),
        }
    }

    fn put_absent(&mut self, name: Cow<'static, str>, value: Value) {
        if self.0.iter().all(|(there, _)| *there != name) {
            self.0.push((name, value));
        }
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match super::record_fields(field, value) {
            Some(fields) => fields.into_iter().for_each(|(name, value)| self.put(name, value)),
            None => self.put(field.name(), value.into()),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}").into());
    }
}

/// Writes to standard output, with one write per line, so that lines of concurrent tasks do not mix.
pub(super) fn stdout(line: &[u8]) {
    let mut out = std::io::stdout().lock();
    // A failure cannot be reported anywhere.
    let _ = out.write_all(line).and_then(|()| out.flush());
}

/// The layer that formats lines.
pub(super) struct Lines<W> {
    write: W,
}

impl<W: Fn(&[u8])> Lines<W> {
    pub(super) fn new(write: W) -> Self {
        Self { write }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = Fields::default();
        line.put("timestamp", Timestamp::now().to_string().into());
        line.put("level", metadata.level().as_str().into());
        event.record(&mut line);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Fields(fields)) = span.extensions().get::<Fields>() {
                for (name, value) in fields {
                    line.put_absent(name.clone(), value.clone());
                }
            }
        }
        line.put_absent("target".into(), metadata.target().into());
        if let Ok(mut bytes) = serde_json::to_vec(&line) {
            bytes.push(b'\n');
            (self.write)(&bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::prelude::*;

    fn lines(log: impl FnOnce()) -> Vec<Value> {
        let written = Arc::new(Mutex::new(Vec::new()));
        let sink = written.clone();
        let layer = Lines::new(move |line: &[u8]| sink.lock().unwrap().extend_from_slice(line));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let written = written.lock().unwrap();
        assert!(written.ends_with(b"\n"));
        written.trim_ascii().split(|b| *b == b'\n').map(|line| serde_json::from_slice(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_flat_and_the_nearest_field_counts() {
        let lines = lines(|| {
            let outer =
                tracing::info_span!("invocation", request_id = "r1", key = "outer", late = tracing::field::Empty);
            outer.record("late", 7);
            let _outer = outer.enter();
            let _inner =
                tracing::info_span!("message", message_id = "m1", key = "inner", none = None::<&str>).entered();
            tracing::warn!(key = "own", bytes = 5_u64, nothing = None::<u64>, float = 0.5, "a \"quoted\"\nline");
            tracing::info!(id = %"displayed", "without");
            tracing::info!(record = r#"{"duration.from":"x","sizeBytes":5}"#, "chunk probed");
            tracing::info!(record = "no object", "words");
        });
        let time: Timestamp = lines[0]["timestamp"].as_str().unwrap().parse().unwrap();
        assert!(time.as_second() > 0);
        for (name, expected) in [
            ("level", Value::from("WARN")),
            ("message", "a \"quoted\"\nline".into()),
            ("key", "own".into()),
            ("bytes", 5.into()),
            ("float", 0.5.into()),
            ("request_id", "r1".into()),
            ("message_id", "m1".into()),
            ("late", 7.into()),
        ] {
            assert_eq!(lines[0][name], expected, "{name}");
        }
        assert!(lines[0].get("nothing").is_none() && lines[0].get("none").is_none());
        assert_eq!((&lines[1]["key"], &lines[1]["id"]), (&"inner".into(), &"displayed".into()));
        assert_eq!((&lines[2]["duration.from"], &lines[2]["sizeBytes"]), (&"x".into(), &5.into()));
        assert!(lines[2].get("record").is_none());
        assert_eq!(lines[3]["record"], "no object");
    }
}
