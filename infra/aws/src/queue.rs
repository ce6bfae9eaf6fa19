//! An SQS queue, read by long polling.

use crate::connect::Session;
use crate::error;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
};
use framepost_ports::{Error, ErrorKind, Result};
use std::time::Duration;
use url::Url;

/// How long SQS waits for a message before it returns an empty response. This is the longest wait that SQS
/// allows, and the cheapest.
const WAIT_S: i32 = 20;
/// Most messages in one request.
pub const MAX_MESSAGES: usize = 10;
/// The longest time after its receipt that SQS can hide a message.
const LONGEST_HIDDEN: Duration = Duration::from_hours(12);

/// The handle that answers a message. It is valid for one receipt of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt(String);

/// A received message, hidden from others for the time that [`SqsQueue::receive`] was called with.
#[derive(Debug, Clone)]
pub struct Received {
    /// The message id; the same for every receipt of the message.
    pub id: String,
    /// Different for every receipt of the message.
    pub receipt: Receipt,
    /// Attributes whose data type is a string.
    pub attributes: Vec<(String, String)>,
    pub body: String,
    /// The X-Ray header of the sender.
    pub trace_header: Option<String>,
    /// How often the message was received, this time included.
    pub deliveries: Option<u32>,
}

/// An SQS queue with its URL.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: Url,
}

impl SqsQueue {
    /// Uses the queue with this URL. Sends no request yet.
    pub fn new(session: &Session, url: Url) -> Self {
        Self { client: Client::new(&session.with_retries()), url }
    }

    /// Receives up to `max` messages and hides them from others for `hidden`. Returns an empty list when the
    /// long poll times out. If the call is cancelled, messages may have been received that nobody saw; they
    /// become visible again after `hidden`.
    pub async fn receive(&self, max: usize, hidden: Duration) -> Result<Vec<Received>> {
        let request = self
            .client
            .receive_message()
            .queue_url(self.url.as_str())
            .max_number_of_messages(i32::try_from(max.clamp(1, MAX_MESSAGES)).unwrap_or(1))
            .wait_time_seconds(WAIT_S)
            .visibility_timeout(seconds(hidden))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = request.send().await.map_err(|failure| self.failed("receive", failure))?;
        let received = answer.messages.unwrap_or_default().into_iter().filter_map(|message| {
            let mut system = message.attributes.unwrap_or_default();
            let deliveries = system.remove(&MessageSystemAttributeName::ApproximateReceiveCount);
            let attributes = message.message_attributes.unwrap_or_default().into_iter();
            Some(Received {
                id: message.message_id?,
                receipt: Receipt(message.receipt_handle?),
                attributes: attributes.filter_map(|(name, value)| Some((name, value.string_value?))).collect(),
                body: message.body.unwrap_or_default(),
                trace_header: system.remove(&MessageSystemAttributeName::AwsTraceHeader),
                deliveries: deliveries.and_then(|count| count.parse().ok()),
            })
        });
        Ok(received.collect())
    }

    /// Deletes messages. Returns an error if one of them could not be deleted; that one becomes visible again.
    pub async fn delete(&self, receipts: &[Receipt]) -> Result<()> {
        for part in receipts.chunks(MAX_MESSAGES) {
            let entries = part.iter().enumerate().map(|(n, receipt)| {
                DeleteMessageBatchRequestEntry::builder().id(n.to_string()).receipt_handle(&receipt.0).build()
            });
            let entries = entries.collect::<Result<_, _>>().map_err(|error| self.invalid("delete").because(error))?;
            let request = self.client.delete_message_batch().queue_url(self.url.as_str()).set_entries(Some(entries));
            let answer = request.send().await.map_err(|failure| self.failed("delete", failure))?;
            self.all_or("delete", answer.failed.first().map(|entry| (entry.code.as_str(), entry.message.as_deref())))?;
        }
        Ok(())
    }

    /// Hides each message for the given time from now on. Returns an error if that failed for one of them; that
    /// one becomes visible again at the time set before.
    pub async fn hide(&self, receipts: &[(Receipt, Duration)]) -> Result<()> {
        for part in receipts.chunks(MAX_MESSAGES) {
            let entries = part.iter().enumerate().map(|(n, (receipt, hidden))| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(n.to_string())
                    .receipt_handle(&receipt.0)
                    .visibility_timeout(seconds(*hidden))
                    .build()
            });
            let entries = entries.collect::<Result<_, _>>().map_err(|error| self.invalid("hide").because(error))?;
            let request =
                self.client.change_message_visibility_batch().queue_url(self.url.as_str()).set_entries(Some(entries));
            let answer = request.send().await.map_err(|failure| self.failed("hide", failure))?;
            self.all_or("hide", answer.failed.first().map(|entry| (entry.code.as_str(), entry.message.as_deref())))?;
        }
        Ok(())
    }

    fn all_or(&self, operation: &'static str, failed: Option<(&str, Option<&str>)>) -> Result<()> {
        let Some((code, message)) = failed else { return Ok(()) };
        let words = format!("sqs answered {code}: {}", message.unwrap_or("-"));
        Err(Error::new(error::kind(400, code), operation, self.url.as_str()).because(words))
    }

    fn invalid(&self, operation: &'static str) -> Error {
        Error::new(ErrorKind::Invalid, operation, self.url.as_str())
    }

    fn failed<E>(
        &self,
        operation: &'static str,
        failure: aws_sdk_sqs::error::SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
    ) -> Error
    where
        E: std::error::Error + aws_sdk_sqs::error::ProvideErrorMetadata + Send + Sync + 'static,
    {
        error::of("sqs", operation, self.url.as_str(), failure)
    }
}

/// Converts to whole seconds, rounded up so that a message is never visible too early.
fn seconds(time: Duration) -> i32 {
    let time = time.min(LONGEST_HIDDEN);
    let whole = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}
