//! Estimates the cost of a replay.

use framepost_host::manifest::{Grant, Manifest};
use framepost_ports::Price;
use framepost_ports::prices::{aws, gcp};
use std::fmt;

/// Assumed time per object in seconds. The function's log has the real times (`latency_ms`).
const SECONDS_EACH: f64 = 0.1;
/// Objects per listing request.
const LISTED_AT_ONCE: f64 = 1000.0;

/// What the clouds charge for the parts of a replay.
#[derive(Debug, Clone, Copy)]
struct Prices {
    /// A listing request.
    listing: Price,
    /// One GET request for an object, whatever its size.
    read: Price,
    /// A call of the function.
    call: Price,
    /// A GiB of memory for a second.
    memory_gib_s: Price,
    /// A CPU for a second, where it is not part of the memory's price.
    cpu_s: Option<Price>,
    /// US dollars for a message in the inbox.
    message_dollars: f64,
}

/// SQS sends, receives and deletes ten messages at a time. Of Lambda's two kinds of processors, this is the dearer.
const AWS: Prices = Prices {
    listing: aws::S3_PUT,
    read: aws::S3_GET,
    call: aws::LAMBDA_REQUEST,
    memory_gib_s: aws::LAMBDA_GB_S_X86,
    cpu_s: None,
    message_dollars: 3.0 * aws::SQS_REQUEST.dollars / 10.0,
};
/// Pub/Sub charges for 1 KiB of a message at least, in and out.
const GCP: Prices = Prices {
    listing: gcp::STORAGE_CLASS_A,
    read: gcp::STORAGE_CLASS_B,
    call: gcp::RUN_REQUEST,
    memory_gib_s: gcp::RUN_GIB_S,
    cpu_s: Some(gcp::RUN_CPU_S),
    message_dollars: 2.0 * 1024.0 * gcp::PUBSUB_BYTE.dollars,
};

/// Number and total size of objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
    /// Number of objects that had to be listed to find these.
    pub(crate) listed: u64,
}

/// The size and the cost of a replay, as shown before it asks for confirmation.
#[derive(Debug)]
pub(crate) struct Estimate<'a> {
    pub(crate) amount: Amount,
    pub(crate) manifest: &'a Manifest,
    /// The cloud: `aws`, `gcp` or `local`.
    pub(crate) cloud: &'a str,
    /// Requests to the bucket for each object, by the function and by this program.
    pub(crate) reads_each: f64,
}

impl Estimate<'_> {
    fn dollars(&self) -> Option<[(&'static str, f64); 3]> {
        let prices = match self.cloud {
            "aws" => AWS,
            "gcp" => GCP,
            _ => return None,
        };
        let objects = self.amount.objects as f64;
        let runtime = &self.manifest.runtime;
        // The objects are listed twice: to count them, and to replay them.
        let listing = 2.0 * (self.amount.listed as f64 / LISTED_AT_ONCE).ceil() * prices.listing.dollars;
        let requests = listing + objects * (self.reads_each * prices.read.dollars + prices.message_dollars);
        let memory = f64::from(runtime.memory_mib) / 1024.0 * prices.memory_gib_s.dollars;
        let cpu = f64::from(runtime.cpu.unwrap_or(1)) * prices.cpu_s.map_or(0.0, |price| price.dollars);
        let time = objects * (prices.call.dollars + SECONDS_EACH * (memory + cpu));
        Some([("requests", requests), ("function time", time), ("together", requests + time)])
    }
}

impl fmt::Display for Estimate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Amount { objects, bytes, .. } = self.amount;
        write!(f, "{objects} objects, {:.3} GB", bytes as f64 / 1e9)?;
        match self.dollars() {
            Some([requests, time, together]) => write!(
                f,
                "; about {:.2} USD: {:.2} for {}, {:.2} for {} at {SECONDS_EACH} s each",
                together.1, requests.1, requests.0, time.1, time.0
            )?,
            None => write!(f, "; nothing to pay for on this machine")?,
        }
        if self.manifest.grants.contains(&Grant::ClaimWork) {
            write!(
                f,
                "; {} may make up to {objects} paid calls besides, less those that it has made",
                self.manifest.name
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_objects_cost_about_what_the_price_lists_say() {
        let manifest = Manifest::parse("function.yaml", framepost_probe::MANIFEST).unwrap();
        let amount = Amount { objects: 1_000_000, bytes: 1_500_000_000_000, listed: 1_000_000 };
        let estimate = |cloud| Estimate { amount, manifest: &manifest, cloud, reads_each: 1.0 };
        // 0.4 of GET, 0.12 of SQS, 0.01 of LIST; 0.2 of calls, 0.208 of memory.
        assert_eq!(
            estimate("aws").to_string(),
            "1000000 objects, 1500.000 GB; about 0.94 USD: 0.53 for requests, 0.41 for function time at 0.1 s each"
        );
        let [_, time, _] = estimate("gcp").dollars().unwrap();
        assert!((2.8..2.9).contains(&time.1), "{time:?}");
        assert!(estimate("local").to_string().ends_with("nothing to pay for on this machine"));
    }
}
