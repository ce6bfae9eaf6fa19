//! An SQS queue as an inbox.
//!
//! ```text
//!   queue ─receive─▶ taker ─answers─▶ settler ─▶ delete, hide
//!                      │
//!          keeper: hides what is in hand for longer, twice a visibility timeout
//! ```
//!
//! While a message is in hand, the keeper renews its visibility timeout so that it stays hidden from others. If
//! a taker dies, its messages become visible again within one timeout. Answers that arrive while a request is
//! in progress are sent together in the next request.

use crate::queue::{MAX_MESSAGES, Receipt as Handle, Received, SqsQueue};
use crate::xray;
use async_trait::async_trait;
use framepost_ports::{Carrier, Delivery, Inbox, Message, Receipt, Result, chain};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many answers may wait for the settler before callers have to wait.
const ANSWERS_WAITING: usize = 64;

/// Takes messages from an SQS queue. Two background tasks settle messages and keep them hidden.
#[derive(Debug)]
pub struct SqsInbox {
    queue: SqsQueue,
    visibility_timeout: Duration,
    in_hand: Arc<InHand>,
    /// To the task that settles; `None` after [`close`](Inbox::close).
    answers: Mutex<Option<mpsc::Sender<(Handle, Answer)>>>,
    settler: Mutex<Option<JoinHandle<()>>>,
}

/// The receipt handles of the messages in hand, by a number that this inbox assigns.
#[derive(Debug, Default)]
struct InHand {
    handles: Mutex<(u64, HashMap<u64, Handle>)>,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Done,
    Again(Duration),
}

impl SqsInbox {
    /// Takes messages from `queue`. A message becomes visible to others at most `visibility_timeout` after this
    /// process dies. Must be called within a Tokio runtime.
    pub fn new(queue: SqsQueue, visibility_timeout: Duration) -> Self {
        let in_hand = Arc::new(InHand::default());
        let (sender, receiver) = mpsc::channel(ANSWERS_WAITING);
        let settler = tokio::spawn(settle(queue.clone(), receiver));
        tokio::spawn(keep(queue.clone(), Arc::downgrade(&in_hand), visibility_timeout));
        Self {
            queue,
            visibility_timeout,
            in_hand,
            answers: Mutex::new(Some(sender)),
            settler: Mutex::new(Some(settler)),
        }
    }

    fn delivery(&self, received: Received, answers: &mpsc::Sender<(Handle, Answer)>) -> Delivery {
        let Received { id, receipt: handle, attributes, body, trace_header, deliveries } = received;
        let trace_id = trace_header.as_deref().map(|header| xray::root(header).to_owned());
        let number = self.in_hand.insert(handle.clone());
        let receipt =
            SqsReceipt { handle: Some(handle), number, in_hand: self.in_hand.clone(), answers: answers.clone() };
        let message = Message { attributes, trace_id, deliveries, ..Message::new(id, Carrier::Queue, body) };
        Delivery::new(message, Box::new(receipt))
    }
}

#[async_trait]
impl Inbox for SqsInbox {
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(answers) = answers else { return Ok(Vec::new()) };
        let received = self.queue.receive(max, self.visibility_timeout).await?;
        Ok(received.into_iter().map(|received| self.delivery(received, &answers)).collect())
    }

    async fn close(&self) {
        drop(self.answers.lock().unwrap_or_else(PoisonError::into_inner).take());
        let settler = self.settler.lock().unwrap_or_else(PoisonError::into_inner).take();
        // The settler ends after the last receipt is gone and its answer is sent.
        if let Some(settler) = settler
            && let Err(error) = settler.await
        {
            tracing::error!(%error, "the task that settles messages ended early, its messages are delivered again");
        }
    }
}

impl InHand {
    fn handles(&self) -> MutexGuard<'_, (u64, HashMap<u64, Handle>)> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, handle: Handle) -> u64 {
        let mut handles = self.handles();
        handles.0 += 1;
        let number = handles.0;
        handles.1.insert(number, handle);
        number
    }

    fn remove(&self, number: u64) {
        self.handles().1.remove(&number);
    }
}

struct SqsReceipt {
    /// `None` after the message is answered.
    handle: Option<Handle>,
    number: u64,
    in_hand: Arc<InHand>,
    answers: mpsc::Sender<(Handle, Answer)>,
}

impl SqsReceipt {
    async fn answer(mut self: Box<Self>, answer: Answer) {
        if let Some(handle) = self.handle.take() {
            // The settler owns the message from here on. It runs for as long as this sender exists.
            let _ = self.answers.send((handle, answer)).await;
        }
    }
}

#[async_trait]
impl Receipt for SqsReceipt {
    async fn done(self: Box<Self>) -> Result<()> {
        self.answer(Answer::Done).await;
        Ok(())
    }

    async fn again(self: Box<Self>, after: Duration) -> Result<()> {
        self.answer(Answer::Again(after)).await;
        Ok(())
    }
}

impl Drop for SqsReceipt {
    fn drop(&mut self) {
        self.in_hand.remove(self.number);
        if let Some(handle) = self.handle.take() {
            // If the settler's queue is full, the message becomes visible again after its visibility timeout.
            let _ = self.answers.try_send((handle, Answer::Again(Duration::ZERO)));
        }
    }
}

/// Deletes or hides messages, and sends all answers that have arrived meanwhile in one batch.
async fn settle(queue: SqsQueue, mut answers: mpsc::Receiver<(Handle, Answer)>) {
    let mut batch = Vec::new();
    while answers.recv_many(&mut batch, MAX_MESSAGES).await > 0 {
        let mut done = Vec::new();
        let mut again = Vec::new();
        for (handle, answer) in batch.drain(..) {
            match answer {
                Answer::Done => done.push(handle),
                Answer::Again(after) => again.push((handle, after)),
            }
        }
        let (deleted, hidden) = tokio::join!(queue.delete(&done), queue.hide(&again));
        for error in [deleted.err(), hidden.err()].into_iter().flatten() {
            // Handlers tolerate repeated messages, so it is safe that these come again.
            tracing::warn!(error = chain(&error), "cannot settle messages, they are delivered again");
        }
    }
}

/// Keeps messages in hand hidden from others until the inbox is dropped.
async fn keep(queue: SqsQueue, in_hand: Weak<InHand>, visibility_timeout: Duration) {
    let mut turns = tokio::time::interval(visibility_timeout / 2);
    turns.tick().await;
    loop {
        turns.tick().await;
        let Some(in_hand) = in_hand.upgrade() else { return };
        let kept: Vec<(Handle, Duration)> =
            in_hand.handles().1.values().map(|handle| (handle.clone(), visibility_timeout)).collect();
        drop(in_hand);
        if let Err(error) = queue.hide(&kept).await {
            tracing::warn!(
                error = chain(&error),
                "cannot extend the messages' visibility timeout, they may be delivered again"
            );
        }
    }
}
