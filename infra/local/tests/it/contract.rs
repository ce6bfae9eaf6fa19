//! The contract suite for the local bucket, with one process and with two.

use framepost_local::LocalBucket;
use framepost_ports::contract::{Subject, removal, sink_and_source};
use std::sync::Arc;

#[tokio::test]
async fn a_directory_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let bucket = Arc::new(LocalBucket::open(dir.path().join("footage")).await.unwrap());
    let subject = Subject { sink: bucket.clone(), source: bucket.clone(), bucket: "footage".to_owned() };
    sink_and_source(&subject).await;
    removal(&subject, &*bucket, &*bucket).await;
    let staged = std::fs::read_dir(dir.path().join("footage/.framepost/tmp")).unwrap().count();
    assert_eq!(staged, 0, "nothing is left of the puts that failed");
}

#[tokio::test]
async fn two_writers_of_one_directory_keep_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let sink = Arc::new(LocalBucket::open(dir.path().join("footage")).await.unwrap());
    let source = Arc::new(LocalBucket::open(dir.path().join("footage")).await.unwrap());
    sink_and_source(&Subject { sink, source, bucket: "footage".to_owned() }).await;
}
