//! Framepost's own event for a bucket in a directory: a CloudEvent whose
//! data is the [`ObjectFinalized`] itself.

use super::json::typed;
use super::notice::Notice;
use super::sender::Sender;
use crate::{Error, ObjectFinalized, ObjectRemoved, Sha256, removed};
use serde_json::{Map, Value, json};

/// The CloudEvents type of this event.
pub const EVENT_TYPE: &str = "io.framepost.object.finalized.v1";

impl ObjectFinalized {
    /// Formats the event as a CloudEvent in structured mode, which [`parse`](super::parse) reads. Its id is the
    /// identity of the work, so that copies of one event have the same id.
    pub fn to_json(&self) -> Vec<u8> {
        let id = Sha256::of(self.identity().as_bytes()).to_string();
        json!({
            "specversion": "1.0",
            "id": &id[..32],
            "source": format!("framepost/{}/{}", self.provider, self.bucket),
            "type": EVENT_TYPE,
            "subject": self.key,
            "time": self.time,
            "datacontenttype": "application/json",
            "data": self,
        })
        .to_string()
        .into_bytes()
    }
}

pub(super) fn finalized(data: Map<String, Value>) -> Result<Notice, Error> {
    typed::<ObjectFinalized>(data)
        .map_err(|e| Sender::CloudEvent.error(format!("{EVENT_TYPE}: data: {e}")))?
        .checked(Sender::CloudEvent)
}

pub(super) fn removed(data: Map<String, Value>) -> Result<Notice, Error> {
    typed::<ObjectRemoved>(data)
        .map_err(|e| Sender::CloudEvent.error(format!("{}: data: {e}", removed::EVENT_TYPE)))?
        .checked(Sender::CloudEvent)
}
