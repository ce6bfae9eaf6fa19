//! Records on standard output, one JSON object a line; nothing else goes there, so that `| jq` works.

use async_trait::async_trait;
use framepost_events::record::{Data, Record};
use framepost_ports::{Bus, Error, ErrorKind, Result};
use std::io::Write as _;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use tokio_util::sync::CancellationToken;

/// The bus's end: prints and counts.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// Chunks probed.
    pub(crate) chunks: AtomicU64,
    /// Spans ended.
    pub(crate) spans: AtomicU64,
    /// Gaps recorded.
    pub(crate) gaps: AtomicU64,
    /// Objects rejected.
    pub(crate) rejected: AtomicU64,
    /// Cancelled when nobody reads any more.
    pub(crate) closed: CancellationToken,
}

/// Writes one line. `Err` when nobody reads any more.
pub(crate) fn print(record: &Record) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

#[async_trait]
impl Bus for Output {
    async fn publish(&self, record: &Record) -> Result<()> {
        if let Err(error) = print(record) {
            self.closed.cancel();
            return Err(Error::new(ErrorKind::Transport, "publish", "standard output").because(error));
        }
        let counter = match record.data {
            Data::ChunkProbed(_) => &self.chunks,
            Data::SpanEnded(_) => &self.spans,
            Data::GapRecorded(_) => &self.gaps,
            Data::ObjectRejected(_) => &self.rejected,
        };
        counter.fetch_add(1, Relaxed);
        Ok(())
    }
}

impl Output {
    pub(crate) fn summary(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Relaxed);
        format!(
            "{} chunks, {} span ends, {} gaps recorded, {} rejected",
            count(&self.chunks),
            count(&self.spans),
            count(&self.gaps),
            count(&self.rejected)
        )
    }
}
