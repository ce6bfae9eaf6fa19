//! The port for messages that can never be handled.

use crate::{Reason, Result};
use async_trait::async_trait;
use bytes::Bytes;

/// The attribute with the function's name.
pub const FUNCTION_ATTRIBUTE: &str = "framepost-function";
/// The attribute that holds [`Reason::code`].
pub const REASON_ATTRIBUTE: &str = "framepost-reason";
/// The attribute with [`Reason::detail`], cut to [`DETAIL_LIMIT_BYTES`].
pub const DETAIL_ATTRIBUTE: &str = "framepost-detail";
/// The longest attribute that every cloud accepts: Pub/Sub's limit is 1024 bytes.
pub const DETAIL_LIMIT_BYTES: usize = 1024;

/// A message that cannot be handled, unchanged, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// [`Message::id`](crate::Message::id); the same each time the message is parked.
    pub id: String,
    /// The name of the function that rejected the message.
    pub function: &'static str,
    /// Why the function rejected the message.
    pub reason: Reason,
    pub attributes: Vec<(String, String)>,
    /// The message's body, unchanged.
    pub body: Bytes,
}

impl DeadLetter {
    /// Returns the three attributes that describe the failure. Each value is one that every cloud accepts: not
    /// empty, without control characters, not too long.
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

/// Keeps messages that can never be handled, so that people can inspect and redrive them.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Parks a message. When it returns, the message is stored whole, with its
    /// [`reason_attributes`](DeadLetter::reason_attributes) and its own attributes. If the cloud limits the
    /// number of attributes, the message's own are dropped first.
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
