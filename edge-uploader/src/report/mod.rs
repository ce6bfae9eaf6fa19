//! Reports on the gateway and its cameras: a small object beside the footage every few minutes, and soon after a change.
//!
//! A report never delays footage. It bypasses the spool and the uploader: one task composes it from the same counters as
//! the metrics and puts it once, with a time limit. A report that fails is discarded, and the next one is composed when it
//! is due. While the uploader considers the bucket unreachable, no report is made. So at most one report is in memory, of at
//! most 96 KiB (2 KiB for a few cameras). The bandwidth limit does not count it.
//!
//! A report contains no secrets: of a camera's URL it has the scheme, host and path, and errors are the texts in the log.

mod compose;
mod schedule;

use crate::gateway::Gateway;
use crate::tick;
use bytes::Bytes;
use compose::{Counted, compose, state};
use framepost_events::attributes::Attributes;
use framepost_events::manifest::{Manifest, ManifestSigner};
use framepost_events::report::{GatewayReport, REPORT_CONTENT_TYPE};
use framepost_events::{Error, Sha256};
use framepost_ports::{NewObject, ObjectSink, Put, chain};
use schedule::{Line, Schedule};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// How long a put may take. The next report is better than one that is late.
const PUT_MAX: Duration = Duration::from_secs(30);

/// How often the system is asked how far its clock is off.
const ASK_EVERY: Duration = Duration::from_mins(1);

/// When reports are made, and how they are signed.
#[derive(Clone)]
pub struct ReportSettings {
    /// The time between two reports while nothing changes.
    pub every: Duration,
    /// Signs reports, if there is one.
    pub signer: Option<Arc<ManifestSigner>>,
    /// The most that the spool may take; `u64::MAX` for no limit.
    pub quota_bytes: u64,
}

/// Looks every second whether a report is due, until the gateway is told to stop, or nobody holds it any more.
pub async fn run(gateway: Weak<Gateway>, sink: Arc<dyn ObjectSink>, settings: ReportSettings) {
    let started = Instant::now();
    let mut schedule = Schedule::new(settings.every);
    let mut counted: Option<Counted> = None;
    let mut offset = Offset::default();
    loop {
        tick::next().await;
        let Some(running) = gateway.upgrade().filter(|gateway| !gateway.is_stopping()) else { return };
        let line = if running.upload_stats().is_unreachable { Line::Down } else { Line::Up };
        let uptime = started.elapsed();
        let told = state(&running);
        let Some(trigger) = schedule.due(uptime, &told, line) else { continue };
        let made = compose::Made { trigger, uptime, offset_us: offset.get().await, quota_bytes: settings.quota_bytes };
        let spool = running.spool().clone();
        let disk = tokio::task::spawn_blocking(move || spool.disk_space()).await.ok().flatten();
        let (report, now_counted) = compose(&running, &made, disk, counted.as_ref());
        // Who waits for the gateway to be gone does not wait for a put.
        drop(running);
        match object(&report, settings.signer.as_deref()) {
            Ok(object) => match put(&*sink, &object).await {
                Ok(()) => {
                    tracing::debug!(key = object.key, ?trigger, "reported");
                    schedule.sent(uptime, told);
                    counted = Some(now_counted);
                }
                Err(error) => {
                    tracing::debug!(
                        key = object.key,
                        error,
                        "a report could not be uploaded, the next one replaces it"
                    );
                    schedule.failed(uptime);
                }
            },
            Err(error) => {
                tracing::warn!(error = chain(&error), "a report cannot be built");
                schedule.failed(uptime);
            }
        }
    }
}

/// One try. Whether the answer proves that the bucket has it does not matter for a report.
async fn put(sink: &dyn ObjectSink, object: &NewObject) -> Result<(), String> {
    match tokio::time::timeout(PUT_MAX, sink.put(object)).await {
        Ok(Ok(Put::Created | Put::Unproven | Put::AlreadyExists)) => Ok(()),
        Ok(Err(error)) => Err(chain(&error)),
        Err(_) => Err(format!("no answer for {PUT_MAX:?}")),
    }
}

/// The object, attributed and signed like a gap's.
fn object(report: &GatewayReport, signer: Option<&ManifestSigner>) -> Result<NewObject, Error> {
    let key = report.key();
    let text = key.to_string();
    let bytes = Bytes::from(report.to_json());
    let sha256 = Sha256::of(&bytes);
    let mut attributes =
        Attributes { from: Some(key.at), to: Some(key.at), sha256: Some(sha256), ..Attributes::default() };
    if let Some(signer) = signer {
        let manifest = Manifest::claimed(&text, bytes.len() as u64, &attributes);
        attributes.signature = manifest.map(|manifest| signer.sign(&manifest));
        attributes.key_id = Some(signer.key_id().to_owned());
    }
    Ok(NewObject {
        key: text,
        content_type: REPORT_CONTENT_TYPE.to_owned(),
        metadata: attributes.to_metadata()?,
        sha256,
        crc32c: Some(crc32c::crc32c(&bytes)),
        content: Arc::new(bytes),
    })
}

/// How far the system's clock is off, asked now and then.
#[derive(Debug, Default)]
struct Offset {
    asked: Option<Instant>,
    us: Option<u64>,
}

impl Offset {
    async fn get(&mut self) -> Option<u64> {
        if self.asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY) {
            self.us = tokio::task::spawn_blocking(crate::clock::gateway_offset_us).await.ok().flatten();
            self.asked = Some(Instant::now());
        }
        self.us
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_events::report::{ReportTrigger, ReportedClock, ReportedSpool, ReportedUpload};

    #[test]
    fn a_report_is_signed_for_its_key_and_bytes() {
        let report = GatewayReport {
            site: "plant-7".parse().unwrap(),
            at: "2026-11-20T15:08:23.5Z".parse().unwrap(),
            trigger: ReportTrigger::Start,
            gateway_version: "0".to_owned(),
            uptime_seconds: 0,
            gateway_clock: ReportedClock { synchronized: true, offset_us: None, sets: 0 },
            disk: None,
            spool: ReportedSpool {
                objects: 0,
                bytes: 0,
                oldest: None,
                oldest_age_seconds: 0,
                used_bytes: 0,
                quota_bytes: None,
            },
            quarantined_objects: 0,
            upload: ReportedUpload { created_objects: 0, stored_bytes: 0, sent_bytes: 0, retries: 0, last_error: None },
            cameras_silent: 0,
            cameras: vec![],
            cameras_omitted: None,
        };
        let signer = ManifestSigner::from_secret(&[7; 32]);
        let made = object(&report, Some(&signer)).unwrap();
        let metadata = made.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let attributes = Attributes::from_metadata(metadata).unwrap();
        let bytes = made.content.len_bytes();
        let manifest = Manifest::claimed(&made.key, bytes, &attributes).unwrap();
        assert!(signer.public_key().verifies(&manifest, &attributes.signature.unwrap()));
        let unsigned = object(&report, None).unwrap();
        assert!(!unsigned.metadata.iter().any(|(name, _)| name == "Signature"));
        assert_eq!(unsigned.sha256, made.sha256);
    }
}
