//! Removes the objects of a bucket.

use crate::api::{Answer, Api, encoded};
use crate::connect::{CALL_TIMEOUT, GoogleOptions, within};
use crate::error;
use async_trait::async_trait;
use framepost_ports::{ObjectRemoval, Result};

/// The answer to a deletion is empty.
const LARGEST_ANSWER_BYTES: usize = 64 * 1024;

/// Removes objects of one bucket ("Objects: delete"). A bucket with versions or with soft deletion keeps the bytes for as long
/// as it is told to.
#[derive(Debug, Clone)]
pub struct GcsRemoval {
    api: Api,
    bucket: String,
}

impl GcsRemoval {
    /// Removes objects of `bucket`. Sends no request yet.
    pub fn new(bucket: impl Into<String>, options: &GoogleOptions) -> Result<Self> {
        Ok(Self { api: Api::connect(options)?, bucket: bucket.into() })
    }
}

#[async_trait]
impl ObjectRemoval for GcsRemoval {
    async fn remove(&self, key: &str) -> Result<()> {
        let request = self.api.delete(&format!("/storage/v1/b/{}/o/{}", encoded(&self.bucket), encoded(key)));
        let asked = self.api.ask("remove", key, request, LARGEST_ANSWER_BYTES);
        match within(CALL_TIMEOUT, "remove", key, asked).await? {
            Answer::Success(_) => Ok(()),
            Answer::Refusal(error) => Err(error::of("remove", key, error)),
        }
    }
}
