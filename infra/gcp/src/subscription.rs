//! A Pub/Sub subscription, read by streaming pull.
//!
//! The client extends the lease of each message that was handed out, for an hour at most, and takes no more
//! messages than there are handlers. A message that is returned is delivered again after the subscription's own
//! back-off (`retry_policy`). Without a retry policy that is immediately, so a subscription should have one.
//! Dropping a [`Pulled`] returns its message.

use crate::connect::GoogleOptions;
use crate::error;
use bytes::Bytes;
use framepost_ports::{Error, ErrorKind, Result};
use google_cloud_pubsub::client::Subscriber;
use google_cloud_pubsub::subscriber::handler::Handler;
use google_cloud_pubsub::subscriber::{MessageStream, ShutdownToken};
use jiff::Timestamp;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

/// The longest time that the client holds a message.
const LONGEST_LEASE: Duration = Duration::from_hours(1);

/// How many messages are taken, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taking {
    /// Most messages in hand at the same time.
    pub in_hand: u32,
    /// If the client does not renew the lease for this long, the service gives the message to another
    /// subscriber. This is the delay after a crash. 10 s to 10 min.
    pub lease: Duration,
}

impl Default for Taking {
    fn default() -> Self {
        Self { in_hand: 32, lease: Duration::from_mins(1) }
    }
}

impl Taking {
    /// Takes no more messages than a function works on at a time. The service sends as many as may be in hand, whether or not
    /// they are asked for, and counts a delivery of each.
    #[must_use]
    pub fn at_most(self, at_once: Option<NonZeroUsize>) -> Self {
        let at_once = at_once.map_or(u32::MAX, |at_once| u32::try_from(at_once.get()).unwrap_or(u32::MAX));
        Self { in_hand: self.in_hand.min(at_once), ..self }
    }
}

/// The streaming pull of one subscription.
#[derive(Debug)]
pub struct PubSubSubscription {
    stream: MessageStream,
    name: String,
}

/// A message that was pulled and not yet answered.
pub struct Pulled {
    /// The message id; the same for every delivery of the message.
    pub id: String,
    pub attributes: Vec<(String, String)>,
    pub data: Bytes,
    /// When the message was published.
    pub published: Option<Timestamp>,
    handler: Handler,
}

/// Waits until the service has received all acknowledgements.
#[derive(Debug)]
pub struct Leaving(ShutdownToken);

impl PubSubSubscription {
    /// Connects to the subscription `projects/P/subscriptions/S`. Sends no request yet.
    pub async fn connect(name: &str, taking: Taking, options: &GoogleOptions) -> Result<Self> {
        let mut builder = Subscriber::builder().with_credentials(options.credentials()?).with_grpc_subchannel_count(1);
        if let Some(endpoint) = options.endpoint() {
            builder = builder.with_endpoint(endpoint);
        }
        let client = builder.build().await;
        let client = client.map_err(|error| Error::new(ErrorKind::Invalid, "connect", name).because(error))?;
        let stream = client
            .subscribe(name)
            .set_max_lease(LONGEST_LEASE)
            .set_max_lease_extension(taking.lease)
            .set_max_outstanding_messages(taking.in_hand)
            .build();
        Ok(Self { stream, name: name.to_owned() })
    }

    /// Returns the next message. Waits through temporary failures (no network, service unavailable). Returns an
    /// error only if it is permanent: the subscription does not exist, or the credential may not read it.
    pub async fn next(&mut self) -> Result<Pulled> {
        match self.stream.next().await {
            Some(Ok((message, handler))) => Ok(Pulled {
                id: message.message_id,
                attributes: message.attributes.into_iter().collect(),
                data: message.data,
                published: message.publish_time.and_then(|time| Timestamp::new(time.seconds(), time.nanos()).ok()),
                handler,
            }),
            Some(Err(error)) => Err(error::of("pull", &self.name, error)),
            None => Err(Error::new(ErrorKind::Transport, "pull", &self.name).because("the stream has ended")),
        }
    }

    /// Stops taking messages. Messages in hand keep their leases while the caller waits for [`Leaving::left`].
    pub fn leave(self) -> Leaving {
        Leaving(self.stream.shutdown_token())
    }
}

impl Leaving {
    /// Returns when every message in hand is acknowledged or returned, and the service knows.
    pub async fn left(self) {
        self.0.shutdown().await;
    }
}

impl Pulled {
    /// Tells the service that the message is handled.
    pub fn acknowledge(self) {
        self.handler.ack();
    }

    /// Returns the message, so that it is delivered again.
    pub fn give_back(self) {
        self.handler.nack();
    }
}

impl fmt::Debug for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulled").field("id", &self.id).finish_non_exhaustive()
    }
}
