//! What functions are triggered by, as it is read from messages.

use framepost_events::envelope::{self, Carried};
use framepost_events::finalized::{self, IgnoreCode};
use framepost_events::record::{self, Record};
use framepost_events::{Error, KeyKind, ObjectFinalized, ObjectKey, Site};
use framepost_local::Topic;
use framepost_ports::{Carrier, Message};

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

    /// What a local subscriber to such events hears of.
    fn topics() -> Vec<Topic>;

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

    fn topics() -> Vec<Topic> {
        vec![Topic::ObjectFinalized]
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

    fn topics() -> Vec<Topic> {
        vec![Topic::Records(record::TYPES.map(str::to_owned).to_vec())]
    }

    fn about(&self) -> About {
        About {
            site: self.data.site().cloned(),
            ..About::key(self.id.clone(), &self.data.object().key, self.data.size_bytes())
        }
    }
}
