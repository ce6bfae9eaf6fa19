//! Log lines for Google's Cloud Logging: one JSON object per line on standard output.
//!
//! Special fields: `severity`, `message`, `time`, `logging.googleapis.com/{trace, spanId, trace_sampled,
//! labels, insertId, sourceLocation}`. A line of severity `ERROR` also has the form of a `ReportedErrorEvent`,
//! so that Error Reporting groups it and notifies people of new ones. Other fields keep their names; names with
//! dots become nested objects, so that a query reads `jsonPayload.duration.from`. The field `record` holds a
//! record's fields as one JSON object, which are added to the line.
//!
//! **A redelivery does not duplicate a line.** Cloud Logging treats two entries of one log as the same if both
//! `insertId` and `time` are equal. A line that is true once, however often its message is delivered, therefore
//! has the field `once_id`, and it or a surrounding span has `once_time` (RFC 3339: when the message was
//! published). These become the two special fields, and `written_at` says when the line was written. Log-based
//! metrics ignore entries more than a day old, so a line about a message older than [`ONCE_WITHIN`] keeps the
//! current time and may be duplicated.
//!
//! **Trace.** The fields `trace_id`, `span_id` and `trace_sampled` of a span apply to every line inside it; its
//! field `function` becomes a label of each.

use framepost_ports::{Clock, SystemClock};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Oldest message whose line gets the message's time. Cloud Logging's own limit for metrics is a day.
const ONCE_WITHIN: SignedDuration = SignedDuration::from_hours(12);
/// How far the time may be ahead of this machine's clock. Cloud Logging's own limit is ten minutes.
const ONCE_AHEAD: SignedDuration = SignedDuration::from_mins(5);

/// Fields that also become labels, by which Cloud Logging finds lines efficiently.
const LABELS: [&str; 3] = ["function", "site", "outcome"];

const REPORTED_ERROR: &str = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent";

/// The writer of the log, as Error Reporting and Cloud Trace name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// The project's id, which is needed for the name of a trace.
    pub project: Option<String>,
    /// `K_SERVICE`, or the function's name.
    pub name: String,
    /// The variable `K_REVISION`, if set.
    pub revision: Option<String>,
}

impl Service {
    /// Describes this process by `K_SERVICE`, `K_REVISION` and `GOOGLE_CLOUD_PROJECT`. Without the latter, asks
    /// Cloud Run's metadata server for the project.
    pub async fn of_this() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let project = match (variable("GOOGLE_CLOUD_PROJECT"), variable("K_SERVICE")) {
            (None, Some(_)) => framepost_gcp::project_id().await,
            (project, _) => project,
        };
        let program = std::env::args().next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default().to_owned();
        Self { project, name: variable("K_SERVICE").unwrap_or(program), revision: variable("K_REVISION") }
    }
}

/// A layer that writes each event as one line.
pub(super) struct CloudLogging<W> {
    service: Service,
    clock: Box<dyn Clock>,
    write: W,
}

impl<W: Fn(&[u8])> CloudLogging<W> {
    /// Creates a layer that passes each line to `write`.
    pub(super) fn new(service: Service, write: W) -> Self {
        Self { service, clock: Box::new(SystemClock), write }
    }
}

/// The fields of a span that are added to its lines.
struct Lent(Map<String, Value>);

impl<S, W> Layer<S> for CloudLogging<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: Fn(&[u8]) + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Lent(fields.0));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = context.span(id)
            && let Some(Lent(lent)) = span.extensions_mut().get_mut::<Lent>()
        {
            lent.extend(fields.0);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut spans = Map::new();
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Lent(lent)) = span.extensions().get::<Lent>() {
                for (name, value) in lent {
                    // The innermost span takes precedence.
                    spans.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = self.line(event, fields.0, spans);
        // A map of strings and numbers can always be serialized.
        let Ok(mut line) = serde_json::to_vec(&line) else { return };
        line.push(b'\n');
        (self.write)(&line);
    }
}

impl<W> CloudLogging<W> {
    fn line(&self, event: &Event<'_>, mut fields: Map<String, Value>, mut spans: Map<String, Value>) -> Value {
        let metadata = event.metadata();
        let now = self.clock.now();
        let mut line = Map::new();
        line.insert("severity".into(), severity(*metadata.level()).into());
        let message = fields.remove("message").unwrap_or_else(|| metadata.name().into());
        line.insert("message".into(), message);
        let published = spans.remove("once_time");
        let published = fields.remove("once_time").or(published);
        let once = take_text(&mut fields, "once_id").zip(published.and_then(|time| once_time(&time, now)));
        if let Some((id, time)) = once {
            line.insert("time".into(), time.to_string().into());
            line.insert("logging.googleapis.com/insertId".into(), id.into());
            line.insert("written_at".into(), now.to_string().into());
        } else {
            line.insert("time".into(), now.to_string().into());
        }
        self.add_trace(&mut line, &mut spans);
        let labels = LABELS.iter().filter_map(|name| {
            let value = fields.get(*name).or_else(|| spans.get(*name))?;
            Some(((*name).to_owned(), Value::String(text(value))))
        });
        let labels: BTreeMap<String, Value> = labels.collect();
        if !labels.is_empty() {
            line.insert("logging.googleapis.com/labels".into(), labels.into_iter().collect());
        }
        let place = metadata.file().zip(metadata.line());
        if let Some((file, number)) = place {
            let location = json!({ "file": file, "line": number.to_string(), "function": metadata.target() });
            line.insert("logging.googleapis.com/sourceLocation".into(), location);
        }
        if *metadata.level() == Level::ERROR {
            line.insert("@type".into(), REPORTED_ERROR.into());
            line.insert("serviceContext".into(), self.service_context());
            if let Some((file, number)) = place {
                let location = json!({ "filePath": file, "lineNumber": number, "functionName": metadata.target() });
                line.insert("context".into(), json!({ "reportLocation": location }));
            }
        }
        for (name, value) in spans.into_iter().chain(fields) {
            nest(&mut line, &name, value);
        }
        Value::Object(line)
    }

    fn add_trace(&self, line: &mut Map<String, Value>, spans: &mut Map<String, Value>) {
        let trace_id = take_text(spans, "trace_id");
        let span_id = take_text(spans, "span_id");
        let sampled = spans.remove("trace_sampled");
        let Some(trace_id) = trace_id else { return };
        let trace = match &self.service.project {
            Some(project) => format!("projects/{project}/traces/{trace_id}"),
            None => trace_id,
        };
        line.insert("logging.googleapis.com/trace".into(), trace.into());
        if let Some(span_id) = span_id {
            line.insert("logging.googleapis.com/spanId".into(), span_id.into());
        }
        if let Some(sampled) = sampled {
            line.insert("logging.googleapis.com/trace_sampled".into(), sampled);
        }
    }

    fn service_context(&self) -> Value {
        let mut context = json!({ "service": self.service.name });
        if let Some(revision) = &self.service.revision {
            context["version"] = revision.as_str().into();
        }
        context
    }
}

/// `tracing` has no levels for `NOTICE` and above `ERROR`.
fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

/// Returns the time for a line that is written once. Returns `None` if the time is too far in
/// the past or the future.
fn once_time(time: &Value, now: Timestamp) -> Option<Timestamp> {
    let time: Timestamp = time.as_str()?.parse().ok()?;
    let age = now.duration_since(time);
    (-ONCE_AHEAD <= age && age <= ONCE_WITHIN).then_some(time)
}

fn take_text(fields: &mut Map<String, Value>, name: &str) -> Option<String> {
    fields.remove(name).map(|value| text(&value))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Stores `duration.from` as the field `from` of the object `duration`. Existing fields are not replaced, so
/// that a caller's field cannot change a special field.
fn nest(line: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            line.entry(name).or_insert(value);
        }
        Some((outer, inner)) => {
            if let Value::Object(object) = line.entry(outer).or_insert_with(|| Value::Object(Map::new())) {
                nest(object, inner, value);
            }
        }
    }
}

/// The fields of a span or a line as JSON.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().trim_start_matches("r#").to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match super::record_fields(field, value) {
            Some(fields) => self.0.extend(fields),
            None => self.add(field, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests;
