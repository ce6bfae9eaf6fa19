//! A function beside an SQS queue: a worker on Kubernetes, or any machine.
//!
//! ```text
//!            receive (up to as many as hands are free)
//!   queue ──────────────────────────────────────────▶ hands ─answers─▶ settler ─▶ delete, hide
//!                                                       │
//!                              keeper: hides what is in hand for longer, twice a visibility time
//! ```
//!
//! A message is hidden from others for [`Limits::visible_after`] and kept hidden while it is handled, so a worker that
//! dies gives its messages back after that time at most. Answers that come while a request is under way go together
//! with the next one. At the end nothing more is received, what is in hand is finished within [`Limits::drain`], and what
//! is not by then is given back at once.

use crate::event::{Carrier, Event, Message};
use crate::settle::{Answer, Handler};
use framepost_aws::{MAX_MESSAGES, Receipt, Received, SqsQueue};
use framepost_ports::chain;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How a worker works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Messages handled at a time. They wait for answers of the bucket and the bus most of the time.
    pub concurrency: usize,
    /// How long a message stays hidden after the worker was last heard of.
    pub visible_after: Duration,
    /// For one message; then it comes again.
    pub handling: Duration,
    /// For what is in hand at the end. Kubernetes kills after 30 s.
    pub drain: Duration,
    /// The longest pause after a failed request; the first one is a second at most.
    pub longest_pause: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 16,
            visible_after: Duration::from_mins(1),
            handling: Duration::from_mins(5),
            drain: Duration::from_secs(25),
            longest_pause: Duration::from_secs(30),
        }
    }
}

/// What is in hand: kept hidden while it is here.
type InHand = Arc<Mutex<HashMap<u64, Receipt>>>;

/// Handles messages until `shutdown`, then finishes what is in hand. What is left stays in the queue.
pub async fn run<E: Event>(handler: Handler<E>, queue: SqsQueue, limits: Limits, shutdown: impl Future<Output = ()>) {
    let function = handler.name();
    tracing::info!(function, concurrency = limits.concurrency, "taking messages");
    let in_hand = InHand::default();
    let (answers, settler) = mpsc::channel(limits.concurrency.max(MAX_MESSAGES));
    let settler = tokio::spawn(settle(queue.clone(), settler));
    let keeper = tokio::spawn(keep(queue.clone(), in_hand.clone(), limits.visible_after));
    let worker = Worker { handler, limits, in_hand: in_hand.clone(), answers: answers.clone() };
    let mut hands = JoinSet::new();
    tokio::select! {
        biased;
        () = shutdown => {}
        () = worker.receive(&queue, &mut hands) => {}
    }
    tracing::info!(function, in_hand = hands.len(), "finishing what is in hand");
    let finished = async { while hands.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, finished).await.is_err() {
        tracing::warn!(function, given_back = hands.len(), "no time left");
        hands.shutdown().await;
    }
    keeper.abort();
    let left: Vec<Receipt> = in_hand.lock().unwrap_or_else(PoisonError::into_inner).drain().map(|(_, r)| r).collect();
    for receipt in left {
        let _ = answers.send((receipt, Answer::Again(Duration::ZERO))).await;
    }
    drop((worker, answers));
    // It ends with the last answer.
    let _ = settler.await;
    tracing::info!(function, "ended");
}

struct Worker<E> {
    handler: Handler<E>,
    limits: Limits,
    in_hand: InHand,
    answers: mpsc::Sender<(Receipt, Answer)>,
}

impl<E: Event> Worker<E> {
    /// Receives for ever, as many messages as there are free hands.
    async fn receive(&self, queue: &SqsQueue, hands: &mut JoinSet<()>) {
        let places = Arc::new(Semaphore::new(self.limits.concurrency.max(1)));
        let (mut pause, mut number) = (Duration::ZERO, 0_u64);
        loop {
            // The semaphore is never closed.
            let Ok(first) = places.clone().acquire_owned().await else { return };
            let mut free = vec![first];
            while free.len() < MAX_MESSAGES {
                let Ok(next) = places.clone().try_acquire_owned() else { break };
                free.push(next);
            }
            let received = match queue.receive(free.len(), self.limits.visible_after).await {
                Ok(received) => received,
                Err(error) => {
                    pause = (pause * 2).clamp(Duration::from_secs(1), self.limits.longest_pause);
                    let jittered = pause.mul_f64(fastrand::f64());
                    tracing::warn!(error = chain(&error), pause_s = jittered.as_secs_f64(), "cannot receive");
                    tokio::time::sleep(jittered).await;
                    continue;
                }
            };
            pause = Duration::ZERO;
            // Those that ended are forgotten.
            while hands.try_join_next().is_some() {}
            for (received, place) in received.into_iter().zip(free) {
                number += 1;
                let (receipt, message) = read(received);
                self.in_hand.lock().unwrap_or_else(PoisonError::into_inner).insert(number, receipt.clone());
                let (handler, answers, in_hand) = (self.handler.clone(), self.answers.clone(), self.in_hand.clone());
                let until = Instant::now() + self.limits.handling;
                hands.spawn(async move {
                    let answer = handler.settle(&message, Some(until)).await.answer;
                    // From here on the message is the settler's.
                    let _ = answers.send((receipt, answer)).await;
                    in_hand.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                    drop(place);
                });
            }
        }
    }
}

fn read(received: Received) -> (Receipt, Message) {
    let Received { id, receipt, attributes, body, trace_header } = received;
    let trace_id = trace_header.as_deref().map(|header| crate::xray::root(header).to_owned());
    (receipt, Message { id, carrier: Carrier::Queue, attributes, body: body.into(), trace_id })
}

/// Tells the queue what became of messages, as many at a time as came meanwhile.
async fn settle(queue: SqsQueue, mut answers: mpsc::Receiver<(Receipt, Answer)>) {
    let mut batch = Vec::new();
    while answers.recv_many(&mut batch, MAX_MESSAGES).await > 0 {
        let (mut done, mut again) = (Vec::new(), Vec::new());
        for (receipt, answer) in batch.drain(..) {
            match answer {
                Answer::Acknowledge => done.push(receipt),
                Answer::Again(after) => again.push((receipt, after)),
            }
        }
        let (deleted, hidden) = tokio::join!(queue.delete(&done), queue.hide(&again));
        for error in [deleted.err(), hidden.err()].into_iter().flatten() {
            // Doing it twice has the effect of once, so a message may come again.
            tracing::warn!(error = chain(&error), "cannot settle messages, they come again");
        }
    }
}

/// Keeps what is in hand hidden from others.
async fn keep(queue: SqsQueue, in_hand: InHand, visible_after: Duration) {
    let mut turns = tokio::time::interval(visible_after / 2);
    turns.tick().await;
    loop {
        turns.tick().await;
        let kept: Vec<(Receipt, Duration)> = {
            let in_hand = in_hand.lock().unwrap_or_else(PoisonError::into_inner);
            in_hand.values().map(|receipt| (receipt.clone(), visible_after)).collect()
        };
        if let Err(error) = queue.hide(&kept).await {
            tracing::warn!(error = chain(&error), "cannot keep messages hidden, they may come to others too");
        }
    }
}
