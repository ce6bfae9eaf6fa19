//! What the uploader has done, for progress and metrics.

use framepost_ports::ErrorKind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Puts that have to be repeated, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retries {
    /// No answer.
    pub transport: u64,
    /// An answer of somebody else's: a portal, a proxy, a redirect.
    pub intercepted: u64,
    /// The service asked for less, or was out of order.
    pub busy: u64,
    /// The bytes arrived corrupt.
    pub corrupt: u64,
    /// The credential may not put.
    pub denied: u64,
    /// The bucket is not there.
    pub not_found: u64,
    /// The object is refused as it is.
    pub invalid: u64,
    /// The bucket does not believe this machine's clock.
    pub clock_skew: u64,
    /// This machine.
    pub io: u64,
}

impl Retries {
    /// All of them.
    pub fn total(self) -> u64 {
        let Self { transport, intercepted, busy, corrupt, denied, not_found, invalid, clock_skew, io } = self;
        transport + intercepted + busy + corrupt + denied + not_found + invalid + clock_skew + io
    }
}

/// A snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadStats {
    /// Objects that the bucket took.
    pub created_objects: u64,
    /// Objects that it had already, with the same bytes.
    pub already_there_objects: u64,
    /// Chunks of files that it had already, and that could not be compared: the credential may only put.
    pub uncompared_objects: u64,
    /// Objects that were set aside.
    pub quarantined_objects: u64,
    /// The bytes of the created and the already there.
    pub stored_bytes: u64,
    /// Bytes handed to the sink, those of failed puts included.
    pub sent_bytes: u64,
    /// Puts under way.
    pub in_flight: u64,
    /// Puts that have to be repeated.
    pub retries: Retries,
    /// The last failure, in the sink's words.
    pub last_error: Option<String>,
    /// Whether the bucket is taken for unreachable, so that only probes go out.
    pub is_unreachable: bool,
}

/// Whether a failure is one that the log does not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    Repeated,
}

#[derive(Default)]
pub(super) struct StatsCell {
    sent_bytes: AtomicU64,
    /// What put the bucket out of reach last; `None` once something was stored since.
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

    /// Something was stored. Whether that ends a time in which nothing was.
    pub(super) fn stored(&self) -> Novelty {
        let before = self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        if before.is_some() { Novelty::New } else { Novelty::Repeated }
    }

    /// A put failed. Whether the one before it did so too, in the same way.
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
