//! Runs a function beside an inbox: the one loop that takes messages from any inbox.
//!
//! A [`Worker`](run) receives as many messages as it has free places; each is settled and answered by a task. It has no
//! more places than the function works on messages at a time ([`Function::at_once`](framepost_ports::Function::at_once)). A
//! request that fails temporarily is repeated after a growing pause; one that fails permanently ends the
//! worker. On shutdown nothing more is received, messages in progress are finished within [`WorkerLimits::drain`],
//! and the rest is returned immediately.

use crate::handled::{Ending, Handled};
use crate::settle::{Answer, Handler, Settled};
use framepost_ports::{Delivery, Inbox, Outcome, Result, chain};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How many messages a worker takes at a time, and how long each may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerLimits {
    /// Concurrent messages, or fewer if the function works on fewer at a time. They mostly wait for the bucket and the bus.
    pub concurrency: usize,
    /// Time limit for one message. After that, it is delivered again.
    pub handling: Duration,
    /// Time limit for messages in progress at shutdown. Kubernetes kills after 30 s.
    pub drain: Duration,
    /// The longest pause after a failed request; the first one is at most a second.
    pub longest_pause: Duration,
}

impl Default for WorkerLimits {
    fn default() -> Self {
        Self {
            concurrency: 16,
            handling: Duration::from_mins(5),
            drain: Duration::from_secs(25),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// Counts of a worker's messages by result. A message without an event counts as rejected or retried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Number of messages that were handled.
    pub done: u64,
    /// Number of messages that required no work.
    pub skipped: u64,
    /// Number of messages returned by the function, or out of time.
    pub retried: u64,
    /// Number of messages rejected and parked.
    pub rejected: u64,
    /// Number of messages on which the function panicked.
    pub panicked: u64,
}

impl Summary {
    /// A task that panicked settled nothing: its delivery was dropped, and is delivered again.
    fn count(&mut self, settled: Option<&Settled>) {
        for Handled { ending, .. } in settled.iter().flat_map(|settled| &settled.handled) {
            *match ending {
                Ending::Outcome(Outcome::Done) => &mut self.done,
                Ending::Outcome(Outcome::Skip(_)) => &mut self.skipped,
                Ending::Outcome(Outcome::Retry { .. }) | Ending::OutOfTime => &mut self.retried,
                Ending::Outcome(Outcome::Reject(_)) => &mut self.rejected,
                Ending::Panic(_) => &mut self.panicked,
            } += 1;
        }
    }
}

/// Handles the messages of `inbox` until `shutdown`, then finishes those in progress and closes it. Other
/// messages stay in the inbox.
///
/// # Errors
///
/// When the inbox fails in a way that stays: there is none of this name, or the credential may not read it. What is in
/// hand is finished first.
pub async fn run(
    handler: Handler,
    inbox: Arc<dyn Inbox>,
    limits: WorkerLimits,
    shutdown: impl Future<Output = ()>,
) -> Result<Summary> {
    let function = handler.name();
    let at_once = handler.at_once().map_or(usize::MAX, NonZeroUsize::get);
    let limits = WorkerLimits { concurrency: limits.concurrency.clamp(1, at_once), ..limits };
    tracing::info!(function, concurrency = limits.concurrency, "receiving messages");
    let mut hands = JoinSet::new();
    let mut summary = Summary::default();
    let received = tokio::select! {
        biased;
        () = shutdown => Ok(()),
        Err(error) = receive(&handler, &*inbox, limits, &mut hands, &mut summary) => Err(error),
    };
    tracing::info!(function, in_hand = hands.len(), "finishing the messages in progress");
    let finish = async {
        let finished = async {
            while let Some(settled) = hands.join_next().await {
                summary.count(settled.as_ref().ok());
            }
        };
        if tokio::time::timeout(limits.drain, finished).await.is_err() {
            tracing::warn!(function, given_back = hands.len(), "no time left");
            hands.shutdown().await;
        }
    };
    tokio::join!(finish, inbox.close());
    tracing::info!(function, "ended");
    received.map(|()| summary)
}

/// Receives for ever, as many messages as there are free hands.
async fn receive(
    handler: &Handler,
    inbox: &dyn Inbox,
    limits: WorkerLimits,
    hands: &mut JoinSet<Settled>,
    summary: &mut Summary,
) -> Result<()> {
    let places = Arc::new(Semaphore::new(limits.concurrency));
    let mut pause = Duration::ZERO;
    loop {
        // The semaphore is never closed.
        let Ok(first) = places.clone().acquire_owned().await else { return Ok(()) };
        let mut free = vec![first];
        while let Ok(next) = places.clone().try_acquire_owned() {
            free.push(next);
        }
        let received = match inbox.receive(free.len()).await {
            Ok(received) => received,
            Err(error) if error.kind().is_transient() => {
                pause = (pause * 2).clamp(Duration::from_secs(1), limits.longest_pause);
                let jittered = pause.mul_f64(fastrand::f64());
                tracing::warn!(error = chain(&error), pause_s = jittered.as_secs_f64(), "cannot receive");
                tokio::time::sleep(jittered).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        pause = Duration::ZERO;
        while let Some(settled) = hands.try_join_next() {
            summary.count(settled.as_ref().ok());
        }
        for (delivery, place) in received.into_iter().zip(free) {
            let handler = handler.clone();
            let until = Instant::now() + limits.handling;
            hands.spawn(async move {
                let settled = handler.settle(&delivery.message, Some(until)).await;
                answer(delivery, settled.answer).await;
                drop(place);
                settled
            });
        }
    }
}

async fn answer(delivery: Delivery, answer: Answer) {
    let id = delivery.message.id.clone();
    let answered = match answer {
        Answer::Acknowledge => delivery.done().await,
        Answer::Again(after) => delivery.again(after).await,
    };
    if let Err(error) = answered {
        // Handlers tolerate repeated messages, so this one may be delivered again.
        tracing::error!(message_id = id, error = chain(&error), "cannot settle a message, it may be delivered again");
    }
}
