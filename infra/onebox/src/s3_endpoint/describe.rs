//! What the endpoint says of its buckets and of an object besides its bytes, in the words of S3.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use framepost_events::Sha256;
use framepost_local::{LocalBucket, Stat};
use s3s::dto::{
    Bucket, Checksum, ChecksumMode, ChecksumType, ETag, GetObjectAttributesOutput, ListBucketsInput, ListBucketsOutput,
    Metadata, ObjectAttributes, ObjectStorageClass, Owner, StorageClass, Timestamp,
};
use s3s::{S3Error, S3Result};
use std::time::SystemTime;

/// Everything here belongs to whoever runs it.
const OWNER: &str = "framepost";
/// The region whose buckets have no location constraint.
const REGION: &str = "us-east-1";

/// A page of buckets, by name. A token is the last name of the page before.
pub(super) fn buckets<'a>(all: impl Iterator<Item = &'a LocalBucket>, input: ListBucketsInput) -> ListBucketsOutput {
    let ListBucketsInput { bucket_region, continuation_token, max_buckets, prefix } = input;
    let begins = |bucket: &&LocalBucket| prefix.as_deref().is_none_or(|prefix| bucket.name().starts_with(prefix));
    let is_next = |bucket: &&LocalBucket| continuation_token.as_deref().is_none_or(|after| bucket.name() > after);
    let is_here = bucket_region.is_none_or(|region| region == REGION);
    let mut found: Vec<&LocalBucket> = all.filter(|_| is_here).filter(begins).filter(is_next).collect();
    found.sort_unstable_by_key(|bucket| bucket.name());
    let most = max_buckets.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let has_more = found.len() > most;
    found.truncate(most);
    let token = found.last().filter(|_| has_more).map(|bucket| bucket.name().to_owned());
    let said = |bucket: &LocalBucket| Bucket {
        name: Some(bucket.name().to_owned()),
        creation_date: modified(bucket.created()),
        ..Default::default()
    };
    let owner = Owner { id: Some(OWNER.to_owned()), display_name: None };
    ListBucketsOutput {
        buckets: Some(found.into_iter().map(said).collect()),
        continuation_token: token,
        owner: Some(owner),
        prefix,
    }
}

/// What was asked for of an object. It was put whole, so it has no parts.
pub(super) fn attributes(stat: &Stat, asked: &[ObjectAttributes]) -> S3Result<GetObjectAttributesOutput> {
    // They come as one header or as several.
    let wants = |name: &str| asked.iter().flat_map(|asked| asked.as_str().split(',')).any(|asked| asked.trim() == name);
    let sha256 = stat.sha256.filter(|_| wants(ObjectAttributes::CHECKSUM));
    let checksum = sha256.map(|sha256| Checksum {
        checksum_sha256: Some(BASE64_STANDARD.encode(sha256.0)),
        checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
        ..Default::default()
    });
    let size = if wants(ObjectAttributes::OBJECT_SIZE) { Some(signed(stat.head.size)?) } else { None };
    let class = wants(ObjectAttributes::STORAGE_CLASS).then(|| StorageClass::from_static(ObjectStorageClass::STANDARD));
    Ok(GetObjectAttributesOutput {
        checksum,
        e_tag: wants(ObjectAttributes::ETAG).then(|| etag(stat)),
        last_modified: modified(stat.head.modified),
        object_size: size,
        storage_class: class,
        ..Default::default()
    })
}

/// With an end as after an upload in parts: clients take an ETag of 32 digits alone for the MD5 of the bytes. A file that was put
/// there by hand has one of its size and time.
pub(super) fn etag(stat: &Stat) -> ETag {
    let known = stat.sha256.unwrap_or_else(|| {
        let modified = stat.head.modified.map(jiff::Timestamp::as_nanosecond);
        Sha256::of(format!("{} {modified:?}", stat.head.size).as_bytes())
    });
    ETag::Strong(format!("{}-1", &known.to_string()[..32]))
}

pub(super) fn checksum(stat: &Stat, mode: Option<&ChecksumMode>) -> Option<String> {
    let asked = mode.is_some_and(|mode| mode.as_str() == ChecksumMode::ENABLED);
    stat.sha256.filter(|_| asked).map(|sha256| BASE64_STANDARD.encode(sha256.0))
}

pub(super) fn metadata(stat: &Stat) -> Metadata {
    stat.head.metadata.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect()
}

pub(super) fn content_type(stat: &Stat) -> Option<String> {
    Some(stat.head.content_type.clone()).filter(|text| !text.is_empty())
}

pub(super) fn modified(time: Option<jiff::Timestamp>) -> Option<Timestamp> {
    time.map(|time| SystemTime::from(time).into())
}

pub(super) fn signed(len: u64) -> S3Result<i64> {
    i64::try_from(len).map_err(S3Error::internal_error)
}
