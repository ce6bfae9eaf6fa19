//! Counters of the uploader, for progress and metrics.

use framepost_ports::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Numbers of puts that had to be repeated, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retries {
    /// There was no answer.
    pub transport: u64,
    /// The answer came from a portal or proxy, or was a redirect.
    pub intercepted: u64,
    /// The service asked for fewer requests or was out of order.
    pub busy: u64,
    /// The bytes arrived corrupt.
    pub corrupt: u64,
    /// The credential may not put.
    pub denied: u64,
    /// The bucket does not exist.
    pub not_found: u64,
    /// The object was refused as invalid.
    pub invalid: u64,
    /// The bucket rejected the request because this machine's clock is wrong.
    pub clock_skew: u64,
    /// An error of this machine.
    pub io: u64,
}

impl Retries {
    /// Returns the sum over all causes.
    pub fn total(self) -> u64 {
        let Self { transport, intercepted, busy, corrupt, denied, not_found, invalid, clock_skew, io } = self;
        transport + intercepted + busy + corrupt + denied + not_found + invalid + clock_skew + io
    }
}

/// A snapshot of the uploader's counters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadStats {
    /// Objects that the bucket accepted.
    pub created_objects: u64,
    /// Objects that the bucket already had with the same bytes.
    pub already_there_objects: u64,
    /// Chunks of files that the bucket already had and that could not be compared, because
    /// the credential may only put.
    pub uncompared_objects: u64,
    /// Objects moved to quarantine.
    pub quarantined_objects: u64,
    /// Bytes of the objects created or already there.
    pub stored_bytes: u64,
    /// Bytes passed to the sink, including those of failed puts.
    pub sent_bytes: u64,
    /// Number of puts whose answer has not come yet.
    pub in_flight: u64,
    /// Puts that had to be repeated.
    pub retries: Retries,
    /// The text of the last failure.
    pub last_error: Option<String>,
    /// Whether the bucket counts as unreachable, so that only probes are sent.
    pub is_unreachable: bool,
}

/// Whether a failure has been logged before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    Repeated,
}

#[derive(Default)]
pub(super) struct StatsCell {
    sent_bytes: AtomicU64,
    /// Kind of the last failure that made the bucket unreachable; `None` once something was stored since.
    trouble: Mutex<Option<ErrorKind>>,
    rest: Mutex<UploadStats>,
}

impl StatsCell {
    pub(super) fn sent(&self, bytes: u64) {
        self.sent_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut UploadStats)) {
        change(&mut self.rest.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Records that something was stored. Returns whether this ends a period in which nothing was.
    pub(super) fn stored(&self) -> Novelty {
        let before = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        if before.is_some() { Novelty::New } else { Novelty::Repeated }
    }

    /// Records a failed put. Returns whether the put before failed in the same way.
    pub(super) fn failed(&self, kind: ErrorKind, error: String) -> Novelty {
        let before = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).replace(kind);
        self.update(|stats| {
            let retries = &mut stats.retries;
            *match kind {
                ErrorKind::NotFound => &mut retries.not_found,
                ErrorKind::Denied => &mut retries.denied,
                ErrorKind::Invalid => &mut retries.invalid,
                ErrorKind::Corrupt => &mut retries.corrupt,
                ErrorKind::Busy => &mut retries.busy,
                ErrorKind::Io => &mut retries.io,
                ErrorKind::Transport => &mut retries.transport,
                ErrorKind::Intercepted => &mut retries.intercepted,
                ErrorKind::ClockSkew => &mut retries.clock_skew,
            } += 1;
            stats.last_error = Some(error);
        });
        if before == Some(kind) { Novelty::Repeated } else { Novelty::New }
    }

    pub(super) fn snapshot(&self, is_unreachable: bool) -> UploadStats {
        let sent_bytes = self.sent_bytes.load(Ordering::Relaxed);
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        UploadStats { sent_bytes, is_unreachable, ..rest.clone() }
    }
}
