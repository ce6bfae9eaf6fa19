//! The SDK's client of Cloud Storage, for functions.

use crate::connect::GoogleOptions;
use framepost_ports::{Error, ErrorKind, Result};
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_storage::client::Storage;
use google_cloud_storage::read_resume_policy::NeverResume;

/// Creates a client that never retries. It sends no request yet.
pub(crate) async fn connect(options: &GoogleOptions) -> Result<Storage> {
    let mut builder = Storage::builder()
        .with_credentials(options.credentials()?)
        .with_retry_policy(NeverRetry)
        .with_read_resume_policy(NeverResume)
        // Send everything in one request.
        .with_resumable_upload_threshold(usize::MAX)
        .with_grpc_subchannel_count(1);
    if let Some(endpoint) = options.endpoint() {
        builder = builder.with_endpoint(endpoint);
    }
    builder.build().await.map_err(|error| Error::new(ErrorKind::Invalid, "connect", "cloud storage").because(error))
}

/// Returns a bucket's name in the form of the API.
pub(crate) fn resource(bucket: &str) -> String {
    format!("projects/_/buckets/{bucket}")
}
