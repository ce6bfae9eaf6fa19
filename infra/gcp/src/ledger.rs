//! Claims as small objects in a bucket, so that no further service is needed.
//!
//! An entry is one JSON object. Each write is conditional on the generation before it, which is sufficient for
//! fencing. Cloud Storage reads are strongly consistent. The object's name is the SHA-256 of the work's name:
//! any text is valid as a name of work, and object names are spread evenly over the service's shards. The
//! metadata `work` holds the name of the work.
//!
//! # What it costs
//!
//! | | requests |
//! |---|---|
//! | a claim that is won at once, an extension, a job's id, an end | 1 write (class A) each |
//! | a claim that meets another's entry | 1 write, 1 read (class B) |
//! | a claim taken over | 2 writes, 1 read |
//! | a write whose answer got lost | 1 read more |
//!
//! A piece of work therefore costs two writes, or three with an external job: about 0.01 USD for a thousand
//! pieces, of class A operations (`framepost_ports::prices`). Entries are smaller than a kilobyte. Set a lifecycle
//! rule that deletes them after [`RETENTION`](framepost_ports::ledger::RETENTION). Use a bucket without object
//! versions and soft deletion: each write replaces an object, and both would keep and charge for every replaced
//! one.
//!
//! Cloud Storage accepts one write per second to an object and answers 429 to more. If work ends sooner, this
//! ledger waits and tries again; the caller would otherwise lose work that it has already paid for.

use crate::connect::{CALL_TIMEOUT, GoogleOptions, within};
use crate::error;
use crate::storage;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use framepost_events::Sha256;
use framepost_ports::ledger::{Entry, LedgerStore, Swap, Version};
use framepost_ports::{Error, ErrorKind, Result};
use google_cloud_storage::client::Storage;
use google_cloud_storage::model_ext::ReadRange;
use std::time::Duration;

/// Larger than any entry.
const ENTRY_LIMIT_BYTES: u64 = 512 * 1024;
/// Pauses before a write is tried again after a 429. The first is longer than the second that the service
/// requires; later ones are longer still.
const PUT_OFF: [Duration; 3] = [Duration::from_millis(1100), Duration::from_secs(2), Duration::from_secs(4)];
/// The longest part of a work's name that the object's metadata holds.
const NAME_LIMIT_CHARS: usize = 512;

/// The claims below one prefix of a bucket.
#[derive(Debug, Clone)]
pub struct GcsLedger {
    client: Storage,
    bucket: String,
    prefix: String,
}

impl GcsLedger {
    /// Connects to the claims below `prefix`, which may be empty and must not start or end with a slash.
    /// Sends no request yet.
    pub async fn connect(bucket: &str, prefix: &str, options: &GoogleOptions) -> Result<Self> {
        Ok(Self {
            client: storage::connect(options).await?,
            bucket: storage::resource(bucket),
            prefix: prefix.to_owned(),
        })
    }

    fn object(&self, work: &str) -> String {
        let digest = Sha256::of(work.as_bytes());
        if self.prefix.is_empty() { format!("{digest}.json") } else { format!("{}/{digest}.json", self.prefix) }
    }

    async fn write(&self, work: &str, generation: i64, bytes: &Bytes) -> Result<Swap> {
        let name: String = work.chars().take(NAME_LIMIT_CHARS).collect();
        let request = self
            .client
            .write_object(&self.bucket, self.object(work), bytes.clone())
            .set_if_generation_match(generation)
            .set_content_type("application/json")
            .set_metadata([("work", name)])
            .with_known_crc32c(crc32c::crc32c(bytes))
            .send_unbuffered();
        match Box::pin(request).await {
            Ok(object) => Ok(Swap::Written(Version(object.generation.to_string()))),
            Err(error) if error.http_status_code() == Some(412) => Ok(Swap::Refused),
            Err(error) => Err(error::of("claim", work, error)),
        }
    }
}

#[async_trait]
impl LedgerStore for GcsLedger {
    async fn read(&self, work: &str) -> Result<Option<(Entry, Version)>> {
        within(CALL_TIMEOUT, "read the claim", work, async {
            let range = ReadRange::segment(0, ENTRY_LIMIT_BYTES);
            let request = self.client.read_object(&self.bucket, self.object(work)).set_read_range(range);
            let mut answer =
                match Box::pin(request.send()).await.map_err(|error| error::of("read the claim", work, error)) {
                    Ok(answer) => answer,
                    // A missing bucket is an error; only a missing object means that there is no claim.
                    Err(error)
                        if error.kind() == ErrorKind::NotFound
                            && !framepost_ports::chain(&error).contains("bucket does not exist") =>
                    {
                        return Ok(None);
                    }
                    Err(error) => return Err(error),
                };
            let mut bytes = BytesMut::new();
            while let Some(piece) = answer.next().await {
                bytes.extend_from_slice(&piece.map_err(|error| error::of("read the claim", work, error))?);
            }
            let entry = serde_json::from_slice(&bytes)
                .map_err(|error| Error::new(ErrorKind::Invalid, "read the claim", work).because(error))?;
            Ok(Some((entry, Version(answer.object().generation.to_string()))))
        })
        .await
    }

    async fn swap(&self, work: &str, expected: Option<&Version>, entry: &Entry) -> Result<Swap> {
        let invalid = || Error::new(ErrorKind::Invalid, "claim", work);
        // Generation 0 stands for "no object".
        let generation = match expected {
            None => 0,
            Some(Version(text)) => text.parse::<i64>().map_err(|error| invalid().because(error))?,
        };
        let bytes = Bytes::from(serde_json::to_vec(entry).map_err(|error| invalid().because(error))?);
        let mut waits = PUT_OFF.into_iter();
        loop {
            match within(CALL_TIMEOUT, "claim", work, self.write(work, generation, &bytes)).await {
                Err(error) if error.kind() == ErrorKind::Busy => match waits.next() {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(error),
                },
                other => return other,
            }
        }
    }
}
