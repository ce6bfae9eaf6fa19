//! Runs one event through its function: converts outcomes to words, catches panics, and logs a line.

use crate::event::{About, Event};
use framepost_ports::{Function, Message, Outcome, Reason};
use futures::FutureExt as _;
use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;

/// How long a message waits after a panic.
const PAUSE_AFTER_PANIC: Duration = Duration::from_secs(1);

/// The reason for rejecting a message without an event.
pub(crate) const NOT_AN_EVENT: &str = "not-an-event";

/// How the handling of an event ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The function returned an outcome.
    Outcome(Outcome),
    /// The handler panicked with this message.
    Panic(Reason),
    /// The host's time limit was reached and the handler was cancelled.
    OutOfTime,
}

impl Ending {
    /// Returns the stable word for logs and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Outcome(Outcome::Done) => "done",
            Self::Outcome(Outcome::Skip(_)) => "skip",
            Self::Outcome(Outcome::Retry { .. }) => "retry",
            Self::Outcome(Outcome::Reject(_)) => "reject",
            Self::Panic(_) => "panic",
            Self::OutOfTime => "out-of-time",
        }
    }

    /// Returns the reason, if there is one.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Outcome(Outcome::Done) | Self::OutOfTime => None,
            Self::Outcome(Outcome::Skip(reason) | Outcome::Retry { reason, .. } | Outcome::Reject(reason))
            | Self::Panic(reason) => Some(reason),
        }
    }

    /// Returns the shortest wait before the event must be delivered again, if it must.
    pub fn again(&self) -> Option<Duration> {
        match self {
            Self::Outcome(Outcome::Retry { after, .. }) => Some(*after),
            Self::Panic(_) => Some(PAUSE_AFTER_PANIC),
            Self::OutOfTime => Some(Duration::ZERO),
            Self::Outcome(_) => None,
        }
    }
}

/// A handled event, for logs and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handled {
    pub about: About,
    pub ending: Ending,
    /// The time that handling took.
    pub latency: Duration,
}

impl Handled {
    /// Logs and counts a message that contains no event.
    pub(crate) fn of_no_event(function: &str, message: &Message, outcome: Outcome) -> Self {
        let handled =
            Self { about: About::nothing(message), ending: Ending::Outcome(outcome), latency: Duration::ZERO };
        log(function, &handled);
        handled
    }
}

/// Lets `function` handle `event`, until `until` at the latest, and logs a line.
pub(crate) async fn handle<E: Event>(function: &dyn Function<E>, event: E, until: Option<Instant>) -> Handled {
    let about = event.about();
    let started = Instant::now();
    // A handler must survive panics of concurrent events anyway, because its fields are behind `&self`.
    let outcome = AssertUnwindSafe(async { function.handle(event).await }).catch_unwind();
    let outcome = match until {
        Some(until) => tokio::time::timeout_at(until, outcome).await.ok(),
        None => Some(outcome.await),
    };
    let ending = match outcome {
        Some(Ok(outcome)) => Ending::Outcome(outcome),
        Some(Err(panic)) => Ending::Panic(Reason::new("panic", words(&*panic))),
        None => Ending::OutOfTime,
    };
    let handled = Handled { about, ending, latency: started.elapsed() };
    log(function.name(), &handled);
    handled
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Returns the id of a line that is the same each time its message is delivered. Each failed attempt gets a
/// line of its own, and so does a message without an identity.
fn once(function: &str, ending: &Ending, identity: &str) -> Option<String> {
    let is_same = match ending {
        Ending::Outcome(Outcome::Retry { reason, .. }) => reason.code == NOT_AN_EVENT,
        Ending::Outcome(_) => true,
        Ending::Panic(_) | Ending::OutOfTime => false,
    };
    (is_same && !identity.is_empty()).then(|| {
        let digest = framepost_events::Sha256::of(format!("{function}\0{}\0{identity}", ending.word()).as_bytes());
        hex::encode(&digest.0[..16])
    })
}

fn log(function: &str, handled: &Handled) {
    let Handled { about: About { identity, key, site, object_bytes, .. }, ending, latency } = handled;
    let outcome = ending.word();
    let reason = ending.reason();
    let key = key.as_deref();
    let detail = reason.map(|r| r.detail.as_str());
    let reason = reason.map(|r| r.code.as_str());
    let site = site.as_ref().map(framepost_events::Site::as_str);
    let once_id = once(function, ending, identity);
    let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    // In `tracing`, the level of a line is fixed at its call site.
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = "handled",
                function,
                outcome,
                reason,
                detail,
                key,
                site,
                object_bytes,
                latency_ms,
                once_id,
                "handled"
            )
        };
    }
    match ending {
        Ending::Outcome(Outcome::Done | Outcome::Skip(_)) => line!(info),
        Ending::Outcome(Outcome::Retry { .. } | Outcome::Reject(_)) => line!(warn),
        Ending::Panic(_) | Ending::OutOfTime => line!(error),
    }
}
