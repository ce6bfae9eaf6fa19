//! The events that trigger functions, and how they are read from messages.

use framepost_events::due::{self, Due};
use framepost_events::envelope::{self, Carried};
use framepost_events::finalized::{self, IgnoreCode};
use framepost_events::record::Record;
use framepost_events::removed::Removal;
use framepost_events::report::ReportKey;
use framepost_events::{Error, KeyKind, ObjectFinalized, ObjectKey, ObjectRemoved, Site};
use framepost_ports::{Carrier, Message};

/// What one event in a message is for a function: something to handle, or nothing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival<E> {
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
    pub kind: ObjectKind,
}

/// Whether an object counts as footage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A chunk, or an object that may be one.
    Chunk,
    /// The end of a span, a gap or a gateway's report.
    Other,
}

impl ObjectKind {
    fn of(kind: KeyKind) -> Self {
        if kind == KeyKind::Chunk { Self::Chunk } else { Self::Other }
    }
}

impl About {
    pub(crate) fn nothing(message: &Message) -> Self {
        Self { identity: message.id.clone(), key: None, site: None, object_bytes: None, kind: ObjectKind::Chunk }
    }

    /// Describes an object of which only the key is known.
    pub(crate) fn key(identity: String, key: &str, object_bytes: Option<u64>) -> Self {
        let kind_and_site = match (key.parse::<ObjectKey>(), key.parse::<ReportKey>()) {
            (Ok(key), _) => (ObjectKind::of(key.kind), key.site),
            (Err(_), Ok(key)) => (ObjectKind::Other, Some(key.site)),
            (Err(_), Err(_)) => (ObjectKind::Chunk, None),
        };
        Self { identity, key: Some(key.to_owned()), site: kind_and_site.1, object_bytes, kind: kind_and_site.0 }
    }
}

/// A type of event that can trigger functions.
pub trait Event: Clone + Send + 'static {
    /// Reads the events in a message. Fails if any part of it is invalid.
    fn read(message: &Message) -> Result<Vec<Arrival<Self>>, Error>;

    /// What logs and metrics say of it.
    fn about(&self) -> About;
}

impl Event for ObjectFinalized {
    fn read(message: &Message) -> Result<Vec<Arrival<Self>>, Error> {
        let notices = notices(message)?.into_iter().map(|notice| match notice {
            finalized::Notice::Finalized(event) => Arrival::Event(event),
            finalized::Notice::Removed(removed) => gone(&removed),
            finalized::Notice::Ignored { code, detail } => Arrival::Ignored { code, detail },
        });
        Ok(notices.collect())
    }

    fn about(&self) -> About {
        About::key(self.identity(), &self.key, self.size)
    }
}

impl Event for ObjectRemoved {
    fn read(message: &Message) -> Result<Vec<Arrival<Self>>, Error> {
        let notices = notices(message)?.into_iter().map(|notice| match notice {
            finalized::Notice::Removed(event) => Arrival::Event(event),
            finalized::Notice::Finalized(ObjectFinalized { key, .. }) => {
                Arrival::Ignored { code: IgnoreCode::OtherEvent, detail: format!("{key} is complete") }
            }
            finalized::Notice::Ignored { code, detail } => Arrival::Ignored { code, detail },
        });
        Ok(notices.collect())
    }

    fn about(&self) -> About {
        About::key(self.identity(), &self.key, None)
    }
}

impl Event for Due {
    fn read(message: &Message) -> Result<Vec<Arrival<Self>>, Error> {
        let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Ok(vec![match due::parse(attributes, &message.body)? {
            Some(due) => Arrival::Event(due),
            None => Arrival::Ignored { code: IgnoreCode::OtherEvent, detail: "not the event of a schedule".to_owned() },
        }])
    }

    fn about(&self) -> About {
        About { identity: self.identity.clone(), key: None, site: None, object_bytes: None, kind: ObjectKind::Chunk }
    }
}

/// The notices of a message about objects.
fn notices(message: &Message) -> Result<Vec<finalized::Notice>, Error> {
    let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    match message.carrier {
        Carrier::Queue => finalized::parse(&message.body),
        Carrier::Http => finalized::parse_http(attributes, &message.body),
        Carrier::PubSub => finalized::parse_pubsub(attributes, &message.body),
    }
}

/// A removed object, for a function that is not for those.
fn gone<E>(removed: &ObjectRemoved) -> Arrival<E> {
    let code = match removed.removal {
        Removal::Deleted => IgnoreCode::Deleted,
        Removal::Hidden => IgnoreCode::Archived,
    };
    Arrival::Ignored { code, detail: format!("{} is gone", removed.key) }
}

impl Event for Record {
    fn read(message: &Message) -> Result<Vec<Arrival<Self>>, Error> {
        let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let carried = match message.carrier {
            Carrier::Queue | Carrier::PubSub => envelope::parse(&message.body),
            Carrier::Http => envelope::parse_http(attributes, &message.body),
        }?;
        Ok(vec![match carried {
            Carried::Record(record) => Arrival::Event(*record),
            Carried::Ignored { code, detail } => Arrival::Ignored { code, detail },
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
    /// An object is gone.
    Removed(ObjectRemoved),
    /// A function said something of an object.
    Record(Box<Record>),
    /// A schedule is due.
    Due(Due),
}

impl Event for AnyEvent {
    fn read(message: &Message) -> Result<Vec<Arrival<Self>>, Error> {
        let record = Record::read(message);
        if let Ok([Arrival::Event(record)]) = record.as_deref() {
            return Ok(vec![Arrival::Event(Self::Record(Box::new(record.clone())))]);
        }
        if let Ok([Arrival::Event(due)]) = Due::read(message).as_deref() {
            return Ok(vec![Arrival::Event(Self::Due(due.clone()))]);
        }
        let ignored = record.into_iter().flatten().map(|notice| match notice {
            Arrival::Event(record) => Arrival::Event(Self::Record(Box::new(record))),
            Arrival::Ignored { code, detail } => Arrival::Ignored { code, detail },
        });
        match notices(message) {
            Ok(notices) => Ok(notices
                .into_iter()
                .map(|notice| match notice {
                    finalized::Notice::Finalized(event) => Arrival::Event(Self::Finalized(event)),
                    finalized::Notice::Removed(event) => Arrival::Event(Self::Removed(event)),
                    finalized::Notice::Ignored { code, detail } => Arrival::Ignored { code, detail },
                })
                .collect()),
            Err(error) => {
                let ignored: Vec<Arrival<Self>> = ignored.collect();
                if ignored.is_empty() { Err(error) } else { Ok(ignored) }
            }
        }
    }

    fn about(&self) -> About {
        match self {
            Self::Finalized(event) => event.about(),
            Self::Removed(event) => event.about(),
            Self::Record(record) => record.about(),
            Self::Due(due) => due.about(),
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
        assert!(matches!(&of_record[..], [Arrival::Event(AnyEvent::Record(_))]), "{of_record:?}");
        let local = read(include_str!("../../../events/samples/local-finalized.json")).unwrap();
        assert!(matches!(&local[..], [Arrival::Event(AnyEvent::Finalized(_))]), "{local:?}");
        let several = read(include_str!("../../../events/samples/s3-several-records.json")).unwrap();
        assert!(several.iter().filter(|notice| matches!(notice, Arrival::Event(AnyEvent::Finalized(_)))).count() > 1);
        let newer = record.replace("io.framepost.chunk.probed.v1", "io.framepost.chunk.probed.v9");
        let newer = read(&newer).unwrap();
        assert!(matches!(&newer[..], [Arrival::Ignored { .. }]), "{newer:?}");
        assert!(read("{}").is_err() && read("junk").is_err());
    }

    fn message(sample: &str) -> Message {
        let place = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/samples");
        Message::new("1", Carrier::Queue, std::fs::read(place.join(sample)).unwrap())
    }

    /// How many events are read, and how many notices are ignored.
    fn read<E: Event>(message: &Message) -> (usize, usize) {
        let notices = E::read(message).unwrap();
        let events = notices.iter().filter(|notice| matches!(notice, Arrival::Event(_))).count();
        (events, notices.len() - events)
    }

    #[test]
    fn a_removal_is_for_who_asks_for_it() {
        for (sample, finalized, removed) in [
            ("s3-put.json", 1, 0),
            ("s3-removed.json", 0, 1),
            ("s3-expired-marker.json", 0, 1),
            ("eventbridge-delete-marker.json", 0, 1),
            ("gcs-push-delete.json", 0, 1),
            ("gcs-push-archive.json", 0, 1),
            ("gcs-push-metadata-update.json", 0, 0),
            ("eventarc-archived-structured.json", 0, 1),
            ("local-finalized.json", 1, 0),
            ("local-removed.json", 0, 1),
            ("s3-test-event.json", 0, 0),
        ] {
            let message = message(sample);
            assert_eq!(read::<ObjectFinalized>(&message), (finalized, 1 - finalized), "{sample}");
            assert_eq!(read::<ObjectRemoved>(&message), (removed, 1 - removed), "{sample}");
            assert_eq!(read::<AnyEvent>(&message), (finalized + removed, 1 - finalized - removed), "{sample}");
        }
        let several = message("s3-several-records.json");
        let all = finalized::parse(&several.body).unwrap().len();
        let (finalized, _) = read::<ObjectFinalized>(&several);
        assert_eq!(read::<ObjectRemoved>(&several), (1, all - 1));
        assert_eq!(read::<AnyEvent>(&several).0, finalized + 1);
    }

    #[test]
    fn a_schedule_is_read_and_is_no_object() {
        let due = Message::new("1", Carrier::Queue, Due::to_json("sweep", "2026-11-20T15:00:00Z".parse().unwrap()));
        let [Arrival::Event(event)] = &Due::read(&due).unwrap()[..] else { panic!("{:?}", Due::read(&due)) };
        assert_eq!((event.name.as_str(), event.about().key), ("sweep", None));
        assert!(matches!(&AnyEvent::read(&due).unwrap()[..], [Arrival::Event(AnyEvent::Due(_))]));
        for (events, ignored) in [read::<ObjectFinalized>(&due), read::<ObjectRemoved>(&due), read::<Record>(&due)] {
            assert_eq!((events, ignored), (0, 1));
        }
        assert_eq!(read::<Due>(&message("local-removed.json")), (0, 1));
    }
}
