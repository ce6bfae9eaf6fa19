//! The events that trigger functions, and how they are read from messages.

use framepost_events::envelope::{self, Carried};
use framepost_events::finalized::{self, IgnoreCode};
use framepost_events::record::Record;
use framepost_events::{Error, KeyKind, ObjectFinalized, ObjectKey, Site};
use framepost_ports::{Carrier, Message};

/// The result of reading one event in a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice<E> {
    /// An event to handle.
    Event(E),
    /// The message is valid and requires no action.
    Ignored {
        /// The reason, for counters.
        code: IgnoreCode,
        /// The reason, for people.
        detail: String,
    },
}

/// The description of an event for logs and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The same for every redelivery. For a message without an event, the message's own id.
    pub identity: String,
    /// The object's key; `None` for a message without an event.
    pub key: Option<String>,
    /// The site, if the key has one.
    pub site: Option<Site>,
    /// The object's size, if known.
    pub object_bytes: Option<u64>,
    /// The kind of object according to its key. A key in another form counts as a chunk.
    pub kind: KeyKind,
}

impl About {
    pub(crate) fn nothing(message: &Message) -> Self {
        Self { identity: message.id.clone(), key: None, site: None, object_bytes: None, kind: KeyKind::Chunk }
    }

    /// Describes an object of which only the key is known.
    pub(crate) fn key(identity: String, key: &str, object_bytes: Option<u64>) -> Self {
        let parsed = key.parse::<ObjectKey>().ok();
        let kind = parsed.as_ref().map_or(KeyKind::Chunk, |key| key.kind);
        Self { identity, key: Some(key.to_owned()), site: parsed.and_then(|key| key.site), object_bytes, kind }
    }
}

/// A type of event that can trigger functions.
pub trait Event: Clone + Send + 'static {
    /// Reads the events in a message. Fails if any part of it is invalid.
    fn read(message: &Message) -> Result<Vec<Notice<Self>>, Error>;

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

    fn about(&self) -> About {
        About {
            site: self.data.site().cloned(),
            ..About::key(self.id.clone(), &self.data.object().key, self.data.size_bytes())
        }
    }
}

/// Whatever a message can tell of, for functions with triggers of several kinds.
#[derive(Debug, Clone, PartialEq)]
pub enum AnyEvent {
    /// An object is complete.
    Finalized(ObjectFinalized),
    /// A function said something of an object.
    Record(Box<Record>),
}

impl Event for AnyEvent {
    fn read(message: &Message) -> Result<Vec<Notice<Self>>, Error> {
        let record = Record::read(message);
        if let Ok([Notice::Event(record)]) = record.as_deref() {
            return Ok(vec![Notice::Event(Self::Record(Box::new(record.clone())))]);
        }
        let ignored = record.into_iter().flatten().map(|notice| match notice {
            Notice::Event(record) => Notice::Event(Self::Record(Box::new(record))),
            Notice::Ignored { code, detail } => Notice::Ignored { code, detail },
        });
        match ObjectFinalized::read(message) {
            Ok(notices) => Ok(notices
                .into_iter()
                .map(|notice| match notice {
                    Notice::Event(event) => Notice::Event(Self::Finalized(event)),
                    Notice::Ignored { code, detail } => Notice::Ignored { code, detail },
                })
                .collect()),
            Err(error) => {
                let ignored: Vec<Notice<Self>> = ignored.collect();
                if ignored.is_empty() { Err(error) } else { Ok(ignored) }
            }
        }
    }

    fn about(&self) -> About {
        match self {
            Self::Finalized(event) => event.about(),
            Self::Record(record) => record.about(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_several_kinds_gets_each_and_is_told_of_what_is_neither() {
        let read = |body: &str| AnyEvent::read(&Message::new("1", Carrier::Queue, body.to_owned()));
        let record = include_str!("../../../events/samples/records/chunk-probed.json");
        let of_record = read(record).unwrap();
        assert!(matches!(&of_record[..], [Notice::Event(AnyEvent::Record(_))]), "{of_record:?}");
        let local = read(include_str!("../../../events/samples/local-finalized.json")).unwrap();
        assert!(matches!(&local[..], [Notice::Event(AnyEvent::Finalized(_))]), "{local:?}");
        let several = read(include_str!("../../../events/samples/s3-several-records.json")).unwrap();
        assert!(several.iter().filter(|notice| matches!(notice, Notice::Event(AnyEvent::Finalized(_)))).count() > 1);
        let newer = record.replace("io.framepost.chunk.probed.v1", "io.framepost.chunk.probed.v9");
        let newer = read(&newer).unwrap();
        assert!(matches!(&newer[..], [Notice::Ignored { .. }]), "{newer:?}");
        assert!(read("{}").is_err() && read("junk").is_err());
    }
}
