//! A cloud as a whole: what makes its adapters, over what they share.

use crate::location::Location;
use crate::{
    Bus, Catalog, DeadLetters, Detector, Error, ErrorKind, Feed, Inbox, LedgerStore, ObjectListing, ObjectRemoval,
    ObjectSink, ObjectSource, Result, Timetable, Topic,
};
use async_trait::async_trait;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Work of some milliseconds of a processor, for a thread that may block.
pub type Preparation = Box<dyn FnOnce() + Send>;

/// Who subscribes, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscriber {
    /// The function's name, as in its `function.yaml`.
    pub name: String,
    /// What it hears of, where the cloud does not already know.
    pub topics: Vec<Topic>,
    /// The most messages that it holds at a time, for an inbox that hands them out before they are asked for; `None` where the
    /// inbox decides.
    pub at_once: Option<NonZeroUsize>,
}

/// What a function gets that takes its messages from a place of this cloud.
pub struct Subscription {
    /// Where its messages wait.
    pub inbox: Arc<dyn Inbox>,
    /// Where its rejected messages go, where the inbox has a place of its own for them.
    pub dead_letters: Option<Arc<dyn DeadLetters>>,
    /// How often a message may be handed out on which the function panics; `None` where the inbox itself decides.
    pub panics_max: Option<u32>,
    /// Messages to be handled at a time; `None` where it makes no difference to the inbox.
    pub concurrency: Option<usize>,
    /// The function's schedules, where whoever takes its messages has to fire them; `None` where the cloud does.
    pub timetable: Option<Arc<dyn Timetable>>,
}

/// A user of a database, and where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseUser {
    /// The server's name, as the connection is made to.
    pub host: String,
    /// The port that the connection is made to.
    pub port: u16,
    /// The name that the user logs in with.
    pub user: String,
}

/// Makes the adapters of one cloud. Each is given a [`Location`] of this cloud's own, in a role that it can have; what
/// the adapters share (credentials, connections) is made once, when it is first needed.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Objects of any bucket that the credential may read. A cloud whose buckets are not known by name alone reads those of
    /// `beside`, the bucket or the place that events come from.
    async fn source(&self, beside: Option<&Location>) -> Result<Arc<dyn ObjectSource>> {
        match beside {
            Some(at) => Err(not_one(at, "a place that objects are read from")),
            None => Err(Error::new(ErrorKind::Invalid, "connect", "a bucket").because("there are no objects here")),
        }
    }

    /// A bucket that objects are put into.
    async fn sink(&self, at: &Location) -> Result<Arc<dyn ObjectSink>> {
        Err(not_one(at, "a bucket"))
    }

    /// Where a function's messages wait.
    async fn subscribe(&self, at: &Location, _subscriber: Subscriber) -> Result<Subscription> {
        Err(not_one(at, "a place that events come from"))
    }

    /// Connects to the bus at `at`, on which records are published. Fails unless this cloud has one there.
    async fn bus(&self, at: &Location) -> Result<Arc<dyn Bus>> {
        Err(not_one(at, "a bus"))
    }

    /// Where rejected messages are parked.
    async fn dead_letters(&self, at: &Location) -> Result<Arc<dyn DeadLetters>> {
        Err(not_one(at, "a place for dead letters"))
    }

    /// Where claims are kept.
    async fn ledger(&self, at: &Location) -> Result<Arc<dyn LedgerStore>> {
        Err(not_one(at, "a ledger"))
    }

    /// What says what is to be seen in pictures.
    async fn detector(&self, at: &Location) -> Result<Arc<dyn Detector>> {
        Err(not_one(at, "a detector"))
    }

    /// What is known of the footage.
    async fn catalog(&self, at: &Location) -> Result<Arc<dyn Catalog>> {
        Err(not_one(at, "a catalogue"))
    }

    /// A password for a user of a database whom this cloud vouches for. It is good for the connection that is being made, and
    /// for some minutes.
    async fn database_password(&self, user: &DatabaseUser) -> Result<String> {
        let why = "this cloud vouches for no users of databases";
        Err(Error::new(ErrorKind::Invalid, "log in", user.user.as_str()).because(why))
    }

    /// The objects of a bucket, to be given to a function again.
    async fn listing(&self, at: &Location) -> Result<Arc<dyn ObjectListing>> {
        Err(not_one(at, "a bucket that can be listed"))
    }

    /// Removes objects of a bucket, for a function that made them.
    async fn removal(&self, at: &Location) -> Result<Arc<dyn ObjectRemoval>> {
        Err(not_one(at, "a bucket from which objects are removed"))
    }

    /// The far end of the inbox of the function of this name. `at` is the inbox, or a bucket to whose installation it belongs.
    async fn feed(&self, at: &Location, _function: &str) -> Result<Arc<dyn Feed>> {
        Err(not_one(at, "an inbox that can be filled from here"))
    }

    /// What the first request would have to wait for otherwise, where there is such a thing.
    async fn preparation(&self) -> Result<Option<Preparation>> {
        Ok(None)
    }
}

/// The location is of this cloud, and nothing that can be used as `what`.
pub fn not_one(at: &Location, what: &str) -> Error {
    Error::new(ErrorKind::Invalid, "connect", at.to_string()).because(format!("it is not {what}"))
}
