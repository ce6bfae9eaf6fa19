//! The end of a function's queue into which messages are put.

use crate::connect::Session;
use crate::error;
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use framepost_ports::{Error, ErrorKind, Feed, Given, Result};
use url::Url;

/// The most messages of one request.
const BATCH: usize = 10;
const BATCH_BYTES: usize = 256 * 1024;

/// Sends to one SQS queue.
#[derive(Debug, Clone)]
pub struct SqsFeed {
    client: Client,
    queue: Url,
}

impl SqsFeed {
    /// Uses the queue with this URL. Sends no request yet.
    pub fn new(session: &Session, queue: Url) -> Self {
        Self { client: Client::new(&session.with_retries()), queue }
    }

    /// Finds the queue with this name in the session's account and region.
    pub async fn of_name(session: &Session, name: &str) -> Result<Self> {
        let client = Client::new(&session.with_retries());
        let answer = client.get_queue_url().queue_name(name).send().await;
        let answer = answer.map_err(|failure| error::of("sqs", "find the queue", name, failure))?;
        let invalid = || Error::new(ErrorKind::Invalid, "find the queue", name);
        let url = answer.queue_url.ok_or_else(|| invalid().because("the answer names no queue"))?;
        Ok(Self { client, queue: url.parse().map_err(|error: url::ParseError| invalid().because(error))? })
    }

    async fn send(&self, bodies: &[String]) -> Result<()> {
        let invalid = || Error::new(ErrorKind::Invalid, "give", self.queue.as_str());
        let entries = bodies
            .iter()
            .enumerate()
            .map(|(n, body)| SendMessageBatchRequestEntry::builder().id(n.to_string()).message_body(body).build());
        let entries = entries.collect::<std::result::Result<_, _>>().map_err(|error| invalid().because(error))?;
        let request = self.client.send_message_batch().queue_url(self.queue.as_str()).set_entries(Some(entries));
        let answer = request.send().await.map_err(|failure| error::of("sqs", "give", self.queue.as_str(), failure))?;
        let Some(failed) = answer.failed.first() else { return Ok(()) };
        let words = format!("sqs answered {}: {}", failed.code, failed.message.as_deref().unwrap_or("-"));
        Err(Error::new(error::kind(400, &failed.code), "give", self.queue.as_str()).because(words))
    }
}

#[async_trait]
impl Feed for SqsFeed {
    async fn give(&self, given: &[Given]) -> Result<()> {
        let mut batch: Vec<String> = Vec::new();
        let mut bytes = 0;
        for one in given {
            let invalid = |error| Error::new(ErrorKind::Invalid, "give", one.identity()).because(error);
            let json = one.to_json().map_err(invalid)?;
            let body = String::from_utf8_lossy(&json).into_owned();
            if batch.len() == BATCH || (bytes + body.len() > BATCH_BYTES && !batch.is_empty()) {
                self.send(&batch).await?;
                batch.clear();
                bytes = 0;
            }
            bytes += body.len();
            batch.push(body);
        }
        if batch.is_empty() { Ok(()) } else { self.send(&batch).await }
    }
}
