//! Estimates the cost of a replay.

use framepost_host::manifest::{Grant, Manifest};
use std::fmt;

/// Assumed time per object in seconds. The function's log has the real times (`latency_ms`).
const SECONDS_EACH: f64 = 0.1;
/// Objects per listing request.
const LISTED_AT_ONCE: f64 = 1000.0;

/// List prices in US dollars, without discounts and free tiers.
#[derive(Debug, Clone, Copy)]
struct Prices {
    /// Price of a listing request.
    listing: f64,
    /// Price of reading an object.
    read: f64,
    /// Price of a message in the inbox.
    message: f64,
    /// Price of a call of the function.
    call: f64,
    /// Price of a GiB of memory for a second.
    memory_gib_s: f64,
    /// Price of a CPU for a second.
    cpu_s: f64,
}

/// us-east-1: S3 LIST and GET; SQS sends, receives and deletes ten messages at a time; Lambda on x86.
const AWS: Prices = Prices {
    listing: 0.005 / 1e3,
    read: 0.0004 / 1e3,
    message: 3.0 * 0.4 / 1e6 / 10.0,
    call: 0.2 / 1e6,
    memory_gib_s: 0.000_016_666_7,
    cpu_s: 0.0,
};
/// us-central1: class A and B operations; Pub/Sub at 1 KB a message, in and out; Cloud Run.
const GCP: Prices = Prices {
    listing: 0.005 / 1e3,
    read: 0.0004 / 1e3,
    message: 2.0 * 40.0 / (1u64 << 30) as f64,
    call: 0.4 / 1e6,
    memory_gib_s: 0.000_002_5,
    cpu_s: 0.000_024,
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
        let listing = 2.0 * (self.amount.listed as f64 / LISTED_AT_ONCE).ceil() * prices.listing;
        let requests = listing + objects * (self.reads_each * prices.read + prices.message);
        let memory = f64::from(runtime.memory_mib) / 1024.0 * prices.memory_gib_s;
        let cpu = f64::from(runtime.cpu.unwrap_or(1)) * prices.cpu_s;
        let time = objects * (prices.call + SECONDS_EACH * (memory + cpu));
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
