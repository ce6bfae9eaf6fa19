//! `catalog` keeps what records say of the footage, so that the API can answer.
//!
//! ```text
//! Record ────────┐
//! ObjectRemoved ─┼─▶ batch ─▶ ports::Catalog
//! Due (daily) ───┘
//! ```
//!
//! All rules about rows are the catalogue's: see [`framepost_ports::catalog`]. This function brings it what happens, several
//! things in one transaction where several come at once, and forgets removals that nothing can come late for any more.

mod batch;
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

/// For how long a removal is remembered. The clouds deliver a message for 14 days at the most.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The handler of the function.
pub struct Cataloguer {
    batches: Batches,
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
}

impl Cataloguer {
    /// The function's name, which is also that of its directory.
    pub const NAME: &'static str = "catalog";

    /// Creates a handler that fills `catalog`. Needs a tokio runtime.
    pub fn new(catalog: Arc<dyn Catalog>, clock: Arc<dyn Clock>) -> Self {
        Self { batches: Batches::start(catalog.clone()), catalog, clock }
    }

    /// Takes something that happened.
    pub async fn take(&self, change: Change) -> Outcome {
        outcome(self.batches.apply(change).await)
    }

    /// Does what is due once a day.
    pub async fn tidy(&self) -> Outcome {
        let before = self.clock.now().checked_sub(REMEMBERED).unwrap_or(jiff::Timestamp::MIN);
        outcome(self.catalog.forget_removals(before).await.map_err(Arc::new))
    }
}

/// Decides when what failed is repeated.
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
