//! A subscription, pulled as a stream.
//!
//! The client extends the lease of each message that was handed out, for an hour at most, and takes no more from the service
//! than somebody is there to handle. What is given back comes again after the subscription's own back-off
//! (`retry_policy`); without one that is at once, so a subscription for this should have one. A [`Pulled`] that is dropped
//! is given back.

use crate::connect::GoogleOptions;
use crate::error;
use bytes::Bytes;
use framepost_ports::{Error, ErrorKind, Result};
use google_cloud_pubsub::client::Subscriber;
use google_cloud_pubsub::subscriber::handler::Handler;
use google_cloud_pubsub::subscriber::{MessageStream, ShutdownToken};
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// How long the client holds a message at most.
const LONGEST_LEASE: Duration = Duration::from_hours(1);

/// How much is taken, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taking {
    /// Messages in hand at a time.
    pub in_hand: u32,
    /// After this long without a word from us the service gives a message to somebody else: what a crash costs. 10 s to
    /// 10 min.
    pub lease: Duration,
}

impl Default for Taking {
    fn default() -> Self {
        Self { in_hand: 32, lease: Duration::from_mins(1) }
    }
}

/// The stream.
#[derive(Debug)]
pub struct PubSubSubscription {
    stream: MessageStream,
    name: String,
}

/// A message in hand.
pub struct Pulled {
    /// The service's name for it; the same when it comes again.
    pub id: String,
    /// Its attributes.
    pub attributes: Vec<(String, String)>,
    /// Its data.
    pub data: Bytes,
    /// When it was published.
    pub published: Option<Timestamp>,
    handler: Handler,
}

/// Waits until the last acknowledgement has arrived.
#[derive(Debug)]
pub struct Leaving(ShutdownToken);

impl PubSubSubscription {
    /// The subscription `projects/P/subscriptions/S`. Asks nothing of it yet.
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

    /// The next message. What may pass (no network, the service out of order) is waited out; an error is one that stays: no
    /// such subscription, no right to it.
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

    /// Takes no more. Messages in hand keep their leases while [`Leaving::left`] is waited for.
    pub fn leave(self) -> Leaving {
        Leaving(self.stream.shutdown_token())
    }
}

impl Leaving {
    /// Returns when every message in hand is acknowledged or given back, and the service knows.
    pub async fn left(self) {
        self.0.shutdown().await;
    }
}

impl Pulled {
    /// It is dealt with.
    pub fn acknowledge(self) {
        self.handler.ack();
    }

    /// It is to come again.
    pub fn give_back(self) {
        self.handler.nack();
    }
}

impl fmt::Debug for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulled").field("id", &self.id).finish_non_exhaustive()
    }
}
