//! The contract of [`Bus`]: records arrive at least once and unchanged.

use crate::Bus;
use async_trait::async_trait;
use framepost_events::ObjectFinalized;
use framepost_events::finalized::Provider;
use framepost_events::record::{ObjectRejected, Record, RejectReason};
use futures::future::join_all;
use jiff::Timestamp;

/// Receives the records that a bus delivers.
#[async_trait]
pub trait Listener: Send + Sync {
    /// Returns all records received so far. The suite calls it until there are enough.
    async fn heard(&self) -> Vec<Record>;
}

/// How many records the suite publishes concurrently: more than any cloud accepts in one request.
const AT_A_TIME: usize = 25;

/// Checks the contract of [`Bus`].
///
/// # Panics
///
/// Panics if the bus breaks its contract.
pub async fn bus(bus: &dyn Bus, listener: &dyn Listener) {
    let run = format!("contract-{:016x}", fastrand::u64(..));
    let records: Vec<Record> = (0..AT_A_TIME).map(|n| record(&run, n)).collect();
    for published in join_all(records.iter().map(|record| bus.publish(record))).await {
        published.expect("publish");
    }
    bus.publish(&records[0]).await.expect("publish again");
    let heard = loop {
        let heard: Vec<Record> = listener.heard().await.into_iter().filter(|r| r.subject.starts_with(&run)).collect();
        if records.iter().all(|record| heard.iter().any(|heard| heard.id == record.id)) {
            break heard;
        }
        tokio::task::yield_now().await;
    };
    for record in &records {
        let copies: Vec<&Record> = heard.iter().filter(|heard| heard.id == record.id).collect();
        assert!(copies.iter().all(|copy| *copy == record), "{copies:?} is not {record:?}");
    }
    let strange: Vec<&Record> = heard.iter().filter(|heard| records.iter().all(|r| r.id != heard.id)).collect();
    assert!(strange.is_empty(), "{strange:?}");
}

fn record(run: &str, n: usize) -> Record {
    let event = ObjectFinalized {
        provider: Provider::Local,
        bucket: "footage".to_owned(),
        key: format!("{run}/2026-11-20/gate/15/08-23.547000Z.{n}.mp4"),
        version: "1".to_owned(),
        size: Some(n as u64),
        time: Timestamp::from_microsecond(1_795_187_340_000_000 + i64::try_from(n).unwrap_or(0)).unwrap_or_default(),
        media_link: None,
        region: None,
        read_version: None,
    };
    // Long records, so that a request reaches its size limit as well as its limit of entries.
    let detail = format!("\"ä\\\u{1F3A5}<&>\n{}", "x".repeat(40_000));
    let rejected = ObjectRejected::new(RejectReason::NotMedia, detail, &event);
    Record::about(&(&event).into(), event.time, rejected)
}
