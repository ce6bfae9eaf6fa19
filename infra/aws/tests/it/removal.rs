//! Removing objects, against moto.

#![cfg(feature = "functions")]

use crate::services::cloud;
use framepost_aws::AwsCloud;
use framepost_ports::contract::{self, Subject};
use framepost_ports::location::{Location, Role};
use framepost_ports::{Cloud as _, ErrorKind};
use framepost_tests::aws::REGION;

const VERSIONS: &[u8] = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

#[tokio::test(flavor = "multi_thread")]
async fn removing_from_s3_keeps_the_contract() {
    let Some(cloud) = cloud().await else { return };
    let place = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    for bucket in ["plain", "versions"] {
        cloud.account.s3("PUT", &format!("/{bucket}"), &[], place.as_bytes()).expect(bucket);
    }
    cloud.account.s3("PUT", "/versions?versioning", &[], VERSIONS).expect("versions");
    let aws = AwsCloud::new(cloud.options.clone());
    for name in ["plain", "versions"] {
        let at = Location::parse(&format!("s3://{name}"), Role::Bucket).unwrap();
        let sink = aws.sink(&at).await.unwrap();
        let source = aws.source(None).await.unwrap();
        let removal = aws.removal(&at).await.unwrap();
        let listing = aws.listing(&at).await.unwrap();
        contract::removal(&Subject { sink, source, bucket: name.to_owned() }, &*removal, &*listing).await;
    }
    let nowhere = Location::parse("s3://no-such-bucket", Role::Bucket).unwrap();
    let error = aws.removal(&nowhere).await.unwrap().remove("exports/x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", framepost_ports::chain(&error));
}
