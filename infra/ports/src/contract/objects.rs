//! The contract of [`ObjectSink`] and [`ObjectSource`]: objects are put once and read by range.

use crate::{
    ByteRange, Content, ContentStream, Error, ErrorKind, Likeness, NewObject, ObjectRead, ObjectSink, ObjectSource, Put,
};
use bytes::Bytes;
use framepost_events::Sha256;
use framepost_events::attributes::{METADATA_LIMIT_BYTES, Metadata, metadata_bytes};
use futures::StreamExt as _;
use std::sync::Arc;

/// A bucket under test, with its writing and its reading side.
pub struct Subject {
    pub sink: Arc<dyn ObjectSink>,
    pub source: Arc<dyn ObjectSource>,
    pub bucket: String,
}

/// Checks the contract of [`ObjectSink`] and [`ObjectSource`].
///
/// # Panics
///
/// Panics if the bucket breaks its contract.
pub async fn sink_and_source(subject: &Subject) {
    let run = Run { subject, prefix: format!("contract-{:016x}", fastrand::u64(..)) };
    run.creates_once().await;
    run.one_of_many_creates().await;
    run.refuses_other_bytes().await;
    run.refuses_unfaithful_content().await;
    run.cuts_ranges().await;
    run.keeps_metadata().await;
    run.takes_any_key().await;
    run.says_not_found().await;
    run.streams_large_content().await;
}

struct Run<'a> {
    subject: &'a Subject,
    prefix: String,
}

/// One item of a scripted content stream.
type Piece = Result<Bytes, &'static str>;

/// Content with a scripted stream.
struct MadeUp {
    claims: u64,
    pieces: Vec<Piece>,
}

impl Content for MadeUp {
    fn len_bytes(&self) -> u64 {
        self.claims
    }

    fn open(&self) -> ContentStream {
        let pieces = self.pieces.clone().into_iter().map(|piece| piece.map_err(std::io::Error::other));
        Box::pin(futures::stream::iter(pieces))
    }
}

fn object(key: &str, bytes: impl Into<Bytes>) -> NewObject {
    let metadata = vec![("Version".to_owned(), "1.0".to_owned())];
    NewObject { metadata, ..NewObject::of_bytes(key, "video/mp4", bytes) }
}

/// Returns the metadata with lower-case names, sorted: a bucket need not keep more than that.
fn normal(metadata: &Metadata) -> Metadata {
    let mut metadata: Metadata = metadata.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    metadata.sort();
    metadata
}

impl Run<'_> {
    fn key(&self, rest: &str) -> String {
        format!("{}/{rest}", self.prefix)
    }

    async fn put(&self, object: &NewObject) -> Result<Put, Error> {
        self.subject.sink.put(object).await
    }

    async fn read(&self, key: &str, start: u64, len: u64) -> Result<ObjectRead, Error> {
        self.subject.source.read(&self.subject.bucket, key, None, ByteRange { start, len }).await
    }

    async fn assert_holds(&self, key: &str, bytes: &[u8]) {
        let read = self.read(key, 0, bytes.len() as u64 + 1).await.expect("the object is there");
        assert_eq!(read.bytes, bytes, "{key}");
        assert_eq!(read.head.size, bytes.len() as u64, "{key}");
        let seen = self.subject.sink.look(key).await.expect("it can be looked at");
        let likeness = seen.compare(bytes.len() as u64, Sha256::of(bytes), None);
        assert_eq!(likeness, Likeness::Same, "{key}: {seen:?}");
        let other = seen.compare(bytes.len() as u64, Sha256::of(b"something else"), None);
        assert_eq!(other, Likeness::Other, "{key}: {seen:?}");
    }

    async fn assert_absent(&self, key: &str) {
        let error = self.read(key, 0, 1).await.expect_err("nothing was created");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{key}: {}", crate::chain(&error));
    }

    async fn creates_once(&self) {
        let key = self.key("once.mp4");
        assert_eq!(self.put(&object(&key, "first")).await.expect("put"), Put::Created);
        self.assert_holds(&key, b"first").await;
        assert_eq!(self.put(&object(&key, "first")).await.expect("put"), Put::AlreadyExists, "the same again");
        let other = NewObject { content_type: "text/plain".to_owned(), metadata: vec![], ..object(&key, "another") };
        assert_eq!(self.put(&other).await.expect("put"), Put::AlreadyExists, "other bytes");
        self.assert_holds(&key, b"first").await;
        let head = self.read(&key, 0, 1).await.expect("get").head;
        assert_eq!(head.content_type, "video/mp4");
        assert_eq!(normal(&head.metadata), [("version".to_owned(), "1.0".to_owned())]);
        assert!(head.modified.is_some());
    }

    async fn one_of_many_creates(&self) {
        let key = self.key("race.mp4");
        let bodies: Vec<String> = (0..8).map(|n| format!("writer {n}").repeat(1000)).collect();
        let objects: Vec<NewObject> = bodies
            .iter()
            .map(|body| NewObject {
                metadata: vec![("Source".to_owned(), body[..8].to_owned())],
                ..object(&key, body.clone())
            })
            .collect();
        let mut created = vec![];
        for (n, put) in futures::future::join_all(objects.iter().map(|object| self.put_until_told(object)))
            .await
            .into_iter()
            .enumerate()
        {
            if put == Put::Created {
                created.push(n);
            }
        }
        let [winner] = created[..] else { panic!("created by {created:?}") };
        self.assert_holds(&key, bodies[winner].as_bytes()).await;
        let head = self.read(&key, 0, 1).await.expect("get").head;
        assert_eq!(normal(&head.metadata), [("source".to_owned(), bodies[winner][..8].to_owned())]);
    }

    /// Puts an object, again where the bucket asks for it: S3 answers concurrent puts of one key with 409.
    async fn put_until_told(&self, object: &NewObject) -> Put {
        loop {
            match self.put(object).await {
                Ok(put) => return put,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{}", crate::chain(&error)),
            }
        }
    }

    async fn refuses_other_bytes(&self) {
        let key = self.key("corrupt.mp4");
        let wrong = NewObject { sha256: Sha256::of(b"something else"), ..object(&key, "something") };
        let error = self.put(&wrong).await.expect_err("the digest is another");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", crate::chain(&error));
        self.assert_absent(&key).await;
        assert_eq!(self.put(&object(&key, "something")).await.expect("put"), Put::Created, "the key is still free");
    }

    async fn refuses_unfaithful_content(&self) {
        let cases: [(&str, u64, Vec<Piece>); 4] = [
            ("short", 10, vec![Ok("12345".into())]),
            ("long", 5, vec![Ok("12345".into()), Ok("6".into())]),
            ("not-empty", 0, vec![Ok("1".into())]),
            ("failing", 10, vec![Ok("12345".into()), Err("the disk is gone")]),
        ];
        for (name, claims, pieces) in cases {
            let key = self.key(name);
            let content = Arc::new(MadeUp { claims, pieces });
            let bad = NewObject { content, sha256: Sha256::of(b"12345"), ..object(&key, "") };
            let error = self.put(&bad).await.expect_err(name);
            assert_eq!(error.kind(), ErrorKind::Io, "{name}: {}", crate::chain(&error));
            self.assert_absent(&key).await;
        }
    }

    async fn cuts_ranges(&self) {
        let key = self.key("ranges.mp4");
        let bytes: Vec<u8> = (0..=255).collect();
        self.put(&object(&key, bytes.clone())).await.expect("put");
        for (start, len, expected) in [
            (0, 16, 0..16),
            (0, 256, 0..256),
            (0, 1000, 0..256),
            (0, u64::MAX, 0..256),
            (100, 1, 100..101),
            (200, 100, 200..256),
            (255, 1, 255..256),
            (256, 10, 0..0),
            (1000, 10, 0..0),
            (10, 0, 0..0),
        ] {
            let read = self.read(&key, start, len).await.expect("get");
            assert_eq!(read.bytes, bytes[expected], "{start} {len}");
            assert_eq!(read.head.size, 256, "{start} {len}");
            assert_eq!(normal(&read.head.metadata), [("version".to_owned(), "1.0".to_owned())], "{start} {len}");
        }
        let key = self.key("empty.mp4_end");
        assert_eq!(self.put(&object(&key, "")).await.expect("put"), Put::Created);
        self.assert_holds(&key, b"").await;
        let read = self.read(&key, 0, 16 * 1024).await.expect("an empty object answers");
        assert_eq!((read.bytes.len(), read.head.size), (0, 0));
        assert_eq!(normal(&read.head.metadata), [("version".to_owned(), "1.0".to_owned())]);
    }

    async fn keeps_metadata(&self) {
        let key = self.key("metadata.mp4");
        let mut metadata: Metadata = vec![
            ("FullContentType".to_owned(), "video/mp4; codecs=\"avc1.64001f,mp4a.40.2\"".to_owned()),
            ("Source".to_owned(), "rtsp://10.0.0.7:554/a b?c=d&e=%41+~".to_owned()),
        ];
        let name = "SeekTable".to_owned();
        let left = METADATA_LIMIT_BYTES - metadata_bytes(&metadata) - name.len();
        metadata.push((name, "x".repeat(left)));
        let content_type = "video/mp4; codecs=\"avc1.64001f\"".to_owned();
        let full =
            NewObject { metadata: metadata.clone(), content_type: content_type.clone(), ..object(&key, "metadata") };
        assert_eq!(self.put(&full).await.expect("put"), Put::Created);
        let head = self.read(&key, 0, 1).await.expect("get").head;
        assert_eq!(normal(&head.metadata), normal(&metadata));
        assert_eq!(head.content_type, content_type);
    }

    async fn takes_any_key(&self) {
        let long = vec!["x".repeat(150); 6].join("/");
        for rest in [
            "2026-11-20/gate/15/08-23.547000Z.0.mp4",
            "with space and+plus",
            "percent%41/%2F%25",
            "umlaut-äöü/漢字/🎥.mp4",
            "punctuation !\"#$&'()*,:;<=>?@[]^_`{|}~",
            "dots/.hidden/a..b/...",
            "Case",
            "case",
            &long,
        ] {
            let key = self.key(rest);
            assert_eq!(self.put(&object(&key, rest.to_owned())).await.expect(rest), Put::Created, "{rest}");
            self.assert_holds(&key, rest.as_bytes()).await;
        }
        // No two of these keys may refer to the same object.
        self.assert_absent(&self.key("with space and plus")).await;
        self.assert_absent(&self.key("percentA/%2F%25")).await;
    }

    async fn says_not_found(&self) {
        let key = self.key("nothing-here");
        self.assert_absent(&key).await;
        let error = self.subject.sink.look(&key).await.expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{}", crate::chain(&error));
        let range = ByteRange { start: 0, len: 1 };
        let read = self.subject.source.read("framepost-contract-no-such-bucket", &key, None, range).await;
        let kind = read.expect_err("there is no such bucket").kind();
        // A bucket of this name may exist and belong to somebody else; reading it is denied.
        assert!(matches!(kind, ErrorKind::NotFound | ErrorKind::Denied), "{kind}");
    }

    async fn streams_large_content(&self) {
        let key = self.key("large.mp4");
        let piece = Bytes::from((0..65_536u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>());
        let pieces = vec![piece.clone(); 20];
        let whole = pieces.concat();
        let content = Arc::new(MadeUp { claims: whole.len() as u64, pieces: pieces.into_iter().map(Ok).collect() });
        assert_eq!(content.open().count().await, 20);
        let large = NewObject { content, sha256: Sha256::of(&whole), ..object(&key, "") };
        assert_eq!(self.put(&large).await.expect("put"), Put::Created);
        self.assert_holds(&key, &whole).await;
    }
}
