//! Inspects an object and its event and returns the data of a record. Writes nothing.

use crate::headers::{DurationSearch, Layout, Media};
use crate::integrity::Claims;
use crate::scan::{Next, Scanner};
use crate::window::Rejection;
use crate::{ContentCheck, ProbeSettings};
use bytes::Bytes;
use framepost_events::attributes::ChunkStart;
use framepost_events::gap::Gap;
use framepost_events::key::whole_micros;
use framepost_events::record::{
    ChainState, ChunkProbed, Data, Duration, GapRecorded, GatewayReported, Integrity, ObjectRejected, RejectReason,
    Resolution, SpanEnded,
};
use framepost_events::report::{GatewayReport, REPORT_BYTES_MAX, ReportKey};
use framepost_events::{KeyKind, ObjectFinalized, ObjectKey, Sha256, Sha256Hasher};
use framepost_ports::{ByteRange, Error, ErrorKind, ObjectRead, ObjectSource};
use jiff::{SignedDuration, Timestamp};

/// The size of ranges for reading a whole object, which limits memory use.
const CONTENT_RANGE_BYTES: u64 = 4 * 1024 * 1024;

/// Inspects the object of `event`. The result depends only on the object and the event.
///
/// Costs one request of at most 16 KiB for our own objects (two of 96 KiB together for the report of a gateway
/// with many cameras), and three requests of 128 KiB together for any other. With [`ContentCheck::Full`],
/// reads the rest of the object as well. An error says nothing about the object.
pub async fn inspect(
    source: &dyn ObjectSource,
    event: &ObjectFinalized,
    settings: &ProbeSettings,
) -> Result<Data, Error> {
    let head = read(source, event, None, Scanner::HEAD).await?;
    let size = head.head.size;
    let claims = Claims::read(&event.key, &head.head.metadata);
    let key = event.key.parse().ok();
    let object = Object { source, event, settings, key, size, head: head.bytes, claims };
    let data = match &object.key {
        Some(key) if key.kind == KeyKind::SpanEnd => object.span_end(key).await?,
        Some(key) if key.kind == KeyKind::Gap => object.gap(key),
        _ => match event.key.parse() {
            Ok(key) => object.report(&key).await?,
            Err(_) => object.chunk().await?,
        },
    };
    Ok(data.unwrap_or_else(|Rejection { reason, detail }| {
        let rejected = ObjectRejected { size_bytes: Some(size), ..ObjectRejected::new(reason, detail, event) };
        Data::ObjectRejected(Box::new(rejected))
    }))
}

/// Inspects bytes in memory without metadata, for tests and fuzz targets.
pub fn inspect_bytes(bytes: &[u8]) -> Result<(), RejectReason> {
    let cut = |range: ByteRange| {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Bytes::copy_from_slice(&bytes[at(range.start)..at(range.start.saturating_add(range.len))])
    };
    if bytes.is_empty() {
        return Err(RejectReason::Empty);
    }
    let mut scanner = Scanner::new(bytes.len() as u64, cut(Scanner::HEAD), DurationSearch::Wanted);
    loop {
        match scanner.next() {
            Next::Fetch(range) => scanner.feed(range, cut(range)),
            Next::Done(result) => return result.map(drop).map_err(|rejection| rejection.reason),
        }
    }
}

/// An object whose head was read.
struct Object<'a> {
    source: &'a dyn ObjectSource,
    event: &'a ObjectFinalized,
    settings: &'a ProbeSettings,
    key: Option<ObjectKey>,
    size: u64,
    head: Bytes,
    claims: Claims,
}

type Judged = Result<Data, Rejection>;

impl Object<'_> {
    async fn chunk(&self) -> Result<Judged, Error> {
        if self.size == 0 {
            return Ok(Err(Rejection::new(RejectReason::Empty, "no bytes")));
        }
        let media = match self.scan().await? {
            Ok(media) => media,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let event = self.event;
        let (site, camera) = self.key.as_ref().map(|key| (key.site.clone(), key.camera.clone())).unwrap_or_default();
        let media_link = event.media_link.clone();
        let link = || self.source.media_link(&event.bucket, &event.key, event.read_version.as_deref());
        let duration = self.duration(&media);
        let Media { container, picture, frame_rate, audio, layout, .. } = media;
        let claimed_rate = self.claims.attributes.video.as_ref().map(|video| video.framerate);
        Ok(Ok(Data::ChunkProbed(Box::new(ChunkProbed {
            site,
            camera,
            duration,
            resolution: Resolution {
                width: picture.width,
                height: picture.height,
                channels: picture.channels,
                rotation: picture.shown.rotation,
                mirrored: picture.shown.mirrored,
                pixel_aspect: picture.shown.pixel_aspect,
            },
            media_link: media_link.unwrap_or_else(link),
            codec: picture.codec,
            frame_rate: claimed_rate.filter(|rate| rate.is_finite() && *rate > 0.0).or(frame_rate),
            audio,
            container,
            size_bytes: self.size,
            init_bytes: layout.init_bytes,
            media_end: self.media_end(&layout),
            timescale: layout.timescale,
            sample_entry_digest: layout.sample_entry_digest,
            activity: self.claims.attributes.activity,
            object: event.into(),
            starts_with_random_access: self.starts_with_random_access(&layout),
            clock: self.claims.attributes.clock,
            integrity: self.integrity().await?,
        }))))
    }

    /// Only a gateway writes `From`. Without `StartsWithRandomAccess`, its chunk begins
    /// with a random access frame. For other files, the container says what the first frame is.
    fn starts_with_random_access(&self, layout: &Layout) -> Option<bool> {
        let attributes = &self.claims.attributes;
        let said = attributes.from.map(|_| attributes.start == ChunkStart::RandomAccess);
        said.or(layout.starts_with_random_access)
    }

    /// The container's word where its end was read, or else the gateway's, if it can be true.
    fn media_end(&self, layout: &Layout) -> Option<u64> {
        let init_bytes = layout.init_bytes?;
        let claimed = self.claims.attributes.media_end.filter(|end| (init_bytes..=self.size).contains(end));
        layout.media_end.or(claimed)
    }

    async fn span_end(&self, key: &ObjectKey) -> Result<Judged, Error> {
        if self.size > 0 {
            let detail = format!("the end of a span must be empty, this one has {} bytes", self.size);
            return Ok(Err(Rejection::malformed(detail)));
        }
        Ok(Ok(Data::SpanEnded(Box::new(SpanEnded {
            site: key.site.clone(),
            camera: key.camera.clone(),
            end: key.start,
            chunks: key.counter,
            object: self.event.into(),
            integrity: self.integrity().await?,
        }))))
    }

    fn gap(&self, key: &ObjectKey) -> Judged {
        let bad = |detail: String| Rejection::new(RejectReason::BadGap, detail);
        if self.size > self.head.len() as u64 {
            return Err(bad(format!("{} bytes are not a gap", self.size)));
        }
        let gap = Gap::from_json(&self.head).map_err(|error| bad(error.to_string()))?;
        if key.site.as_ref() != Some(&gap.site) || key.camera.as_ref() != Some(&gap.camera) {
            return Err(bad(format!("the gap is of {}/{}, its key is not", gap.site, gap.camera)));
        }
        if whole_micros(gap.from) != key.start {
            return Err(bad(format!("the gap starts at {}, its key at {}", gap.from, key.start)));
        }
        if gap.to < gap.from {
            return Err(bad("it ends before it starts".to_owned()));
        }
        Ok(Data::GapRecorded(Box::new(GapRecorded { gap, object: self.event.into() })))
    }

    async fn report(&self, key: &ReportKey) -> Result<Judged, Error> {
        let bad = |detail: String| Ok(Err(Rejection::new(RejectReason::BadReport, detail)));
        let head_bytes = self.head.len() as u64;
        if self.size > REPORT_BYTES_MAX as u64 {
            return bad(format!("{} bytes are not a report", self.size));
        }
        let mut bytes = self.head.to_vec();
        if self.size > head_bytes {
            let rest = ByteRange { start: head_bytes, len: self.size - head_bytes };
            bytes.extend_from_slice(&read(self.source, self.event, Some(self.size), rest).await?.bytes);
        }
        let report = match GatewayReport::from_json(&bytes) {
            Ok(report) => report,
            Err(error) => return bad(error.to_string()),
        };
        if report.key() != *key {
            return bad(format!("the report is of {} at {}, its key is not", report.site, report.at));
        }
        let mut integrity = self.integrity().await?;
        integrity.chain.state = ChainState::Absent;
        let object = self.event.into();
        Ok(Ok(GatewayReported { report, integrity, object }.into()))
    }

    /// Reads the container's headers within the budget.
    async fn scan(&self) -> Result<Result<Media, Rejection>, Error> {
        let duration = match self.claims.attributes.duration {
            Some(_) => DurationSearch::Known,
            None => DurationSearch::Wanted,
        };
        let mut scanner = Scanner::new(self.size, self.head.clone(), duration);
        loop {
            match scanner.next() {
                Next::Done(result) => return Ok(result),
                Next::Fetch(range) => {
                    let part = read(self.source, self.event, Some(self.size), range).await?;
                    scanner.feed(range, part.bytes);
                }
            }
        }
    }

    /// Determines the times: from the writer's metadata first, because the writer knows the wall clock, then
    /// from the key, then from the container's creation time.
    ///
    /// A container's creation time is when its writer began, by the writer's clock. It is used for the first
    /// sample if nothing better is known, unless it is implausible: before 2001, where a clock that was never
    /// set starts, or after the object was complete.
    fn duration(&self, media: &Media) -> Duration {
        const UNSET_CLOCKS_END_S: i64 = 978_307_200;
        let attributes = &self.claims.attributes;
        let claimed = attributes.duration.map(|duration| duration.as_secs_f64());
        // The duration in our metadata is that of the video, as ONVIF defines it. A container's duration may
        // include audio that ends later.
        let seconds = claimed.or(media.seconds).filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
        let plausible = |created: &Timestamp| {
            created.as_second() >= UNSET_CLOCKS_END_S
                && created.duration_since(self.event.time) <= SignedDuration::from_hours(24)
        };
        let from = attributes.from.or(self.key.as_ref().map(|key| key.start)).or(media.created.filter(plausible));
        let length = seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
        let to = attributes.to.or_else(|| from?.checked_add(length?).ok());
        Duration { from, to, seconds }
    }

    async fn integrity(&self) -> Result<Integrity, Error> {
        let content = match self.settings.content {
            ContentCheck::Head => None,
            ContentCheck::Full => Some(self.digest().await?),
        };
        let keys = &self.settings.public_keys;
        Ok(self.claims.integrity(&self.event.key, self.key.as_ref(), self.size, content, keys))
    }

    /// Computes the digest of the whole object: the head that was read already, then the rest range by range.
    async fn digest(&self) -> Result<Sha256, Error> {
        let mut digest = Sha256Hasher::new();
        digest.update(&self.head);
        let mut at = self.head.len() as u64;
        while at < self.size {
            let range = ByteRange { start: at, len: CONTENT_RANGE_BYTES.min(self.size - at) };
            digest.update(&read(self.source, self.event, Some(self.size), range).await?.bytes);
            at += range.len;
        }
        Ok(digest.finish())
    }
}

/// Sends one request. The object must be the same as before and the range complete, because the parsers rely
/// on exactly the requested bytes.
async fn read(
    source: &dyn ObjectSource,
    event: &ObjectFinalized,
    size_before: Option<u64>,
    range: ByteRange,
) -> Result<ObjectRead, Error> {
    let read = source.read(&event.bucket, &event.key, event.read_version.as_deref(), range).await?;
    let size = read.head.size;
    if size_before.is_some_and(|before| before != size) {
        return Err(
            Error::new(ErrorKind::Corrupt, "get", &event.key).because("the object changed between two requests")
        );
    }
    let expected = range.len.min(size.saturating_sub(range.start));
    if read.bytes.len() as u64 != expected {
        let words = format!("{} bytes came where {expected} were expected", read.bytes.len());
        return Err(Error::new(ErrorKind::Corrupt, "get", &event.key).because(words));
    }
    Ok(read)
}
