//! Records as lines of JSON.

use async_trait::async_trait;
use framepost_events::record::Record;
use framepost_ports::{Bus, Error, ErrorKind, Result};
use std::io::Write as _;

/// Writes each record to standard output, one JSON object a line. In Lambda that is the structured log; a bus that others
/// can subscribe to (EventBridge) takes its place there later.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogBus;

#[async_trait]
impl Bus for LogBus {
    async fn publish(&self, record: &Record) -> Result<()> {
        let fail = |error: std::io::Error| Error::new(ErrorKind::Io, "publish", &record.id).because(error);
        let mut line = serde_json::to_vec(record).map_err(|error| fail(error.into()))?;
        line.push(b'\n');
        // One write a line, so that lines of several tasks do not mix.
        let mut out = std::io::stdout().lock();
        out.write_all(&line).and_then(|()| out.flush()).map_err(fail)
    }
}
