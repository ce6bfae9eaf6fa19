//! The contract of Framepost: object keys, chunk attributes, finalized events and records.
//!
//! Everything that crosses a process boundary is named here and nowhere else, so that the gateway, the functions and
//! whoever reads the bucket agree by construction. The crate does no I/O and reads no clock: bytes and instants in,
//! values out.
//!
//! * [`key`]: where an object lies (ONVIF Recording Control, annex "Object storage recording format").
//! * [`attributes`]: what the object's metadata says of it.
//! * [`manifest`]: the canonical text that is signed and chained.
//! * [`finalized`]: "this object is complete", from every sender that can say so.
//! * [`record`]: what a function says of an object, as a CloudEvent; [`envelope`]: out of whatever carries it.
//! * [`schema`]: JSON Schemas of those CloudEvents, made from the types; [`bigquery`]: the table that holds them.

pub mod attributes;
pub mod bigquery;
pub mod envelope;
mod error;
pub mod finalized;
pub mod gap;
pub mod key;
pub mod manifest;
pub mod name;
pub mod record;
pub mod schema;

pub use error::Error;
pub use finalized::ObjectFinalized;
pub use key::{KeyKind, ObjectKey};
pub use name::{Camera, Site};

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits wherever it is text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        Self(sha2::Sha256::digest(bytes).into())
    }
}

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl std::str::FromStr for Sha256 {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut digest = [0; 32];
        hex::decode_to_slice(text, &mut digest).map_err(|_| Error::Attribute {
            name: "Sha256",
            value: text.to_owned(),
            expected: "64 hexadecimal digits",
        })?;
        Ok(Self(digest))
    }
}

impl serde::Serialize for Sha256 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Sha256 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for Sha256 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sha256".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}
