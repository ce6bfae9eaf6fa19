//! Paid work: never twice for one chunk, and never beyond the budget.
//!
//! The ledger has one claim for each object, model and settings.
//!
//! ```text
//! claim ─▶ budget ─▶ note "called" ─▶ the call ─▶ note the answer ─▶ publish ─▶ done
//! ```
//!
//! it was killed|| the function was killed | the next delivery |
//! |---|---|
//! | before the note "called" | begins again |
//! between that|| between that and the note of the answer | cannot know whether the call was paid: publishes `skipped: interrupted` |
//! | after the note of the answer | publishes that answer |
//!
//! A call that the service certainly refused (throttled, too large) is not paid: its part of the budget is returned, and it is
//! tried again if that helps. A call without any answer counts like being killed. Each picture is a call. If a later one fails,
//! the answers to those before it are used, because asking again would pay for them again.

use framepost_events::Site;
use framepost_events::record::InferredFrame;
use framepost_ports::ledger::{Claim, Claimed, Hold, NOTE_BYTES_MAX, Quota, Taken};
use framepost_ports::{Clock, Ledger, Reason, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Longer than a call takes, with the work before and after it.
const LEASE: Duration = Duration::from_mins(5);
/// The note that a call was made, or is about to be made.
const CALLED: &str = "called";
/// How long a day's budget is kept.
const KEEP: Duration = Duration::from_hours(3 * 24);
const MICROS: f64 = 1e6;

/// The most that a site may spend in a day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// The most pictures that a detector may be given, whatever they cost.
    Calls(u64),
    /// The most US dollars.
    Dollars(f64),
}

/// Parses it as in the settings: `500 calls`, `2.50 dollars`.
impl FromStr for Budget {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (number, unit) = text.trim().split_once(' ').ok_or(())?;
        match unit.trim() {
            "calls" | "call" => number.parse().map(Self::Calls).map_err(|_| ()),
            "dollars" | "dollar" => {
                let dollars: f64 = number.parse().map_err(|_| ())?;
                (0.0..=1e9).contains(&dollars).then_some(Self::Dollars(dollars)).ok_or(())
            }
            _ => Err(()),
        }
    }
}

/// What a paid detector answered, as it is kept in the ledger until the record is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) frames: Vec<InferredFrame>,
    pub(crate) calls: u32,
}

/// The answer to a request for permission.
#[derive(Debug)]
pub(crate) enum Permission {
    /// The call may be made and is noted. Then [`keep`](Till::keep) its answer.
    Call(Claim),
    /// An answer was paid for and not published.
    Answered(Claim, Answer),
    /// A call was made, and its answer is not known.
    Interrupted(Claim),
    /// The day's budget is used up.
    OverBudget,
    /// Another instance is doing the work.
    Wait(Duration),
    /// Done before: the record is published.
    Done,
}

/// Decides which calls may be paid for.
pub(crate) struct Till {
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    budget: Option<Budget>,
    /// The highest price of a call in dollars.
    price_most: f64,
}

impl Till {
    pub(crate) fn new(ledger: Ledger, clock: Arc<dyn Clock>, budget: Option<Budget>, price_most: f64) -> Self {
        Self { ledger, clock, budget, price_most }
    }

    /// Asks for permission to make `calls` calls at `price` dollars each for `work`, a text that is the same for each delivery.
    pub(crate) async fn ask(&self, work: &str, site: Option<&Site>, calls: u32, price: f64) -> Result<Permission> {
        let mut claim = match self.ledger.claim(work, LEASE).await? {
            Claimed::Won(claim) => claim,
            Claimed::Held { until, .. } => {
                let left = Duration::try_from(until.duration_since(self.clock.now())).unwrap_or_default();
                return Ok(Permission::Wait(left.max(Duration::from_secs(1))));
            }
            Claimed::Done | Claimed::Unknown => return Ok(Permission::Done),
        };
        match claim.job() {
            None => {}
            Some(note) => {
                return Ok(match serde_json::from_str(note) {
                    Ok(answer) => Permission::Answered(claim, answer),
                    Err(_) => Permission::Interrupted(claim),
                });
            }
        }
        if let Some((quota, units)) = self.quota(site, calls, price)
            && self.ledger.take(&quota, units).await? == Taken::TooFew
        {
            let reason = Reason::new("budget", format!("{} is used up", quota.name));
            // Whoever gives it to the function again tomorrow has it done.
            let _ = self.ledger.failed(&mut claim, &reason).await?;
            return Ok(Permission::OverBudget);
        }
        match self.ledger.submitted(&mut claim, CALLED, LEASE).await? {
            Hold::Kept => Ok(Permission::Call(claim)),
            Hold::Lost => Ok(Permission::Wait(LEASE)),
        }
    }

    /// Stores the answer, so that it is not paid for again if publishing it fails.
    pub(crate) async fn keep(&self, claim: &mut Claim, answer: &Answer) -> Result<Hold> {
        let mut shorter = answer.clone();
        loop {
            let note = serde_json::to_string(&shorter).unwrap_or_default();
            if note.len() <= NOTE_BYTES_MAX {
                return self.ledger.submitted(claim, &note, LEASE).await;
            }
            // Long names of labels: the surest come first.
            for frame in &mut shorter.frames {
                frame.detections.truncate(frame.detections.len() / 2);
            }
        }
    }

    /// Returns the budget of calls that were not paid.
    pub(crate) async fn give_back(&self, site: Option<&Site>, calls: u32, price: f64) -> Result<()> {
        match self.quota(site, calls, price) {
            Some((quota, units)) if calls > 0 => self.ledger.give_back(&quota, units).await,
            _ => Ok(()),
        }
    }

    /// Notes that the first call was refused, so that the calls may be made again.
    pub(crate) async fn refused(&self, claim: &mut Claim, reason: &Reason) -> Result<()> {
        let _ = self.ledger.failed(claim, reason).await?;
        Ok(())
    }

    /// Notes that the record is published.
    pub(crate) async fn done(&self, claim: &mut Claim) -> Result<()> {
        // Whoever took it over publishes the same record.
        let _ = self.ledger.done(claim).await?;
        Ok(())
    }

    /// Returns the site's budget of today, and how much of it `calls` take.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and saturating is right"
    )]
    fn quota(&self, site: Option<&Site>, calls: u32, price: f64) -> Option<(Quota, u64)> {
        let micros = |dollars: f64| (dollars * MICROS).ceil() as u64;
        let (most, quantum, units) = match self.budget? {
            Budget::Calls(most) => (most, 1, u64::from(calls)),
            Budget::Dollars(most) => {
                ((most * MICROS) as u64, micros(self.price_most), micros(price * f64::from(calls)))
            }
        };
        let now = self.clock.now().to_string();
        let day = now.get(..10).unwrap_or(&now);
        let name = format!("infer budget {} {day}", site.map_or("", Site::as_str));
        Some((Quota { name, most, quantum, keep: KEEP }, units))
    }
}
