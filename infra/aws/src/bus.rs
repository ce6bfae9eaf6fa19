//! Records on an EventBridge bus: source `framepost.<function>`, detail-type the CloudEvent's type, detail the whole
//! CloudEvent.
//!
//! Records published while a request is in progress wait for it and are then sent together, up to the limit of
//! `PutEvents`. No record waits for others when the bus is idle, and a busy bus gets fewer requests. Each
//! record gets its own answer, since `PutEvents` can accept some entries of a request and refuse others.

use crate::connect::Session;
use crate::error;
use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use framepost_events::record::Record;
use framepost_ports::{Bus, Error, ErrorKind, Result};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// Entries in one request.
const MAX_ENTRIES: usize = 10;
/// Size limit of one request, and therefore of one entry ("Calculating PutEvents event entry size").
const MAX_BYTES: usize = 256 * 1024;
/// Bytes that an entry's `Time` adds to its size.
const TIME_BYTES: usize = 14;

/// An EventBridge bus, or the region's `default` bus.
#[derive(Debug)]
pub struct EventBridgeBus {
    client: Client,
    bus: String,
    waiting: Mutex<VecDeque<Waiting>>,
    /// Held by the task that sends for all waiting tasks.
    sending: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    id: String,
    entry: PutEventsRequestEntry,
    bytes: usize,
    answer: oneshot::Sender<Result<()>>,
}

impl EventBridgeBus {
    /// Uses the bus with this name or ARN. Sends no request yet.
    pub fn new(session: &Session, bus: impl Into<String>) -> Self {
        let client = Client::new(&session.with_retries());
        Self { client, bus: bus.into(), waiting: Mutex::default(), sending: tokio::sync::Mutex::default() }
    }

    fn entry(&self, record: &Record) -> Result<(PutEventsRequestEntry, usize)> {
        let invalid = || Error::new(ErrorKind::Invalid, "publish", &record.id);
        let detail = serde_json::to_string(record).map_err(|error| invalid().because(error))?;
        let source = record.source.replace('/', ".");
        let bytes = TIME_BYTES + source.len() + record.event_type.len() + detail.len();
        if bytes > MAX_BYTES {
            return Err(invalid().because(format!("an entry of {bytes} bytes, EventBridge takes {MAX_BYTES}")));
        }
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus)
            .source(source)
            .detail_type(&record.event_type)
            .time(DateTime::from_millis(record.time.as_millisecond()))
            .detail(detail);
        Ok((entry.build(), bytes))
    }

    /// Takes the entries of the next request, oldest first. Skips callers that were cancelled.
    fn take_batch(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Vec::new();
        let mut bytes = 0;
        while let Some(next) = waiting.pop_front() {
            if next.answer.is_closed() {
                continue;
            }
            if batch.len() == MAX_ENTRIES || bytes + next.bytes > MAX_BYTES {
                waiting.push_front(next);
                break;
            }
            bytes += next.bytes;
            batch.push(next);
        }
        batch
    }

    async fn send(&self, batch: Vec<Waiting>) {
        let entries = batch.iter().map(|waiting| waiting.entry.clone()).collect();
        let answer = self.client.put_events().set_entries(Some(entries)).send().await;
        let (answers, failed) = match answer {
            Ok(answer) => (answer.entries.unwrap_or_default(), None),
            Err(failure) => {
                // One failure is reported to several callers. `Error` cannot be cloned, so each gets its kind
                // and text.
                let error = error::of("eventbridge", "publish", &self.bus, failure);
                (Vec::new(), Some((error.kind(), framepost_ports::chain(&error))))
            }
        };
        for (index, Waiting { id, answer, .. }) in batch.into_iter().enumerate() {
            let result = match (&failed, answers.get(index)) {
                (Some((kind, words)), _) => Err(Error::new(*kind, "publish", id).because(words.clone())),
                (None, Some(entry)) => verdict(id, entry),
                (None, None) => Err(Error::new(ErrorKind::Transport, "publish", id).because("an entry has no answer")),
            };
            // Sending fails if the caller was cancelled.
            let _ = answer.send(result);
        }
    }
}

fn verdict(id: String, entry: &PutEventsResultEntry) -> Result<()> {
    let Some(code) = entry.error_code() else { return Ok(()) };
    let words = format!("eventbridge answered {code}: {}", entry.error_message().unwrap_or("-"));
    Err(Error::new(error::kind(400, code), "publish", id).because(words))
}

#[async_trait]
impl Bus for EventBridgeBus {
    async fn publish(&self, record: &Record) -> Result<()> {
        let (entry, bytes) = self.entry(record)?;
        let (answer, mut answered) = oneshot::channel();
        let waiting = Waiting { id: record.id.clone(), entry, bytes, answer };
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(waiting);
        loop {
            tokio::select! {
                biased;
                result = &mut answered => {
                    // Without an answer, the task that was sending was cancelled.
                    return result.unwrap_or_else(|gone| {
                        Err(Error::new(ErrorKind::Transport, "publish", &record.id).because(gone))
                    });
                }
                _sending = self.sending.lock() => self.send(self.take_batch()).await,
            }
        }
    }
}
