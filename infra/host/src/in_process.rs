//! A function beside a local queue.

use crate::contained::{Handled, handle};
use framepost_events::ObjectFinalized;
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
pub async fn run(
    queue: LocalQueue,
    function: Arc<dyn Function<ObjectFinalized>>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> Result<Summary> {
    let mut shutdown = std::pin::pin!(shutdown);
    let (mut hands, mut summary) = (JoinSet::new(), Summary::default());
    loop {
        let has_free_hand = hands.len() < limits.concurrency.max(1);
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(ended) = hands.join_next() => summary.count(ended.ok()),
            message = queue.receive(), if has_free_hand => {
                hands.spawn(one(message?, function.clone(), limits));
            }
        }
    }
    while let Some(ended) = hands.join_next().await {
        summary.count(ended.ok());
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
    fn count(&mut self, ended: Option<Ended>) {
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

async fn one(message: Message, function: Arc<dyn Function<ObjectFinalized>>, limits: Limits) -> Ended {
    let key = message.event().key.clone();
    let name = function.name();
    let (settled, ended) = match handle(&*function, message.event().clone()).await {
        Handled::Outcome(Outcome::Done) => (message.ack().await, Ended::Done),
        Handled::Outcome(Outcome::Skip(reason)) => {
            tracing::info!(function = name, key, code = reason.code, detail = reason.detail, "skipped");
            (message.ack().await, Ended::Skipped)
        }
        Handled::Outcome(Outcome::Retry { after, reason }) => {
            tracing::warn!(function = name, key, code = reason.code, detail = reason.detail, ?after, "to be tried again");
            message.nack(after);
            (Ok(()), Ended::Retried)
        }
        Handled::Outcome(Outcome::Reject(reason)) => {
            tracing::warn!(function = name, key, code = reason.code, detail = reason.detail, "rejected");
            (message.park(&reason).await, Ended::Rejected)
        }
        Handled::Panic(words) => {
            tracing::error!(function = name, key, attempts = message.attempts(), panic = words, "the handler panicked");
            if message.attempts() >= limits.attempts {
                (message.park(&Reason::new("panic", words)).await, Ended::Panicked)
            } else {
                message.nack(limits.pause);
                (Ok(()), Ended::Panicked)
            }
        }
    };
    if let Err(error) = settled {
        // Doing it twice has the effect of once, so the message may come again.
        tracing::error!(function = name, key, error = chain(&error), "cannot settle an event");
    }
    ended
}
