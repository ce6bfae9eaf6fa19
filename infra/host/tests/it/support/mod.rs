//! A function that does what an object's key says, and the notifications that tell of such objects.

use framepost_host::Event;
use framepost_ports::{Function, Outcome, Reason};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Each key is the word for its outcome; any other is done.
pub(crate) struct ByKey {
    /// How often `retry` is retried before it is done.
    retries: AtomicU32,
    after: Duration,
    calls: AtomicU32,
}

impl ByKey {
    /// `retry` is sent back so many times, not to come before so long.
    pub(crate) fn retrying(times: u32, after: Duration) -> Self {
        Self { retries: AtomicU32::new(times), after, calls: AtomicU32::new(0) }
    }

    #[allow(dead_code, reason = "not every test counts")]
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    fn retries_left(&self) -> bool {
        self.retries.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

#[async_trait::async_trait]
impl<E: Event> Function<E> for ByKey {
    fn name(&self) -> &'static str {
        "by-key"
    }

    async fn handle(&self, event: E) -> Outcome {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match event.about().key.as_deref().unwrap_or_default() {
            "panic" => panic!("as asked"),
            "stall" => std::future::pending().await,
            "retry" if self.retries_left() => {
                Outcome::Retry { after: self.after, reason: Reason::new("busy", "as asked") }
            }
            "reject" => Outcome::Reject(Reason::new("not-media", "as asked")),
            "skip" => Outcome::Skip(Reason::new("not-ours", "as asked")),
            _ => Outcome::Done,
        }
    }
}

/// What S3 would send of these objects; keys as they are on the wire.
#[allow(dead_code, reason = "not every test is about S3")]
pub(crate) fn notification(keys: &[&str]) -> String {
    let record = |key: &&str| {
        serde_json::json!({
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "eu-central-1",
            "eventTime": "2026-11-20T15:08:27.000Z", "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": "footage" }, "object": { "key": key, "size": 5, "sequencer": "0055AED6DC" } },
        })
    };
    let records: Vec<_> = keys.iter().map(record).collect();
    serde_json::json!({ "Records": records }).to_string()
}
