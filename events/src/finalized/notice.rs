//! What a message says, in one form for all senders.

use super::sender::Sender;
use crate::{Error, ObjectFinalized, ObjectRemoved};
use serde::{Deserialize, Serialize};

/// The result of parsing a message about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// The message reports a new object.
    Finalized(ObjectFinalized),
    /// An object, or a version of one, is gone.
    Removed(ObjectRemoved),
    /// The message is sound and there is nothing to do: acknowledge it.
    Ignored {
        /// The reason, for counters.
        code: IgnoreCode,
        /// The reason, for people.
        detail: String,
    },
}

impl Notice {
    pub(super) fn ignored(code: IgnoreCode, detail: impl Into<String>) -> Self {
        Self::Ignored { code, detail: detail.into() }
    }
}

/// Why a valid message requires no action. The words are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoreCode {
    /// S3 tests a notification that was just configured.
    TestEvent,
    /// SNS asks its subscriber to confirm. Whoever runs the endpoint must answer that.
    SubscriptionConfirmation,
    /// An object, or a version of one, is gone, and that is not asked for, or nothing more is known of it.
    Deleted,
    /// A version of an object is no longer the live one, and that is not asked for.
    Archived,
    /// Metadata, tags or permissions changed, but not the bytes.
    MetadataUpdate,
    /// An audit log entry, which says who sent a request, not that the object is complete.
    AuditLog,
    /// Another kind of event of a known sender.
    OtherEvent,
}

impl IgnoreCode {
    /// Returns the word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TestEvent => "test-event",
            Self::SubscriptionConfirmation => "subscription-confirmation",
            Self::Deleted => "deleted",
            Self::Archived => "archived",
            Self::MetadataUpdate => "metadata-update",
            Self::AuditLog => "audit-log",
            Self::OtherEvent => "other-event",
        }
    }
}

impl std::fmt::Display for IgnoreCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ObjectFinalized {
    /// Returns the event, unless bucket, key or version are invalid.
    pub(super) fn checked(self, sender: Sender) -> Result<Notice, Error> {
        named(&self.bucket, &self.key, &self.version).map_err(|rule| sender.error(rule))?;
        Ok(Notice::Finalized(self))
    }
}

impl ObjectRemoved {
    /// The event, unless it names no object at all.
    pub(super) fn checked(self, sender: Sender) -> Result<Notice, Error> {
        named(&self.bucket, &self.key, self.version.as_ref().unwrap_or(&self.sequence))
            .map_err(|rule| sender.error(rule))?;
        Ok(Notice::Removed(self))
    }
}

/// Whether these name an object; an error says what is missing.
fn named(bucket: &str, key: &str, version: &str) -> Result<(), &'static str> {
    match () {
        () if bucket.is_empty() => Err("the bucket's name is empty"),
        // A bucket's name never holds a slash; one that does could pass itself off as another bucket's object.
        () if bucket.contains('/') => Err("the bucket's name holds a slash"),
        () if key.is_empty() => Err("the object's key is empty"),
        () if version.is_empty() => Err("the object's version is empty"),
        () => Ok(()),
    }
}
