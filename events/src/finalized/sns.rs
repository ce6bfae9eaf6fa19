//! SNS: a notification whose `Message` is the AWS message as a text, and the
//! messages about the subscription itself.
//!
//! With "raw message delivery" there is no wrapper, and the message is parsed directly.

use super::json::{self, typed};
use super::notice::{IgnoreCode, Notice};
use super::sender::Sender;
use super::{eventbridge, s3};
use crate::Error;
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapper {
    #[serde(rename = "Type")]
    kind: String,
    topic_arn: String,
    message: Option<String>,
}

pub(super) fn message(message: Map<String, Value>) -> Result<Vec<Notice>, Error> {
    let Wrapper { kind, topic_arn, message } = typed(message).map_err(|e| Sender::Sns.error(e))?;
    match kind.as_str() {
        "Notification" => inner(message.as_deref().ok_or_else(|| Sender::Sns.error("there is no Message"))?),
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
            Ok(vec![Notice::ignored(IgnoreCode::SubscriptionConfirmation, format!("{kind} of {topic_arn}"))])
        }
        other => Err(Sender::Sns.error(format!("unknown Type {other:?}"))),
    }
}

fn inner(text: &str) -> Result<Vec<Notice>, Error> {
    let inner = json::object(text.as_bytes()).map_err(|what| Sender::Sns.error(format!("Message: {what}")))?;
    match Sender::of(&inner) {
        Some(Sender::S3) => s3::records(inner),
        Some(Sender::S3Test) => s3::test_event(&inner).map(|notice| vec![notice]),
        Some(Sender::EventBridge) => eventbridge::event(inner).map(|notice| vec![notice]),
        Some(other) => Err(Sender::Sns.error(format!("Message holds a {other}, which does not come by SNS"))),
        None => Err(Sender::Sns.error(format!("Message: {}", super::unknown(&inner)))),
    }
}
