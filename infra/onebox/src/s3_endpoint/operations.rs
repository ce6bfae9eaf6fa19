//! The S3 operations that the endpoint implements.

use super::describe::{self, checksum, content_type, etag, metadata, modified, signed};
use super::upload::{BodyFault, Upload};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use framepost_events::Sha256;
use framepost_local::{Listed, LocalBucket, OpenObject, Stat};
use framepost_ports::{Content as _, Error, ErrorKind, NewObject, ObjectSink as _, Put, chain};
use futures::Stream;
use hyper::header::{CONTENT_RANGE, HeaderMap, HeaderValue};
use s3s::dto::{
    CommonPrefix, CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, DeletedObject, Error as Refused, GetBucketLocationInput, GetBucketLocationOutput,
    GetBucketVersioningInput, GetBucketVersioningOutput, GetObjectAttributesInput, GetObjectAttributesOutput,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output,
    Object, PutObjectInput, PutObjectOutput, StreamingBlob,
};
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use std::collections::HashMap;
use std::io::{self, Seek as _, SeekFrom};
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;

/// Bytes that are read from the disk at a time.
const PIECE_BYTES: u64 = 128 * 1024;
/// Sorts after all keys with a given prefix.
const LAST: char = char::MAX;

pub(super) struct Endpoint {
    buckets: HashMap<String, LocalBucket>,
}

impl Endpoint {
    pub(super) fn new(buckets: Vec<LocalBucket>) -> Self {
        Self { buckets: buckets.into_iter().map(|bucket| (bucket.name().to_owned(), bucket)).collect() }
    }

    fn bucket(&self, name: &str) -> S3Result<&LocalBucket> {
        self.buckets.get(name).ok_or_else(|| s3_error!(NoSuchBucket, "there is no such bucket"))
    }
}

/// Converts an error to S3's error codes.
fn refuse(error: &Error) -> S3Error {
    let code = match error.kind() {
        ErrorKind::NotFound => S3ErrorCode::NoSuchKey,
        ErrorKind::Denied => S3ErrorCode::AccessDenied,
        ErrorKind::Invalid => S3ErrorCode::InvalidArgument,
        ErrorKind::Corrupt => S3ErrorCode::BadDigest,
        ErrorKind::Busy => S3ErrorCode::ServiceUnavailable,
        ErrorKind::Transport | ErrorKind::Intercepted | ErrorKind::ClockSkew | ErrorKind::Io => {
            S3ErrorCode::InternalError
        }
    };
    if code == S3ErrorCode::InternalError {
        tracing::error!(error = chain(error), "the bucket failed");
    }
    S3Error::with_message(code, chain(error))
}

fn check_version(stat: &Stat, asked: Option<&str>) -> S3Result<()> {
    match asked {
        Some(version) if !stat.sha256.is_some_and(|digest| digest.to_string().starts_with(version)) => {
            Err(s3_error!(NoSuchVersion, "the object is of another version"))
        }
        _ => Ok(()),
    }
}

/// What has to hold for an object to be deleted.
#[derive(Debug, Clone, Copy)]
struct Conditions<'a> {
    version: Option<&'a str>,
    /// Whether there are conditions that the endpoint does not check.
    is_conditional: bool,
}

/// Removes an object. As in S3, it need not exist.
async fn remove(bucket: &LocalBucket, key: &str, conditions: Conditions<'_>) -> S3Result<()> {
    if conditions.is_conditional {
        return Err(s3_error!(NotImplemented, "an object is deleted whatever its ETag, size or time"));
    }
    let removed = match conditions.version {
        None => bucket.remove(key).await,
        Some(_) => match bucket.stat(key).await {
            Ok(stat) => {
                check_version(&stat, conditions.version)?;
                bucket.remove(key).await
            }
            Err(error) => Err(error),
        },
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(refuse(&error)),
        _ => Ok(()),
    }
}

#[async_trait::async_trait]
impl S3 for Endpoint {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket)?;
        let len = input.content_length.unwrap_or(0);
        let len = u64::try_from(len).map_err(|_| s3_error!(InvalidArgument, "a negative content-length"))?;
        let upload = Arc::new(Upload::new(len, input.body));
        let mut expected = None;
        if let Some(text) = &input.checksum_sha256 {
            let digest = BASE64_STANDARD.decode(text).ok().and_then(|digest| digest.try_into().ok());
            expected = Some(Sha256(digest.ok_or_else(|| s3_error!(InvalidRequest, "not a SHA-256 checksum"))?));
        }
        let object = NewObject {
            key: input.key,
            content_type: input.content_type.unwrap_or_default(),
            metadata: input.metadata.unwrap_or_default().into_iter().collect(),
            sha256: expected.unwrap_or(Sha256([0; 32])),
            crc32c: None,
            content: upload.clone(),
        };
        let put = match expected {
            Some(_) => bucket.put(&object).await,
            None => bucket.put_undigested(&object).await,
        };
        match (put, upload.fault()) {
            (Ok(Put::Created | Put::Unproven), _) => {}
            (Ok(Put::AlreadyExists), _) => {
                return Err(s3_error!(PreconditionFailed, "there is an object, and objects are never replaced"));
            }
            (Err(_), Some(BodyFault::OtherBytes)) => {
                return Err(s3_error!(BadDigest, "the bytes are not the ones that were signed"));
            }
            (Err(_), Some(BodyFault::CutShort)) => {
                return Err(s3_error!(IncompleteBody, "the body ended before the {} bytes it has", upload.len_bytes()));
            }
            (Err(error), None) => return Err(refuse(&error)),
        }
        let stat = bucket.stat(&object.key).await.map_err(|error| refuse(&error))?;
        let e_tag = Some(etag(&stat));
        Ok(S3Response::new(PutObjectOutput { e_tag, checksum_sha256: input.checksum_sha256, ..Default::default() }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = self.bucket(&input.bucket)?.get(&input.key).await.map_err(|error| refuse(&error))?;
        let OpenObject { stat, mut file } = object;
        check_version(&stat, input.version_id.as_deref())?;
        let size = stat.head.size;
        let (bytes, content_range) = match input.range {
            None => (0..size, None),
            Some(range) => {
                let bytes = range.check(size).map_err(|_| {
                    let mut error = s3_error!(InvalidRange, "the range has no byte of the object");
                    if let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}")) {
                        error.set_headers(HeaderMap::from_iter([(CONTENT_RANGE, value)]));
                    }
                    error
                })?;
                let text = format!("bytes {}-{}/{size}", bytes.start, bytes.end.saturating_sub(1));
                (bytes, Some(text))
            }
        };
        file.seek(SeekFrom::Start(bytes.start)).map_err(S3Error::internal_error)?;
        let output = GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            checksum_sha256: checksum(&stat, input.checksum_mode.as_ref()).filter(|_| content_range.is_none()),
            content_length: Some(signed(bytes.end - bytes.start)?),
            content_range,
            content_type: content_type(&stat),
            e_tag: Some(etag(&stat)),
            last_modified: modified(stat.head.modified),
            metadata: Some(metadata(&stat)),
            body: Some(StreamingBlob::wrap(pieces(file, bytes.end - bytes.start))),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket)?;
        let conditions = Conditions {
            version: input.version_id.as_deref(),
            is_conditional: input.if_match.is_some()
                || input.if_match_last_modified_time.is_some()
                || input.if_match_size.is_some(),
        };
        remove(bucket, &input.key, conditions).await?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket)?;
        let mut deleted = Vec::new();
        let mut errors = Vec::new();
        for object in input.delete.objects {
            let conditions = Conditions {
                version: object.version_id.as_deref(),
                is_conditional: object.e_tag.is_some() || object.last_modified_time.is_some() || object.size.is_some(),
            };
            match remove(bucket, &object.key, conditions).await {
                Ok(()) if input.delete.quiet == Some(true) => {}
                Ok(()) => deleted.push(DeletedObject {
                    key: Some(object.key),
                    version_id: object.version_id,
                    ..Default::default()
                }),
                Err(error) => errors.push(Refused {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(object.key),
                    message: error.message().map(str::to_owned),
                    version_id: object.version_id,
                }),
            }
        }
        let output = DeleteObjectsOutput { deleted: Some(deleted), errors: Some(errors), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = request.input;
        let stat = self.bucket(&input.bucket)?.stat(&input.key).await.map_err(|error| refuse(&error))?;
        check_version(&stat, input.version_id.as_deref())?;
        let output = HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            checksum_sha256: checksum(&stat, input.checksum_mode.as_ref()),
            content_length: Some(signed(stat.head.size)?),
            content_type: content_type(&stat),
            e_tag: Some(etag(&stat)),
            last_modified: modified(stat.head.modified),
            metadata: Some(metadata(&stat)),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.bucket(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn list_buckets(&self, request: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        Ok(S3Response::new(describe::buckets(self.buckets.values(), request.input)))
    }

    /// As in S3's first region, it succeeds for a bucket that is there: rclone asks before it writes.
    async fn create_bucket(&self, request: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        let name = request.input.bucket;
        if !self.buckets.contains_key(&name) {
            return Err(s3_error!(AccessDenied, "there are the buckets that there are, and no others"));
        }
        Ok(S3Response::new(CreateBucketOutput { location: Some(format!("/{name}")) }))
    }

    /// An answer without a `Status`: versioning was never switched on for the bucket.
    async fn get_bucket_versioning(
        &self,
        request: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.bucket(&request.input.bucket)?;
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.bucket(&request.input.bucket)?;
        // Of a bucket in us-east-1, S3 says nothing here.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn get_object_attributes(
        &self,
        request: S3Request<GetObjectAttributesInput>,
    ) -> S3Result<S3Response<GetObjectAttributesOutput>> {
        let input = request.input;
        let stat = self.bucket(&input.bucket)?.stat(&input.key).await.map_err(|error| refuse(&error))?;
        check_version(&stat, input.version_id.as_deref())?;
        Ok(S3Response::new(describe::attributes(&stat, &input.object_attributes)?))
    }

    /// The older listing, by which rclone and s3cmd ask.
    async fn list_objects(&self, request: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket)?;
        let limit = usize::try_from(input.max_keys.unwrap_or(1000)).unwrap_or(0).min(1000);
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.marker.clone().unwrap_or_default();
        let mut page = Page { bucket, prefix: &prefix, after, objects: vec![], prefixes: vec![] };
        let has_more = page.fill(input.delimiter.as_deref(), limit).await?;
        let output = ListObjectsOutput {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(has_more),
            marker: input.marker,
            next_marker: has_more.then_some(page.after),
            contents: Some(page.objects),
            common_prefixes: Some(page.prefixes),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let bucket = self.bucket(&input.bucket)?;
        let limit = usize::try_from(input.max_keys.unwrap_or(1000)).unwrap_or(0).min(1000);
        let prefix = input.prefix.clone().unwrap_or_default();
        // A token is the last key of the previous page.
        let after = input.continuation_token.clone().or(input.start_after.clone()).unwrap_or_default();
        let mut page = Page { bucket, prefix: &prefix, after, objects: vec![], prefixes: vec![] };
        let has_more = page.fill(input.delimiter.as_deref(), limit).await?;
        let count = page.objects.len() + page.prefixes.len();
        let output = ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            max_keys: i32::try_from(limit).ok(),
            key_count: i32::try_from(count).ok(),
            is_truncated: Some(has_more),
            next_continuation_token: has_more.then_some(page.after),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            contents: Some(page.objects),
            common_prefixes: Some(page.prefixes),
            ..Default::default()
        };
        Ok(S3Response::new(output))
    }
}

struct Page<'a> {
    bucket: &'a LocalBucket,
    prefix: &'a str,
    /// The last key before the next page.
    after: String,
    objects: Vec<Object>,
    prefixes: Vec<CommonPrefix>,
}

impl Page<'_> {
    /// Returns whether there are more keys, or common prefixes.
    async fn fill(&mut self, delimiter: Option<&str>, limit: usize) -> S3Result<bool> {
        let filled = match delimiter {
            None | Some("") => self.flat(limit).await,
            Some(delimiter) => self.folded(delimiter, limit).await,
        };
        filled.map_err(|error| refuse(&error))
    }

    /// Returns whether there are more keys.
    async fn flat(&mut self, limit: usize) -> Result<bool, Error> {
        let mut listed = self.bucket.list(self.prefix, &self.after, limit + 1).await?;
        let has_more = listed.len() > limit;
        listed.truncate(limit);
        for object in listed {
            self.push(object).await?;
        }
        Ok(has_more && limit > 0)
    }

    async fn folded(&mut self, delimiter: &str, limit: usize) -> Result<bool, Error> {
        loop {
            let Some(object) = self.bucket.list(self.prefix, &self.after, 1).await?.pop() else { return Ok(false) };
            if self.objects.len() + self.prefixes.len() >= limit {
                return Ok(limit > 0);
            }
            let rest = &object.key[self.prefix.len()..];
            match rest.find(delimiter) {
                None => self.push(object).await?,
                Some(at) => {
                    let common = object.key[..self.prefix.len() + at + delimiter.len()].to_owned();
                    self.after = format!("{common}{LAST}");
                    self.prefixes.push(CommonPrefix { prefix: Some(common) });
                }
            }
        }
    }

    /// Adds an object, unless it went meanwhile. s3cmd needs the ETag.
    async fn push(&mut self, listed: Listed) -> Result<(), Error> {
        self.after.clone_from(&listed.key);
        let stat = match self.bucket.stat(&listed.key).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            stat => stat?,
        };
        self.objects.push(Object {
            e_tag: Some(etag(&stat)),
            key: Some(listed.key),
            size: i64::try_from(listed.size).ok(),
            last_modified: modified(listed.modified),
            ..Default::default()
        });
        Ok(())
    }
}

/// Returns the next `len` bytes of `file` in pieces.
fn pieces(file: std::fs::File, len: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + 'static {
    let state = (tokio::fs::File::from_std(file), len);
    futures::stream::try_unfold(state, |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut piece = vec![0; usize::try_from(left.min(PIECE_BYTES)).unwrap_or(0)];
        let read = file.read(&mut piece).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        piece.truncate(read);
        Ok(Some((Bytes::from(piece), (file, left - read as u64))))
    })
}
