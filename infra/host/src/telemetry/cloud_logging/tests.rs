use super::*;
use std::sync::{Arc, Mutex};
use tracing_subscriber::prelude::*;

struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn monotonic(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// Returns the lines that `speak` logs at 15:09:00, parsed as JSON.
fn lines(service: Service, speak: impl FnOnce()) -> Vec<Value> {
    let written: Arc<Mutex<Vec<u8>>> = Arc::default();
    let sink = written.clone();
    let write = move |line: &[u8]| sink.lock().unwrap().extend_from_slice(line);
    let clock = Box::new(At("2026-11-20T15:09:00Z".parse().unwrap()));
    let layer = CloudLogging { service, clock, write };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), speak);
    let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    written.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn service() -> Service {
    Service {
        project: Some("example-project".into()),
        name: "framepost-probe".into(),
        revision: Some("framepost-probe-00007".into()),
    }
}

#[test]
fn a_line_has_the_special_fields_and_its_own() {
    let lines = lines(service(), || {
        let span = tracing::info_span!(
            "message",
            function = "probe",
            trace_id = "4bf9",
            span_id = "00f0",
            trace_sampled = true
        );
        let _inside = span.enter();
        tracing::info!(
            site = "plant-7",
            duration.from = "2026-11-20T15:08:23Z",
            duration.seconds = 3.003,
            size = 5_u64,
            "chunk\nprobed"
        );
    });
    let mut line = lines[0].clone();
    let place = line.as_object_mut().unwrap().remove("logging.googleapis.com/sourceLocation").unwrap();
    assert!(place["file"].as_str().unwrap().ends_with("cloud_logging/tests.rs"), "{place}");
    assert!(place["line"].as_str().unwrap().parse::<u32>().is_ok(), "{place}");
    assert_eq!(
        line,
        json!({
            "severity": "INFO",
            "message": "chunk\nprobed",
            "time": "2026-11-20T15:09:00Z",
            "logging.googleapis.com/trace": "projects/example-project/traces/4bf9",
            "logging.googleapis.com/spanId": "00f0",
            "logging.googleapis.com/trace_sampled": true,
            "logging.googleapis.com/labels": { "function": "probe", "site": "plant-7" },
            "function": "probe",
            "site": "plant-7",
            "duration": { "from": "2026-11-20T15:08:23Z", "seconds": 3.003 },
            "size": 5
        })
    );
}

#[test]
fn an_error_is_one_that_error_reporting_picks_up() {
    let lines = lines(service(), || tracing::error!(code = "panic", "the handler panicked"));
    let line = &lines[0];
    assert_eq!(line["severity"], "ERROR");
    assert_eq!(line["@type"], REPORTED_ERROR);
    assert_eq!(line["serviceContext"], json!({ "service": "framepost-probe", "version": "framepost-probe-00007" }));
    assert!(line["context"]["reportLocation"]["lineNumber"].is_u64(), "{line}");
    assert_eq!(line["message"], "the handler panicked");
}

#[test]
fn a_redelivery_writes_the_same_entry() {
    let lines = lines(service(), || {
        for latency_ms in [12, 7] {
            let span = tracing::info_span!("request", once_time = tracing::field::Empty);
            span.record("once_time", "2026-11-20T15:08:27Z");
            span.in_scope(|| tracing::info!(once_id = "abc", latency_ms, "handled"));
        }
        // Too old for log-based metrics, so it is an ordinary line.
        tracing::info!(once_id = "abc", once_time = "2026-11-19T15:08:27Z", "handled");
        tracing::info!(once_id = "abc", once_time = "2026-11-20T15:30:27Z", "handled");
    });
    let entry = |line: &Value| (line["logging.googleapis.com/insertId"].clone(), line["time"].clone());
    assert_eq!(entry(&lines[0]), (json!("abc"), json!("2026-11-20T15:08:27Z")));
    assert_eq!(entry(&lines[0]), entry(&lines[1]));
    assert_eq!(lines[0]["written_at"], "2026-11-20T15:09:00Z");
    for line in &lines[2..] {
        assert_eq!(entry(line), (Value::Null, json!("2026-11-20T15:09:00Z")));
    }
    for line in &lines {
        assert!(line.get("once_id").is_none() && line.get("once_time").is_none(), "{line}");
    }
}

#[test]
fn a_field_cannot_pass_for_a_special_one() {
    let lines = lines(Service::default(), || {
        let span = tracing::info_span!("message", trace_id = "4bf9", function = "outer");
        let _outer = span.enter();
        let span = tracing::info_span!("inner", function = "inner");
        let _inner = span.enter();
        tracing::warn!(severity = "EMERGENCY", time = "never", "as it was");
    });
    let line = &lines[0];
    assert_eq!((&line["severity"], &line["time"]), (&json!("WARNING"), &json!("2026-11-20T15:09:00Z")));
    // Without a project there is only the id.
    assert_eq!(line["logging.googleapis.com/trace"], "4bf9");
    assert_eq!(line["function"], "inner");
}
