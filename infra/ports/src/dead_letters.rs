//! Where a message goes that will never work.

use crate::{Reason, Result};
use async_trait::async_trait;
use bytes::Bytes;

/// The attribute that names the function.
pub const FUNCTION_ATTRIBUTE: &str = "framepost-function";
/// The attribute that holds [`Reason::code`].
pub const REASON_ATTRIBUTE: &str = "framepost-reason";
/// The attribute that holds [`Reason::detail`], as far as [`DETAIL_LIMIT_BYTES`] allow.
pub const DETAIL_ATTRIBUTE: &str = "framepost-detail";
/// Every cloud takes an attribute of this size: 1024 bytes are Pub/Sub's limit.
pub const DETAIL_LIMIT_BYTES: usize = 1024;

/// A message as it came, and why nobody can handle it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// [`Message::id`](crate::Message::id): the same each time the message is parked.
    pub id: String,
    /// The function that gave up.
    pub function: &'static str,
    /// Why.
    pub reason: Reason,
    /// The message's own attributes.
    pub attributes: Vec<(String, String)>,
    /// The message's body, byte for byte.
    pub body: Bytes,
}

impl DeadLetter {
    /// The three attributes that say why, each with a value that every cloud takes: not empty, no control characters, not
    /// too long.
    pub fn reason_attributes(&self) -> [(&'static str, String); 3] {
        [
            (FUNCTION_ATTRIBUTE, plain(self.function)),
            (REASON_ATTRIBUTE, plain(&self.reason.code)),
            (DETAIL_ATTRIBUTE, plain(&self.reason.detail)),
        ]
    }
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len().min(DETAIL_LIMIT_BYTES));
    for char in text.chars() {
        let char = if char.is_control() || matches!(char, '\u{FFFE}' | '\u{FFFF}') { ' ' } else { char };
        if plain.len() + char.len_utf8() > DETAIL_LIMIT_BYTES {
            break;
        }
        plain.push(char);
    }
    if plain.is_empty() { "-".to_owned() } else { plain }
}

/// Keeps messages that will never work, for people to look at and to send again.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// On return the message is kept, whole, with its [`reason_attributes`](DeadLetter::reason_attributes) beside its own;
    /// where a cloud cannot take as many, its own go first.
    async fn park(&self, letter: &DeadLetter) -> Result<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_fits_every_cloud() {
        let letter = |detail: &str| DeadLetter {
            id: "1".to_owned(),
            function: "probe",
            reason: Reason::new("not-media", detail),
            attributes: vec![],
            body: Bytes::new(),
        };
        let detail = |text: &str| letter(text).reason_attributes()[2].1.clone();
        assert_eq!(detail(""), "-");
        assert_eq!(detail("a\0b\nc\u{FFFF}"), "a b c ");
        let long = detail(&"ä".repeat(2000));
        assert_eq!((long.len(), long.chars().count()), (DETAIL_LIMIT_BYTES, DETAIL_LIMIT_BYTES / 2));
        assert_eq!(letter("x").reason_attributes()[1], (REASON_ATTRIBUTE, "not-media".to_owned()));
    }
}
