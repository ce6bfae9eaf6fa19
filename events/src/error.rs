//! The error of everything here that reads a text: keys, attributes, events and records.

/// Why a text is invalid. Each variant quotes the invalid part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A site or camera name that cannot be part of a key.
    #[error("{value:?} cannot name a {what}: {rule}")]
    Name {
        /// The kind of name: `"site"` or `"camera"`.
        what: &'static str,
        /// The name as given.
        value: String,
        /// The rule that it violates.
        rule: &'static str,
    },
    /// An object key that does not match the ONVIF grammar.
    #[error("{key:?} is not an ONVIF object key: {expected}")]
    Key {
        /// The key as given.
        key: String,
        /// What was expected at the first invalid position.
        expected: &'static str,
    },
    /// A metadata entry that is missing or cannot be parsed.
    #[error("metadata {name}: {value:?} is not {expected}")]
    Attribute {
        /// The entry's name as Framepost writes it.
        name: &'static str,
        /// The value found; empty if it is missing.
        value: String,
        /// A description of the expected value.
        expected: &'static str,
    },
    /// The metadata of one object is larger than the cloud accepts.
    #[error("object metadata takes {bytes} bytes, {limit} are allowed")]
    MetadataTooLarge {
        /// Size of names and values together in UTF-8.
        bytes: usize,
        /// The limit that applies, [`crate::attributes::METADATA_LIMIT_BYTES`].
        limit: usize,
    },
    /// A message that is not an event of a known sender.
    #[error("not an object event: {0}")]
    Event(String),
    /// A signing or verifying key that cannot be used.
    #[error("not an Ed25519 key: {0}")]
    SigningKey(&'static str),
}
