//! Removes the objects of a bucket.

use crate::connect::{Connection, Session};
use crate::error;
use async_trait::async_trait;
use framepost_ports::{ObjectRemoval, Result};

/// Removes objects of one bucket by `DeleteObject`. In a bucket with versions the object gets a delete marker, and its bytes stay
/// for as long as the lifecycle keeps versions that are not current. S3 does not say whether there was an object.
#[derive(Debug, Clone)]
pub struct S3Removal {
    connection: Connection,
    bucket: String,
}

impl S3Removal {
    /// Removes objects of `bucket`. Sends no request yet.
    pub fn new(session: &Session, bucket: impl Into<String>) -> Result<Self> {
        Ok(Self { connection: session.s3()?, bucket: bucket.into() })
    }
}

#[async_trait]
impl ObjectRemoval for S3Removal {
    async fn remove(&self, key: &str) -> Result<()> {
        let request = self.connection.client.delete_object().bucket(&self.bucket).key(key);
        request.send().await.map(drop).map_err(|failure| error::of("s3", "remove", key, failure))
    }
}
