//! A function beside a local queue.

use crate::event::Event;
use crate::handled::{Ending, handle};
use framepost_local::{LocalQueue, Message};
use framepost_ports::{Function, Outcome, Reason, Result, chain};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// How hard a function is driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Events handled at a time.
    pub concurrency: usize,
    /// Panics after which an event is parked. Retries that the function asks for have no such limit: it knows why.
    pub attempts: u32,
    /// How long an event waits after a panic.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { concurrency: 4, attempts: 3, pause: Duration::from_secs(1) }
    }
}

/// What a run did, by how its events ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Done.
    pub done: u64,
    /// Nothing to do.
    pub skipped: u64,
    /// Sent back by the function.
    pub retried: u64,
    /// Rejected, and parked.
    pub rejected: u64,
    /// Panicked, and sent back or parked.
    pub panicked: u64,
}

/// Handles the queue's events until `shutdown`, then finishes those in hand. What is left stays in the queue.
pub async fn run<E: Event>(
    queue: LocalQueue,
    function: Arc<impl Function<E> + 'static>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<Summary> {
    let function: Arc<dyn Function<E>> = function;
    let mut shutdown = std::pin::pin!(shutdown);
    let (mut hands, mut summary) = (JoinSet::new(), Summary::default());
    loop {
        let has_free_hand = hands.len() < limits.concurrency.max(1);
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = hands.join_next() => summary.count(ended.as_ref().ok()),
            message = queue.receive(), if has_free_hand => {
                hands.spawn(one(message?, function.clone(), limits));
            }
        }
    }
    while let Some(ended) = hands.join_next().await {
        summary.count(ended.as_ref().ok());
    }
    Ok(summary)
}

enum Ended {
    Done,
    Skipped,
    Retried,
    Rejected,
    Panicked,
}

impl Summary {
    fn count(&mut self, ended: Option<&Ended>) {
        match ended {
            Some(Ended::Done) => self.done += 1,
            Some(Ended::Skipped) => self.skipped += 1,
            Some(Ended::Retried) => self.retried += 1,
            Some(Ended::Rejected) => self.rejected += 1,
            // The message went back when it was dropped.
            Some(Ended::Panicked) | None => self.panicked += 1,
        }
    }
}

async fn one<E: Event>(message: Message, function: Arc<dyn Function<E>>, limits: Limits) -> Ended {
    let key = message.event().key.clone();
    let Some(event) = E::of_bucket(message.event().clone()) else {
        let reason = Reason::new("not-an-event", "the function listens to records, and a bucket has none");
        settled(&key, message.park(&reason).await);
        return Ended::Rejected;
    };
    let handled = handle(&*function, event, None).await;
    let (result, ended) = match handled.ending {
        Ending::Outcome(Outcome::Done) => (message.ack().await, Ended::Done),
        Ending::Outcome(Outcome::Skip(_)) => (message.ack().await, Ended::Skipped),
        Ending::Outcome(Outcome::Retry { after, .. }) => {
            message.nack(after);
            (Ok(()), Ended::Retried)
        }
        Ending::Outcome(Outcome::Reject(reason)) => (message.park(&reason).await, Ended::Rejected),
        Ending::Panic(reason) if message.attempts() >= limits.attempts => {
            (message.park(&reason).await, Ended::Panicked)
        }
        Ending::Panic(_) | Ending::OutOfTime => {
            message.nack(limits.pause);
            (Ok(()), Ended::Panicked)
        }
    };
    settled(&key, result);
    ended
}

fn settled(key: &str, result: Result<()>) {
    if let Err(error) = result {
        // Doing it twice has the effect of once, so the message may come again.
        tracing::error!(key, error = chain(&error), "cannot settle an event");
    }
}
