//! The state of this program's functions, for the API.

use async_trait::async_trait;
use framepost_api::{FunctionHealth, FunctionState, Workings};
use framepost_host::{Ending, Settled, Watch};
use framepost_local::LocalInbox;
use framepost_ports::{Outcome, Result};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The state of the functions that run. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Health {
    functions: Arc<Mutex<Vec<Watched>>>,
}

#[derive(Clone)]
struct Watched {
    name: String,
    inbox: Arc<LocalInbox>,
    seen: Arc<Mutex<Seen>>,
}

/// What was observed of a function.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    last_error: Option<(Timestamp, String)>,
    /// Whether nothing was handled since the last failure.
    is_failing: bool,
}

impl Seen {
    fn failed(&mut self, why: String) {
        self.last_error = Some((Timestamp::now(), why));
        self.is_failing = true;
    }

    /// Takes in a settled message. A rejected one is the last error, but only one that is tried again makes the function failing.
    fn settled(&mut self, settled: &Settled) {
        for handled in &settled.handled {
            let why = || match handled.ending.reason() {
                Some(reason) => format!("{}: {}", reason.code, reason.detail),
                None => "it took too long".to_owned(),
            };
            match &handled.ending {
                Ending::Outcome(Outcome::Done | Outcome::Skip(_)) => self.is_failing = false,
                Ending::Outcome(Outcome::Reject(_)) => {
                    self.failed(why());
                    self.is_failing = false;
                }
                Ending::Outcome(Outcome::Retry { .. }) | Ending::Panic(_) | Ending::OutOfTime => self.failed(why()),
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The observer of one running function.
pub(crate) struct Watching(Arc<Mutex<Seen>>);

impl Watching {
    /// Returns a callback for settled messages.
    pub(crate) fn watch(&self) -> Watch {
        let seen = self.0.clone();
        Arc::new(move |settled| locked(&seen).settled(settled))
    }

    /// Notes that the function has ended and cannot continue.
    pub(crate) fn ended(&self, why: String) {
        locked(&self.0).failed(why);
    }
}

impl Health {
    /// Observes the function that takes its messages from this inbox.
    pub(crate) fn watch(&self, name: &str, inbox: Arc<LocalInbox>) -> Watching {
        let seen = Arc::<Mutex<Seen>>::default();
        locked(&self.functions).push(Watched { name: name.to_owned(), inbox, seen: seen.clone() });
        Watching(seen)
    }
}

#[async_trait]
impl Workings for Health {
    async fn functions(&self) -> Result<Vec<FunctionState>> {
        let watched = locked(&self.functions).clone();
        let mut states = Vec::with_capacity(watched.len());
        for Watched { name, inbox, seen } in watched {
            let oldest = inbox.oldest().await?;
            let age = |since: Timestamp| Duration::try_from(Timestamp::now().duration_since(since)).unwrap_or_default();
            let parked = inbox.parked().await?;
            let Seen { last_error, is_failing } = locked(&seen).clone();
            states.push(FunctionState {
                name,
                waiting: u64::try_from(inbox.len()).unwrap_or(u64::MAX),
                parked: u64::try_from(parked).unwrap_or(u64::MAX),
                oldest_waiting: oldest.map(age),
                last_error,
                health: if is_failing { FunctionHealth::Failing } else { FunctionHealth::Good },
            });
        }
        Ok(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_host::{About, Answer, Handled, ObjectKind};
    use framepost_ports::Reason;

    #[test]
    fn a_function_fails_until_it_has_handled_something() {
        let mut seen = Seen::default();
        let mut settle = |ending: Ending| {
            let kind = ObjectKind::Chunk;
            let about = About { identity: "m".to_owned(), key: None, site: None, object_bytes: None, kind };
            let handled = vec![Handled { about, ending, latency: Duration::ZERO }];
            seen.settled(&Settled { answer: Answer::Acknowledge, handled });
            (seen.is_failing, seen.last_error.clone().map(|(_, why)| why))
        };
        let reason = || Reason::new("busy", "the disk is full");
        let error = |text: &str| Some(text.to_owned());
        assert_eq!(settle(Ending::Outcome(Outcome::Done)), (false, None));
        let retry = Outcome::Retry { after: Duration::ZERO, reason: reason() };
        assert_eq!(settle(Ending::Outcome(retry)), (true, error("busy: the disk is full")));
        assert_eq!(settle(Ending::Outcome(Outcome::Skip(reason()))), (false, error("busy: the disk is full")));
        assert_eq!(settle(Ending::OutOfTime), (true, error("it took too long")));
        assert_eq!(settle(Ending::Outcome(Outcome::Reject(reason()))), (false, error("busy: the disk is full")));
        assert_eq!(settle(Ending::Panic(reason())), (true, error("busy: the disk is full")));
    }
}
