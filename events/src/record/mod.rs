//! Records: what a function says of an object, each a CloudEvent (1.0, JSON), a log line and a catalogue row with the
//! same fields.
//!
//! A record of `probe` is a pure function of the object and its event, its id included: probing twice gives the same
//! record, byte for byte.
//!
//! # A new type
//!
//! 1. A file here with a struct of its fields, the last of which is `object`, and its [`RecordType`].
//! 2. A line in the table `records!` below.
//!
//! Everything else follows: the constant, [`Data`], [`Record::about`], reading, the [JSON Schema](crate::schema), the
//! columns of [BigQuery](crate::bigquery) and [Glue](crate::glue), the [fields of its log line](Record::log_fields), the
//! topics of a function that takes every record. `schemas --write` writes the files; tests ask for a sample in
//! `events/samples/records` in which every field occurs, and for a saved query in both clouds' Terraform.
//!
//! Fields are only ever added, and a new one may be missing: records of older versions lie in tables and archives.

mod chunk_probed;
mod gap_recorded;
mod integrity;
mod log;
mod object;
mod object_rejected;
mod span_ended;

pub use chunk_probed::{Audio, ChunkProbed, Container, Duration, PixelAspect, Resolution};
pub use gap_recorded::GapRecorded;
pub use integrity::{Chain, ChainState, Content, Integrity, Signature};
pub use object::ObjectRef;
pub use object_rejected::{ObjectRejected, RejectReason};
pub use span_ended::SpanEnded;

use crate::key::whole_micros;
use crate::{Sha256, Site};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How loud a record's log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// News.
    Info,
    /// Somebody should look.
    Warning,
}

/// What a type of record declares beside its fields.
pub trait RecordType: Serialize + DeserializeOwned + JsonSchema + Into<Data> {
    /// The CloudEvents type, `io.framepost.<thing>.<happened>.v1`.
    const TYPE: &'static str;
    /// The name of the one function that says it.
    const FUNCTION: &'static str;
    /// The message of its log line.
    const MESSAGE: &'static str;
    /// How loud its log line is.
    const SEVERITY: Severity = Severity::Info;
    /// Members that its log line leaves out, with all that is in them: paths such as `integrity.chain`.
    const NOT_LOGGED: &'static [&'static str] = &[];

    /// The site, where the object's key names one.
    fn site(&self) -> Option<&Site>;

    /// The object's size, where the record says it.
    fn size_bytes(&self) -> Option<u64> {
        None
    }

    /// All of its times. A record has whole microseconds, as the keys and the tables do; a test finds a forgotten one.
    fn times(&mut self) -> Vec<&mut Timestamp>;

    /// Fields that only the log line has.
    fn logged_besides(&self) -> Vec<(&'static str, Value)> {
        vec![]
    }
}

/// A type of record, for whoever goes through all of them.
pub struct Declared {
    /// The CloudEvents type.
    pub event_type: &'static str,
    /// What its log line leaves out.
    pub not_logged: &'static [&'static str],
    /// The JSON Schema of its CloudEvent.
    pub(crate) event_schema: fn(&str) -> schemars::Schema,
    /// The JSON Schema of its data alone.
    pub(crate) data_schema: fn() -> Value,
}

macro_rules! records {
    ($($(#[$doc:meta])+ $NAME:ident: $Type:ident,)+) => {
        $($(#[$doc])+ pub const $NAME: &str = <$Type as RecordType>::TYPE;)+

        /// Every type of record.
        pub const TYPES: [&str; DECLARED.len()] = [$($NAME),+];

        /// Every type of record, with what its declaration says.
        pub const DECLARED: &[Declared] = &[$(Declared {
            event_type: $NAME,
            not_logged: <$Type as RecordType>::NOT_LOGGED,
            event_schema: crate::schema::of::<$Type>,
            data_schema: crate::schema::of_data::<$Type>,
        }),+];

        /// What a function can say of an object. Which of them it is, the envelope's `type` says: read a [`Record`].
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Data {
            $($(#[$doc])+ $Type(Box<$Type>),)+
        }

        $(impl From<$Type> for Data {
            fn from(data: $Type) -> Self {
                Self::$Type(Box::new(data))
            }
        })+

        impl Data {
            /// Reads the data of a record of this type; `None` for a type that is not known here.
            fn read(event_type: &str, data: Value) -> Option<serde_json::Result<Self>> {
                match event_type {
                    $($NAME => Some(serde_json::from_value(data).map(Self::$Type)),)+
                    _ => None,
                }
            }

            /// The CloudEvents type.
            pub fn event_type(&self) -> &'static str {
                match self {
                    $(Self::$Type(_) => $NAME,)+
                }
            }

            /// The name of the function that says it.
            pub fn function(&self) -> &'static str {
                match self {
                    $(Self::$Type(_) => <$Type as RecordType>::FUNCTION,)+
                }
            }

            /// The message of its log line, and how loud it is.
            pub fn log_message(&self) -> (&'static str, Severity) {
                match self {
                    $(Self::$Type(_) => (<$Type as RecordType>::MESSAGE, <$Type as RecordType>::SEVERITY),)+
                }
            }

            /// The object that it is about.
            pub fn object(&self) -> &ObjectRef {
                match self {
                    $(Self::$Type(data) => &data.object,)+
                }
            }

            fn object_mut(&mut self) -> &mut ObjectRef {
                match self {
                    $(Self::$Type(data) => &mut data.object,)+
                }
            }

            /// The site, where the object's key names one.
            pub fn site(&self) -> Option<&Site> {
                match self {
                    $(Self::$Type(data) => data.site(),)+
                }
            }

            /// The object's size, where the record says it.
            pub fn size_bytes(&self) -> Option<u64> {
                match self {
                    $(Self::$Type(data) => RecordType::size_bytes(&**data),)+
                }
            }

            fn times(&mut self) -> Vec<&mut Timestamp> {
                match self {
                    $(Self::$Type(data) => data.times(),)+
                }
            }

            fn not_logged(&self) -> &'static [&'static str] {
                match self {
                    $(Self::$Type(_) => <$Type as RecordType>::NOT_LOGGED,)+
                }
            }

            fn logged_besides(&self) -> Vec<(&'static str, Value)> {
                match self {
                    $(Self::$Type(data) => data.logged_besides(),)+
                }
            }
        }
    };
}

records! {
    /// A playable object and what it holds: [`ChunkProbed`].
    CHUNK_PROBED: ChunkProbed,
    /// An unbroken run of recording is over: [`SpanEnded`].
    SPAN_ENDED: SpanEnded,
    /// An interval without video: [`GapRecorded`].
    GAP_RECORDED: GapRecorded,
    /// An object that nothing downstream should touch: [`ObjectRejected`].
    OBJECT_REJECTED: ObjectRejected,
}

/// A record: the CloudEvents 1.0 envelope around [`Data`].
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Record {
    /// `"1.0"`.
    pub specversion: SpecVersion,
    /// The same for every redelivery of the same event.
    pub id: String,
    /// Which function says it: `framepost/probe`.
    pub source: String,
    /// One of the `io.framepost.….v1` types.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The object's key.
    pub subject: String,
    /// When the object became complete.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// `"application/json"`.
    pub datacontenttype: ContentType,
    /// What is said.
    #[schemars(with = "serde_json::Value")]
    pub data: Data,
}

/// CloudEvents' `specversion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SpecVersion {
    /// CloudEvents 1.0.
    #[serde(rename = "1.0")]
    V1,
}

/// CloudEvents' `datacontenttype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContentType {
    /// JSON.
    #[serde(rename = "application/json")]
    Json,
}

impl Record {
    /// The record that says `data` of `object`, at the time at which the object became complete: that of its event, or of
    /// the record that the function was given.
    ///
    /// The id is the same for every redelivery: it is made of the type and the object. The data's own `object` becomes
    /// `object`. Times are cut to whole microseconds, as in the keys: that is as much as the tables hold that records are
    /// written to.
    pub fn about(object: &ObjectRef, time: Timestamp, data: impl Into<Data>) -> Self {
        let mut data = data.into();
        data.object_mut().clone_from(object);
        for time in data.times() {
            *time = whole_micros(*time);
        }
        let event_type = data.event_type().to_owned();
        let identity = format!("{event_type} {}", object.identity());
        Self {
            specversion: SpecVersion::V1,
            id: hex::encode(&Sha256::of(identity.as_bytes()).0[..16]),
            source: format!("framepost/{}", data.function()),
            event_type,
            subject: object.key.clone(),
            time: whole_micros(time),
            datacontenttype: ContentType::Json,
            data,
        }
    }
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        /// The envelope, before its type says how to read the data.
        #[derive(Deserialize)]
        struct Envelope {
            specversion: SpecVersion,
            id: String,
            source: String,
            #[serde(rename = "type")]
            event_type: String,
            subject: String,
            time: Timestamp,
            datacontenttype: ContentType,
            data: Value,
        }

        let Envelope { specversion, id, source, event_type, subject, time, datacontenttype, data } =
            Envelope::deserialize(deserializer)?;
        let data = Data::read(&event_type, data)
            .ok_or_else(|| D::Error::custom(format!("unknown record type {event_type:?}")))?
            .map_err(D::Error::custom)?;
        Ok(Self { specversion, id, source, event_type, subject, time, datacontenttype, data })
    }
}
