//! Where a subscriber's messages wait until they are dealt with.
//!
//! Each subscriber has an inbox of its own: an SQS queue, a Pub/Sub subscription, a local directory. Delivery is at least
//! once and unordered. A message that will never work is first given to the [`DeadLetters`](crate::DeadLetters) and then
//! answered with [`Delivery::done`], so it is in one of the two places at any moment.

use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// How the body and the attributes of a message are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The body says everything: SQS, a local directory.
    Queue,
    /// An HTTP request: the attributes are its headers.
    Http,
    /// A pulled Pub/Sub message: its attributes count, its body is the data, already decoded.
    PubSub,
}

/// One message, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The carrier's name for it; the same when it comes again.
    pub id: String,
    /// How it is read.
    pub carrier: Carrier,
    /// Attributes or headers.
    pub attributes: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// The trace that it belongs to, as its cloud writes it.
    pub trace_id: Option<String>,
    /// When it was published, where the carrier says; the same when it comes again.
    pub published: Option<Timestamp>,
    /// How often it was handed out, this time included, where the carrier counts.
    pub deliveries: Option<u32>,
}

impl Message {
    /// A message of which nothing else is known.
    pub fn new(id: impl Into<String>, carrier: Carrier, body: impl Into<Bytes>) -> Self {
        Self {
            id: id.into(),
            carrier,
            attributes: Vec::new(),
            body: body.into(),
            trace_id: None,
            published: None,
            deliveries: None,
        }
    }
}

/// Where the messages of one subscriber wait. Several takers of one inbox share its messages.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Waits for messages and hands out between one and `max` of them (`max` is at least 1; an inbox may have a smaller
    /// limit of its own). Returns an empty list when a long poll times out, and for ever after [`close`](Self::close).
    ///
    /// A message that is handed out comes to no other taker until it is answered or dropped, or its taker dies. A call
    /// that is cancelled may have received messages that nobody saw: they come again.
    ///
    /// # Errors
    ///
    /// A [transient](crate::ErrorKind::is_transient) error is worth another call after a pause. Any other stays: there is
    /// no such inbox, or the credential may not read it.
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>>;

    /// Hands out no more messages, and returns when each that was handed out is answered or dropped and the service knows.
    /// Until then they stay with their takers.
    async fn close(&self);
}

/// What an inbox must be told of one message. A receipt that is dropped unanswered gives its message back.
#[async_trait]
pub trait Receipt: Send {
    /// See [`Delivery::done`].
    async fn done(self: Box<Self>) -> Result<()>;

    /// See [`Delivery::again`].
    async fn again(self: Box<Self>, after: Duration) -> Result<()>;
}

/// A message that one taker has in hand, and its one answer. Dropped without an answer, it comes again.
pub struct Delivery {
    /// The message.
    pub message: Message,
    receipt: Box<dyn Receipt>,
}

impl Delivery {
    /// A message, and where its answer goes.
    pub fn new(message: Message, receipt: Box<dyn Receipt>) -> Self {
        Self { message, receipt }
    }

    /// Answers that the message is dealt with: it leaves the inbox.
    ///
    /// # Errors
    ///
    /// When this answer could not be kept here. The message may then come again, as it may after a lost answer.
    pub async fn done(self) -> Result<()> {
        self.receipt.done().await
    }

    /// Answers that the message is to come again, not before `after` where the inbox can wait. Pub/Sub cannot: there the
    /// subscription's own back-off decides.
    ///
    /// # Errors
    ///
    /// When this answer could not be kept here. The message comes again in any case.
    pub async fn again(self, after: Duration) -> Result<()> {
        self.receipt.again(after).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("message", &self.message).finish_non_exhaustive()
    }
}
