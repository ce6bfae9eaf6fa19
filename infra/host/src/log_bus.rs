//! Writes records as lines of JSON.

use async_trait::async_trait;
use framepost_events::record::Record;
use framepost_ports::{Bus, Error, ErrorKind, Result};
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Writes each record as a JSON object on one line, to standard output by default. In a cloud that is the log.
/// It is used where there is no bus that others can subscribe to.
pub struct LogBus {
    out: Mutex<Box<dyn Write + Send>>,
}

impl LogBus {
    /// Creates a bus that writes to `out`.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self { out: Mutex::new(Box::new(out)) }
    }
}

impl Default for LogBus {
    fn default() -> Self {
        Self::to(std::io::stdout())
    }
}

#[async_trait]
impl Bus for LogBus {
    async fn publish(&self, record: &Record) -> Result<()> {
        let fail = |error: std::io::Error| Error::new(ErrorKind::Io, "publish", &record.id).because(error);
        let mut line = serde_json::to_vec(record).map_err(|error| fail(error.into()))?;
        line.push(b'\n');
        // One write per line, so that lines of concurrent tasks do not mix.
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&line).and_then(|()| out.flush()).map_err(fail)
    }
}
