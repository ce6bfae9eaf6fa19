//! The log line of a record.

use framepost_events::record::{Record, Severity};

/// Logs `record`, and each part of it that has a line of its own. All fields of a line are in one field, `record`, whose
/// JSON object the host's log formats expand.
pub fn log_record(record: &Record) {
    let fields = serde_json::Value::Object(record.log_fields()).to_string();
    let (message, severity) = record.data.log_message();
    match severity {
        Severity::Info => tracing::info!(once_id = record.id, record = fields, "{message}"),
        Severity::Warning => tracing::warn!(once_id = record.id, record = fields, "{message}"),
    }
    for (n, (message, fields)) in record.data.logged_apart().into_iter().enumerate() {
        let once_id = format!("{}-{n}", record.id);
        let fields = serde_json::Value::Object(fields).to_string();
        tracing::info!(once_id, record = fields, "{message}");
    }
}
