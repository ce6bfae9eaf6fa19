//! `probe` inspects each object that becomes complete, and publishes a record about it.
//!
//! ```text
//! ObjectFinalized ─▶ inspect ─▶ Record ─▶ bus, log
//!                       │
//!        head (16 KiB, metadata with it) ─▶ Scanner ─▶ mp4 | matroska ─▶ codec
//!                       ▲                      │
//!                       └── up to two more ranges
//! ```
//!
//! This is the only function that reads untrusted bytes. It decodes nothing and copies nothing: it walks
//! container headers in the buffers in which they arrived, and skips tables. [`inspect`] depends only on the
//! object and its event, so that repeating it gives the same record with the same id, and no ledger is needed.
//!
//! Invariants: an object costs at most [`MAX_REQUESTS`] requests and [`MAX_BYTES`] bytes, and one of our own
//! costs one request of [`HEAD_BYTES`] (unless the operator sets [`ContentCheck::Full`]). Memory and time are
//! bounded by that, not by sizes in the object. No input causes a panic. An object that is not playable video
//! gets a record too, with a stable reason.
//!
//! The parsers for MP4 and Matroska are our own, because each has to work on a part of the file, report which
//! bytes it needs, and stay within its bounds. The docs of `mp4` and `matroska` give details.

mod headers;
mod inspect;
mod integrity;
mod matroska;
mod mp4;
mod scan;
mod shown;
#[cfg(feature = "host")]
mod start;
mod window;

pub use inspect::{inspect, inspect_bytes};
pub use scan::{HEAD_BYTES, MAX_BYTES, MAX_REQUESTS};
#[cfg(feature = "host")]
pub use start::{MANIFEST, start};

use async_trait::async_trait;
use framepost_events::ObjectFinalized;
use framepost_events::manifest::PublicKey;
use framepost_events::record::{Data, Record, RejectReason};
use framepost_ports::{Bus, ErrorKind, Function, ObjectSource, Outcome, Reason, chain, log_record};
use std::sync::Arc;

/// How far the digest in an object's metadata is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentCheck {
    /// Not at all: only the head is read, and the digest counts as claimed.
    #[default]
    Head,
    /// The whole object is read and hashed.
    Full,
}

/// Settings that the operator chooses.
#[derive(Debug, Clone, Default)]
pub struct ProbeSettings {
    /// The public keys of the gateways whose signatures are accepted.
    pub public_keys: Vec<PublicKey>,
    /// How far the digest is checked.
    pub content: ContentCheck,
}

impl ProbeSettings {
    /// Reads `FRAMEPOST_PUBLIC_KEYS` (separated by commas) and `FRAMEPOST_CONTENT_CHECK` (`head` or `full`).
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let keys = variable("FRAMEPOST_PUBLIC_KEYS").unwrap_or_default();
        let public_keys = PublicKey::parse_list(&keys).map_err(SettingsError::PublicKeys)?;
        let content = match variable("FRAMEPOST_CONTENT_CHECK").as_deref() {
            None | Some("" | "head") => ContentCheck::Head,
            Some("full") => ContentCheck::Full,
            Some(other) => return Err(SettingsError::ContentCheck(other.to_owned())),
        };
        Ok(Self { public_keys, content })
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// One of the public keys is not valid.
    #[error("FRAMEPOST_PUBLIC_KEYS")]
    PublicKeys(#[source] framepost_events::Error),
    /// The value is neither `head` nor `full`.
    #[error("FRAMEPOST_CONTENT_CHECK is {0:?}, not head or full")]
    ContentCheck(String),
}

/// The handler of the function.
pub struct Probe {
    source: Arc<dyn ObjectSource>,
    bus: Arc<dyn Bus>,
    settings: ProbeSettings,
}

impl Probe {
    /// The function's name, which is also that of its directory.
    pub const NAME: &'static str = "probe";

    /// Creates a handler that reads from `source` and publishes to `bus`.
    pub fn new(source: Arc<dyn ObjectSource>, bus: Arc<dyn Bus>, settings: ProbeSettings) -> Self {
        Self { source, bus, settings }
    }
}

#[async_trait]
impl Function<ObjectFinalized> for Probe {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn done_metric(&self) -> &'static str {
        "ChunksProbed"
    }

    async fn handle(&self, event: ObjectFinalized) -> Outcome {
        if framepost_events::export::is_of_export(&event.key) {
            return Outcome::Skip(Reason::new("of-an-export", "a copy of footage that has its record"));
        }
        let data = match inspect(self.source.as_ref(), &event, &self.settings).await {
            Ok(data) => data,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Outcome::Skip(Reason::new("object-gone", chain(&error)));
            }
            Err(error) => return Outcome::of_failure("read-failed", &error),
        };
        let record = Record::about(&(&event).into(), event.time, data);
        if let Err(error) = self.bus.publish(&record).await {
            return Outcome::of_failure("publish-failed", &error);
        }
        log_record(&record);
        match &record.data {
            Data::ObjectRejected(rejected) => {
                Outcome::Reject(Reason::new(word(rejected.reason), rejected.detail.clone()))
            }
            _ => Outcome::Done,
        }
    }
}

/// Returns the reason's name in the record.
fn word(reason: RejectReason) -> String {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_the_records() {
        assert_eq!(word(RejectReason::NotMedia), "not-media");
    }
}
