/// Why a text is not what it should be. Each variant quotes the offending part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A site or camera name that cannot be part of a key.
    #[error("{value:?} cannot name a {what}: {rule}")]
    Name {
        /// `"site"` or `"camera"`.
        what: &'static str,
        /// The name as given.
        value: String,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// An object key outside the ONVIF grammar.
    #[error("{key:?} is not an ONVIF object key: {expected}")]
    Key {
        /// The key as given.
        key: String,
        /// What was expected at the first place that is wrong.
        expected: &'static str,
    },
    /// A metadata entry that is missing or does not parse.
    #[error("metadata {name}: {value:?} is not {expected}")]
    Attribute {
        /// The entry's name as Framepost writes it.
        name: &'static str,
        /// The value found; empty when it is missing.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The metadata of one object would be larger than the cloud accepts.
    #[error("object metadata takes {bytes} bytes, {limit} are allowed")]
    MetadataTooLarge {
        /// Names and values together, as UTF-8.
        bytes: usize,
        /// The limit, [`crate::attributes::METADATA_LIMIT_BYTES`].
        limit: usize,
    },
    /// A message that is not an event of any known sender.
    #[error("not an object event: {0}")]
    Event(String),
    /// A signing or verifying key that cannot be used.
    #[error("not an Ed25519 key: {0}")]
    SigningKey(&'static str),
}
