//! A record as one structured log event.

use framepost_events::record::{Record, Severity};
use serde::Serialize;

/// Logs `record`. Its fields travel as one, `record`, whose JSON object the host's log formats take apart.
pub(crate) fn record(record: &Record) {
    let fields = serde_json::Value::Object(record.log_fields()).to_string();
    let (message, severity) = record.data.log_message();
    match severity {
        Severity::Info => tracing::info!(once_id = record.id, record = fields, "{message}"),
        Severity::Warning => tracing::warn!(once_id = record.id, record = fields, "{message}"),
    }
}

/// A unit variant in the word that the record has for it.
pub(crate) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_events::record::RejectReason;

    #[test]
    fn the_words_are_the_records() {
        assert_eq!(word(RejectReason::NotMedia), "not-media");
    }
}
