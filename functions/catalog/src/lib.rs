//! `catalog` writes records about the footage into a database, from which the API answers.
//!
//! ```text
//! Record ────────┐
//! ObjectRemoved ─┼─▶ batch ─▶ ports::Catalog
//! Due (daily) ───┘
//! ```
//!
//! All rules about rows are the catalogue's: see [`framepost_ports::catalog`]. This function brings it what happens, several
//! things in one transaction where several come at once, and forgets removals that nothing can come late for any more. Where it
//! may list the bucket, it also finds out what nobody told: see [`compare`].

mod batch;
pub mod compare;
#[cfg(feature = "host")]
mod start;

pub use batch::Batches;
#[cfg(feature = "host")]
pub use start::{MANIFEST, start};

use framepost_ports::catalog::Change;
use framepost_ports::{Catalog, Clock, Error, ErrorKind, Outcome, Reason, chain};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;

/// How long a removal is remembered. The clouds deliver a message for at most 14 days.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The handler of the function.
pub struct Cataloguer {
    batches: Batches,
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    bucket: Option<compare::Bucket>,
}

impl Cataloguer {
    /// The function's name, which is also that of its directory.
    pub const NAME: &'static str = "catalog";

    /// Creates a handler that fills `catalog`. Needs a tokio runtime.
    pub fn new(catalog: Arc<dyn Catalog>, clock: Arc<dyn Clock>) -> Self {
        Self { batches: Batches::start(catalog.clone()), catalog, clock, bucket: None }
    }

    /// Has the catalogue compared with this bucket.
    #[must_use]
    pub fn compared_with(self, bucket: compare::Bucket) -> Self {
        Self { bucket: Some(bucket), ..self }
    }

    /// Writes a change to the catalogue, together with others that arrive meanwhile.
    pub async fn take(&self, change: Change) -> Outcome {
        outcome(self.batches.apply(change).await)
    }

    /// Does the daily work: forgets old removals, and packs hours that are not packed yet.
    pub async fn tidy(&self) -> Outcome {
        let before = self.clock.now().checked_sub(REMEMBERED).unwrap_or(jiff::Timestamp::MIN);
        let tidied = async {
            self.catalog.forget_removals(before).await?;
            self.catalog.pack(self.clock.now()).await
        };
        outcome(tidied.await.map_err(Arc::new))
    }

    /// Compares some of the catalogue with the bucket, if there is one to compare it with.
    pub async fn compare(&self) -> Outcome {
        let Some(bucket) = &self.bucket else {
            return Outcome::Skip(Reason::new("no-bucket", "no bucket is named to compare the catalogue with"));
        };
        let compared = compare::step(&*self.catalog, bucket, &*self.clock).await;
        if let Ok(compare::Compared { gone, without_row, named, .. }) = &compared
            && (*gone > 0 || *without_row > 0)
        {
            let named = named.join(" ");
            tracing::warn!(event = "compared", gone, without_row, named, "the bucket and the catalogue differ");
        }
        outcome(compared.map(|_| ()).map_err(Arc::new))
    }
}

/// Decides when a failed change is tried again.
fn outcome(taken: Result<(), Arc<Error>>) -> Outcome {
    let Err(error) = taken else { return Outcome::Done };
    let reason = Reason::new("not-written", chain(&*error));
    let after = match error.kind() {
        ErrorKind::Invalid => return Outcome::Reject(reason),
        ErrorKind::Transport | ErrorKind::Intercepted | ErrorKind::Busy => Duration::from_secs(5),
        // A full disk, a missing grant: somebody will see to it.
        ErrorKind::Io | ErrorKind::Corrupt | ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::ClockSkew => {
            Duration::from_mins(1)
        }
    };
    Outcome::Retry { after, reason }
}
