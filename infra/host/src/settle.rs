//! Settles one message: handles its events, parks it if rejected, and decides the answer.
//!
//! | result | answer |
//! |---|---|
//! | every event is done or skipped, or there is nothing to do | acknowledge |
//! | an event must be retried, panicked, or ran out of time | the whole message is delivered again; handlers tolerate repeated events |
//! | an event panics, and the message has been handed out [`Handler::panics_max`] times | parked like a reject |
//! | none of these, but one is rejected | parked whole with the reason, then acknowledged; delivered again if parking fails |
//! | the message contains no event | the same, with the reason `not-an-event`; without dead letters it is delivered again, so that the queue's own redrive policy takes it |
//!
//! Without dead letters, a rejected message is acknowledged, and only its log line remains.

use crate::event::{Arrival, Event};
use crate::handled::{Ending, Handled, NOT_AN_EVENT, handle};
use async_trait::async_trait;
use framepost_ports::{DeadLetter, DeadLetters, Function, Message, Outcome, Reason, chain};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tracing::Instrument as _;

/// How long a message waits that could not be parked or parsed.
const PAUSE: Duration = Duration::from_secs(30);

/// The answer to the carrier of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The message is settled.
    Acknowledge,
    /// Deliver the message again, not before this time if the carrier supports a delay.
    Again(Duration),
}

/// What has become of a message: the answer that its carrier gets, and what was handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The answer to the carrier.
    pub answer: Answer,
    /// The events that were handled, for metrics.
    pub handled: Vec<Handled>,
}

impl Settled {
    /// Returns whether the message contained no event that the function understands.
    pub fn is_no_event(&self) -> bool {
        let reasons = self.handled.iter().filter_map(|handled| handled.ending.reason());
        reasons.into_iter().any(|reason| reason.code == NOT_AN_EVENT)
    }
}

/// Sees each message that was settled.
pub type Watch = Arc<dyn Fn(&Settled) + Send + Sync>;

/// A function, whatever its events, and where its rejects go. What every host drives.
#[derive(Clone)]
pub struct Handler {
    watch: Option<Watch>,
    function: Arc<dyn Handles>,
    dead_letters: Option<Arc<dyn DeadLetters>>,
    panics_max: Option<u32>,
}

/// A function that takes messages.
#[async_trait]
trait Handles: Send + Sync {
    fn name(&self) -> &'static str;

    fn done_metric(&self) -> &'static str;

    fn at_once(&self) -> Option<NonZeroUsize>;

    /// Handles every event of the message, until `until` at most.
    async fn handle(&self, message: &Message, until: Option<Instant>) -> Result<Vec<Handled>, framepost_events::Error>;
}

struct Of<E>(Arc<dyn Function<E>>);

#[async_trait]
impl<E: Event> Handles for Of<E> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn done_metric(&self) -> &'static str {
        self.0.done_metric()
    }

    fn at_once(&self) -> Option<NonZeroUsize> {
        self.0.at_once()
    }

    async fn handle(&self, message: &Message, until: Option<Instant>) -> Result<Vec<Handled>, framepost_events::Error> {
        let mut handled = Vec::new();
        for notice in E::read(message)? {
            match notice {
                Arrival::Event(event) => handled.push(handle(&*self.0, event, until).await),
                Arrival::Ignored { code, detail } => {
                    let function = self.0.name();
                    let code = code.as_str();
                    tracing::info!(event = "ignored", function, reason = code, detail, "ignored");
                }
            }
        }
        Ok(handled)
    }
}

impl Handler {
    /// Has `function` handle messages.
    pub fn new<E: Event>(function: Arc<dyn Function<E>>, dead_letters: Option<Arc<dyn DeadLetters>>) -> Self {
        Self { watch: None, function: Arc::new(Of(function)), dead_letters, panics_max: None }
    }

    /// Has rejects parked in `dead_letters`.
    #[must_use]
    pub fn parking_in(self, dead_letters: Arc<dyn DeadLetters>) -> Self {
        Self { dead_letters: Some(dead_letters), ..self }
    }

    /// Parks a message on which the function panics after this many deliveries, for an inbox without a redrive
    /// policy. Retries that the function requests are not limited.
    #[must_use]
    pub fn panics_max(self, deliveries: u32) -> Self {
        Self { panics_max: Some(deliveries), ..self }
    }

    /// Has `watch` see each message that was settled, for a host that shows how its functions are.
    #[must_use]
    pub fn watched_by(self, watch: Watch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Returns the name of the function.
    pub fn name(&self) -> &'static str {
        self.function.name()
    }

    /// Returns the name of the function's metric for finished work.
    pub fn done_metric(&self) -> &'static str {
        self.function.done_metric()
    }

    /// Returns how many events the function works on at a time, if it has a limit of its own.
    pub fn at_once(&self) -> Option<NonZeroUsize> {
        self.function.at_once()
    }

    /// Settles one message, until `until` at the latest. Log lines are in a span with the message's id.
    pub async fn settle(&self, message: &Message, until: Option<Instant>) -> Settled {
        let settling = async {
            match self.function.handle(message, until).await {
                Ok(handled) => self.answered(message, handled, until).await,
                Err(error) => self.no_event(message, &error, until).await,
            }
        };
        let settled = settling.instrument(span_of(message)).await;
        if let Some(watch) = &self.watch {
            watch(&settled);
        }
        settled
    }

    /// Deals with something that may be a message, and that nobody keeps until it is answered.
    ///
    /// # Errors
    ///
    /// When it is no event: nothing was handled or parked then.
    pub async fn settle_if_event(&self, message: &Message) -> Result<Settled, framepost_events::Error> {
        let settling = async {
            let handled = self.function.handle(message, None).await?;
            Ok(self.answered(message, handled, None).await)
        };
        settling.instrument(span_of(message)).await
    }

    async fn answered(&self, message: &Message, handled: Vec<Handled>, until: Option<Instant>) -> Settled {
        let is_last = self.panics_max.zip(message.deliveries).is_some_and(|(max, deliveries)| deliveries >= max);
        let is_given_up = |ending: &Ending| is_last && matches!(ending, Ending::Panic(_));
        let endings = || handled.iter().map(|handled| &handled.ending);
        let again = endings().filter(|ending| !is_given_up(ending)).filter_map(Ending::again).max();
        let rejected = endings().find_map(|ending| match ending {
            Ending::Outcome(Outcome::Reject(reason)) => Some(reason.clone()),
            Ending::Panic(reason) if is_last => Some(reason.clone()),
            _ => None,
        });
        let answer = match (again, rejected) {
            (Some(after), _) => Answer::Again(after),
            (None, Some(reason)) => self.park(message, reason, until).await,
            (None, None) => Answer::Acknowledge,
        };
        Settled { answer, handled }
    }

    async fn no_event(&self, message: &Message, error: &framepost_events::Error, until: Option<Instant>) -> Settled {
        let reason = Reason::new(NOT_AN_EVENT, error.to_string());
        let outcome = match self.dead_letters {
            Some(_) => Outcome::Reject(reason.clone()),
            None => Outcome::Retry { after: PAUSE, reason: reason.clone() },
        };
        let handled = Handled::of_no_event(self.name(), message, outcome);
        let answer = match handled.ending.again() {
            None => self.park(message, reason, until).await,
            Some(after) => Answer::Again(after),
        };
        Settled { answer, handled: vec![handled] }
    }

    async fn park(&self, message: &Message, reason: Reason, until: Option<Instant>) -> Answer {
        let Some(dead_letters) = &self.dead_letters else { return Answer::Acknowledge };
        let Message { id, attributes, body, .. } = message.clone();
        let letter = DeadLetter { id, function: self.name(), reason, attributes, body };
        let parked = dead_letters.park(&letter);
        let parked = match until {
            Some(until) => tokio::time::timeout_at(until, parked).await,
            None => Ok(parked.await),
        };
        let why = match parked {
            Ok(Ok(())) => return Answer::Acknowledge,
            Ok(Err(error)) => chain(&error),
            Err(_) => "no time left".to_owned(),
        };
        tracing::error!(function = self.name(), error = why, "cannot park a rejected message, it is delivered again");
        Answer::Again(PAUSE)
    }
}

/// What the log lines of one message have in common.
fn span_of(message: &Message) -> tracing::Span {
    let once_time = message.published.map(tracing::field::display);
    tracing::error_span!("message", message_id = message.id, trace_id = message.trace_id, once_time)
}
