//! Records: what a function publishes about an object. Each is a CloudEvent (1.0, JSON), a log line and a
//! catalogue row with the same fields.
//!
//! A record of `probe`, including its id, depends only on the object and its event: probing twice gives the
//! same record, byte for byte.
//!
//! # A new type
//!
//! 1. Add a file here with a struct of its fields, the last of which is `object`,
//!    and implement [`RecordType`] for it.
//! 2. Add a line to the table `records!` below.
//!
//! The rest follows from that: the constant, [`Data`], [`Record::about`], parsing, the [JSON
//! Schema](crate::schema), the columns of [BigQuery](crate::bigquery) and [Glue](crate::glue), the [fields of
//! its log line](Record::log_fields), the topics of a function that takes every record. `schemas --write`
//! writes the files. Tests require a sample in `events/samples/records` in which every field occurs, and a
//! saved query in both clouds' Terraform.
//!
//! Fields are only added, never removed, and a new field may be missing: tables and archives
//! contain records of older versions.

mod chunk_inferred;
mod chunk_probed;
mod gap_recorded;
mod gateway_reported;
mod integrity;
mod log;
mod object;
mod object_rejected;
mod span_ended;

pub use chunk_inferred::{ChunkInferred, InferredFrame, LabelSummary, Model, Skipped};
pub use chunk_probed::{Audio, ChunkProbed, Container, Duration, PixelAspect, Resolution};
pub use gap_recorded::GapRecorded;
pub use gateway_reported::GatewayReported;
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
use serde_json::{Map, Value};

/// The level of a record's log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Logged as `INFO`: nobody needs to act.
    Info,
    /// For somebody to look at.
    Warning,
}

/// The declaration of a type of record, besides its fields.
pub trait RecordType: Serialize + DeserializeOwned + JsonSchema + Into<Data> {
    /// The CloudEvents type: `io.framepost.<thing>.<happened>.v1`.
    const TYPE: &'static str;
    /// The name of the one function that publishes it.
    const FUNCTION: &'static str;
    /// The message of its log line.
    const MESSAGE: &'static str;
    /// The level of its log line.
    const SEVERITY: Severity = Severity::Info;
    /// Members that its log line leaves out, including their contents: paths such as `integrity.chain`.
    const NOT_LOGGED: &'static [&'static str] = &[];

    /// Returns the site, if the object's key has one.
    fn site(&self) -> Option<&Site>;

    /// Returns the object's size in bytes, if the record has it.
    fn size_bytes(&self) -> Option<u64> {
        None
    }

    /// Returns all of its times. Records have whole microseconds, like keys and tables; a
    /// test finds a missing time.
    fn times(&mut self) -> Vec<&mut Timestamp>;

    /// Returns what it depends on besides the object, if an object can have several records of this type. It becomes
    /// part of the id.
    fn made_with(&self) -> Option<String> {
        None
    }

    /// Returns fields that only the log line has.
    fn logged_besides(&self) -> Vec<(&'static str, Value)> {
        vec![]
    }

    /// Lines of its own that a part of it gets: each one's message and fields.
    fn logged_apart(&self) -> Vec<(&'static str, Map<String, Value>)> {
        vec![]
    }
}

/// A type of record, for code that handles all types.
pub struct Declared {
    /// The CloudEvents type as text.
    pub event_type: &'static str,
    /// Members that its log line leaves out.
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
            event_schema: crate::json_schema::of::<Record, $Type>,
            data_schema: crate::json_schema::of_data::<$Type>,
        }),+];

        /// What a function can publish about an object. The envelope's `type` determines
        /// the variant: parse a [`Record`].
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
            /// Parses the data of a record of this type. Returns `None` for an unknown type.
            fn read(event_type: &str, data: Value) -> Option<serde_json::Result<Self>> {
                match event_type {
                    $($NAME => Some(serde_json::from_value(data).map(Self::$Type)),)+
                    _ => None,
                }
            }

            /// Returns the CloudEvents type.
            pub fn event_type(&self) -> &'static str {
                match self {
                    $(Self::$Type(_) => $NAME,)+
                }
            }

            /// Returns the name of the function that publishes it.
            pub fn function(&self) -> &'static str {
                match self {
                    $(Self::$Type(_) => <$Type as RecordType>::FUNCTION,)+
                }
            }

            /// Returns the message of its log line, and its level.
            pub fn log_message(&self) -> (&'static str, Severity) {
                match self {
                    $(Self::$Type(_) => (<$Type as RecordType>::MESSAGE, <$Type as RecordType>::SEVERITY),)+
                }
            }

            /// Returns the object that it is about.
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

            /// Returns the site, if the object's key has one.
            pub fn site(&self) -> Option<&Site> {
                match self {
                    $(Self::$Type(data) => data.site(),)+
                }
            }

            /// Returns the object's size in bytes, if the record has it.
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

            fn made_with(&self) -> Option<String> {
                match self {
                    $(Self::$Type(data) => data.made_with(),)+
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

            /// The message and the fields of each further log line.
            pub fn logged_apart(&self) -> Vec<(&'static str, Map<String, Value>)> {
                match self {
                    $(Self::$Type(data) => data.logged_apart(),)+
                }
            }
        }
    };
}

records! {
    /// A playable object and its contents: [`ChunkProbed`].
    CHUNK_PROBED: ChunkProbed,
    /// The end of an unbroken run of recording: [`SpanEnded`].
    SPAN_ENDED: SpanEnded,
    /// An interval without video: [`GapRecorded`].
    GAP_RECORDED: GapRecorded,
    /// An object that downstream functions must ignore: [`ObjectRejected`].
    OBJECT_REJECTED: ObjectRejected,
    /// What a gateway said of itself and its cameras: [`GatewayReported`].
    GATEWAY_REPORTED: GatewayReported,
    /// What a detector saw in a chunk: [`ChunkInferred`].
    CHUNK_INFERRED: ChunkInferred,
}

/// A record: the CloudEvents 1.0 envelope around [`Data`].
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Record {
    /// The CloudEvents version, always `"1.0"`.
    pub specversion: SpecVersion,
    /// The same for every redelivery of the same event.
    pub id: String,
    /// The function that publishes it, such as `framepost/probe`.
    pub source: String,
    /// One of the `io.framepost.….v1` types.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The key of the object.
    pub subject: String,
    /// When the object became complete.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// The media type, always `"application/json"`.
    pub datacontenttype: ContentType,
    /// The fields of the type.
    #[schemars(with = "serde_json::Value")]
    pub data: Data,
}

/// The attribute `specversion` of CloudEvents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SpecVersion {
    /// Version 1.0 of CloudEvents.
    #[serde(rename = "1.0")]
    V1,
}

/// The attribute `datacontenttype` of CloudEvents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContentType {
    /// The media type of JSON.
    #[serde(rename = "application/json")]
    Json,
}

impl Record {
    /// Creates the record with `data` about `object`. `time` is when the object became complete: the time of
    /// its event, or of the record that the function received.
    ///
    /// The id is derived from the type, the object and what [`made_with`](RecordType::made_with) adds, so that it is the same for every redelivery.
    /// `object` replaces the data's own. Times are truncated to whole microseconds, as in keys, which is
    /// the precision of the tables.
    pub fn about(object: &ObjectRef, time: Timestamp, data: impl Into<Data>) -> Self {
        let mut data = data.into();
        data.object_mut().clone_from(object);
        for time in data.times() {
            *time = whole_micros(*time);
        }
        let event_type = data.event_type().to_owned();
        let mut identity = format!("{event_type} {}", object.identity());
        if let Some(made_with) = data.made_with() {
            identity = format!("{identity} {made_with}");
        }
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

        /// The envelope before its data are parsed according to its type.
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
