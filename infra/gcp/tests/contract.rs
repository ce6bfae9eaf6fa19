//! The suite that every adapter passes, against fake-gcs-server.

use framepost_gcp::{GcsBucket, GoogleOptions};
use framepost_ports::contract::{Subject, sink_and_source};
use framepost_tests::google_emulators::GoogleEmulators;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_cloud_storage_keeps_the_contract() {
    let Some(google) = GoogleEmulators::start() else { return };
    let name = google.bucket();
    let options = GoogleOptions { endpoint: Some(google.storage.parse().expect("a URL")) };
    let url = format!("gs://{name}").parse().expect("a URL");
    let bucket = GcsBucket::connect(&url, &options).await.expect("connected");
    let source = Arc::new(bucket.source());
    sink_and_source(&Subject { sink: Arc::new(bucket), source, bucket: name }).await;
}
