//! The port for the messages that a subscriber has not handled yet.
//!
//! Each subscriber has an inbox of its own: an SQS queue, a Pub/Sub subscription or a local directory. Delivery
//! is at least once and unordered. A message that can never be handled is first given to the
//! [`DeadLetters`](crate::DeadLetters) and then answered with [`Delivery::done`], so it is always in at least
//! one of the two places.

use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// How the body and the attributes of a message are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The body contains the whole event: SQS, a local directory.
    Queue,
    /// An HTTP request, whose headers are the attributes.
    Http,
    /// A pulled Pub/Sub message: it has attributes, and the body is the decoded data.
    PubSub,
}

/// One message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The id that the carrier gave the message; the same for every delivery.
    pub id: String,
    /// How to read body and attributes.
    pub carrier: Carrier,
    pub attributes: Vec<(String, String)>,
    pub body: Bytes,
    /// The trace that the message belongs to, in the form of its cloud.
    pub trace_id: Option<String>,
    /// When the message was published, if the carrier says; the same for every delivery.
    pub published: Option<Timestamp>,
    /// How often the message was delivered, this time included, if the carrier counts.
    pub deliveries: Option<u32>,
}

impl Message {
    /// Creates a message without attributes and without optional fields.
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

/// The waiting messages of one subscriber. Several takers of one inbox share its messages.
#[async_trait]
pub trait Inbox: Send + Sync {
    /// Waits for messages and returns between one and `max` of them. `max` must be at least 1;
    /// an inbox may have a lower limit of its own. Returns an empty list when a long poll times
    /// out, and always after [`close`](Self::close).
    ///
    /// No other taker receives a message until it is answered or dropped, or its taker dies. If the call is
    /// cancelled, messages may have been received that nobody saw; they are delivered again.
    ///
    /// # Errors
    ///
    /// A [transient](crate::ErrorKind::is_transient) error means that the caller should try again after a
    /// pause. Any other error is permanent: the inbox does not exist, or the credential may not read it.
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>>;

    /// Stops handing out messages. Returns when every message that was handed out is answered or dropped and
    /// the service knows. Until then, those messages stay with their takers.
    async fn close(&self);
}

/// Answers one message. A receipt that is dropped without an answer returns its message to the inbox.
#[async_trait]
pub trait Receipt: Send {
    /// Tells the service that the message is handled, so that it forgets it. Implements [`Delivery::done`].
    async fn done(self: Box<Self>) -> Result<()>;

    /// Gives the message back, to be delivered after `after` where the service can wait. Implements [`Delivery::again`].
    async fn again(self: Box<Self>, after: Duration) -> Result<()>;
}

/// A message that one taker has in hand, to be answered once. Dropping it without an answer
/// returns it to the inbox.
pub struct Delivery {
    pub message: Message,
    receipt: Box<dyn Receipt>,
}

impl Delivery {
    /// Creates a delivery that answers through `receipt`.
    pub fn new(message: Message, receipt: Box<dyn Receipt>) -> Self {
        Self { message, receipt }
    }

    /// Answers that the message is handled. It leaves the inbox.
    ///
    /// # Errors
    ///
    /// Fails if the answer could not be recorded locally. The message may then be delivered again,
    /// as after a lost answer.
    pub async fn done(self) -> Result<()> {
        self.receipt.done().await
    }

    /// Returns the message for another delivery, not before `after` if the inbox supports a delay. Pub/Sub does
    /// not: its subscription's back-off decides.
    ///
    /// # Errors
    ///
    /// Fails if the answer could not be recorded locally. The message is delivered again in any case.
    pub async fn again(self, after: Duration) -> Result<()> {
        self.receipt.again(after).await
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("message", &self.message).finish_non_exhaustive()
    }
}
