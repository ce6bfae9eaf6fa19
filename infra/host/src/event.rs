//! What functions are triggered by, and what carries it.

use bytes::Bytes;
use framepost_events::envelope::{self, Carried};
use framepost_events::finalized::{self, IgnoreCode};
use framepost_events::record::Record;
use framepost_events::{Error, KeyKind, ObjectFinalized, ObjectKey, Site};

/// How a message says what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The body says everything: SQS.
    Queue,
    /// An HTTP request: the attributes are its headers.
    Http,
    /// A pulled Pub/Sub message: its attributes count, its body is the data, already decoded.
    PubSub,
}

/// One message, as it came.
#[derive(Debug, Clone)]
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
}

/// What one message says of one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice<E> {
    /// There is something to do.
    Event(E),
    /// The message is sound and there is nothing to do.
    Ignored {
        /// Why, for counters.
        code: IgnoreCode,
        /// Why, for people.
        detail: String,
    },
}

/// What logs and metrics say of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The same for every redelivery; of a message that is no event the message's own.
    pub identity: String,
    /// The object's key; a message that is no event has none.
    pub key: Option<String>,
    /// Where the key names one.
    pub site: Option<Site>,
    /// Where it is known.
    pub object_bytes: Option<u64>,
    /// A chunk, as far as its key says; what is no key of ours may be one.
    pub kind: KeyKind,
}

impl About {
    pub(crate) fn nothing(message: &Message) -> Self {
        Self { identity: message.id.clone(), key: None, site: None, object_bytes: None, kind: KeyKind::Chunk }
    }

    /// An object that nothing is known of but its key.
    pub(crate) fn key(identity: String, key: &str, object_bytes: Option<u64>) -> Self {
        let parsed = key.parse::<ObjectKey>().ok();
        let kind = parsed.as_ref().map_or(KeyKind::Chunk, |key| key.kind);
        Self { identity, key: Some(key.to_owned()), site: parsed.and_then(|key| key.site), object_bytes, kind }
    }
}

/// What a function can be triggered by.
pub trait Event: Clone + Send + 'static {
    /// Reads a message: as a whole or not at all.
    fn read(message: &Message) -> Result<Vec<Notice<Self>>, Error>;

    /// An object of a local bucket, where that is what triggers; `None` where such a function listens to something else.
    fn of_bucket(object: ObjectFinalized) -> Option<Self>;

    /// What logs and metrics say of it.
    fn about(&self) -> About;
}

impl Event for ObjectFinalized {
    fn read(message: &Message) -> Result<Vec<Notice<Self>>, Error> {
        let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let notices = match message.carrier {
            Carrier::Queue => finalized::parse(&message.body),
            Carrier::Http => finalized::parse_http(attributes, &message.body),
            Carrier::PubSub => finalized::parse_pubsub(attributes, &message.body),
        }?;
        Ok(notices
            .into_iter()
            .map(|notice| match notice {
                finalized::Notice::Finalized(event) => Notice::Event(event),
                finalized::Notice::Ignored { code, detail } => Notice::Ignored { code, detail },
            })
            .collect())
    }

    fn of_bucket(object: ObjectFinalized) -> Option<Self> {
        Some(object)
    }

    fn about(&self) -> About {
        About::key(self.identity(), &self.key, self.size)
    }
}

impl Event for Record {
    fn read(message: &Message) -> Result<Vec<Notice<Self>>, Error> {
        let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let carried = match message.carrier {
            Carrier::Queue | Carrier::PubSub => envelope::parse(&message.body),
            Carrier::Http => envelope::parse_http(attributes, &message.body),
        }?;
        Ok(vec![match carried {
            Carried::Record(record) => Notice::Event(*record),
            Carried::Ignored { code, detail } => Notice::Ignored { code, detail },
        }])
    }

    fn of_bucket(_object: ObjectFinalized) -> Option<Self> {
        None
    }

    fn about(&self) -> About {
        About {
            site: self.data.site().cloned(),
            ..About::key(self.id.clone(), &self.data.object().key, self.data.size_bytes())
        }
    }
}
