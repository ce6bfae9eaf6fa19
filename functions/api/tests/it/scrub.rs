//! Playlists of key frames.

use crate::made::{Gateway, MOOF_BYTES, SECOND_BYTES, SECONDS};
use crate::support::Answer;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use framepost_api::{Access, Api, router};
use framepost_events::record::{Data, Record};
use framepost_ports::catalog::{Catalog as _, Change};
use framepost_ports::contract::Footage;
use framepost_ports::memory::{Fault, MemoryBucket, MemoryCatalog, Operation, SimulatedClock};
use framepost_ports::{ErrorKind, ObjectRemoval as _};
use std::sync::Arc;
use tower::ServiceExt as _;

/// Two minutes in 40 chunks, a gap of a minute, and 20 more chunks with another picture. A chunk has a key frame every second.
pub(crate) struct Place {
    pub(crate) bucket: Arc<MemoryBucket>,
    router: Router,
    pub(crate) keys: Vec<String>,
}

/// One entry of a playlist of key frames.
#[derive(Debug, PartialEq)]
struct Entry {
    date: String,
    seconds: f64,
    key: String,
    start: usize,
    len: usize,
}

impl Place {
    pub(crate) async fn new(change: impl Fn(&mut Record)) -> Self {
        let bucket = Arc::new(MemoryBucket::new("footage"));
        let catalog = MemoryCatalog::default();
        let mut gateway = Gateway::new();
        let camera = Footage::camera(0);
        let mut records = gateway.span(&bucket, &camera, 0, 40, 1);
        records.extend(gateway.span(&bucket, &camera, 40 * SECONDS + 60, 20, 2));
        records.iter_mut().for_each(change);
        let key = |record: &Record| match &record.data {
            Data::ChunkProbed(chunk) => Some(chunk.object.key.clone()),
            _ => None,
        };
        let keys = records.iter().filter_map(key).collect();
        let changes: Vec<Change> = records.into_iter().map(|record| Change::Record(Box::new(record))).collect();
        catalog.apply(&changes).await.unwrap();
        let router = router(Api {
            catalog: Arc::new(catalog),
            source: bucket.clone(),
            clock: Arc::new(SimulatedClock::new("2026-11-27T01:00:00Z".parse().unwrap())),
            exports: None,
            access: Access::on_loopback(([127, 0, 0, 1], 8642).into()),
            media_origins: framepost_api::MediaOrigins::default(),
            workings: None,
            telling: framepost_api::Telling::AsItHappens,
        });
        Self { bucket, router, keys }
    }

    /// Asks for key frames from the start of the footage until so many seconds after it.
    pub(crate) async fn asked(&self, until_s: i64, more: &str) -> Answer {
        let from = Gateway::start();
        let to = from + jiff::SignedDuration::from_secs(until_s);
        self.get(&format!("/v1/playlists/site-0/cam-0.m3u8?from={from}&to={to}{more}"), &[]).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().uri(path).header("host", "127.0.0.1:8642");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn entries(&self, until_s: i64, more: &str) -> Vec<Entry> {
        let answer = self.asked(until_s, &format!("&frames=keyframes{more}")).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        entries(&answer.text())
    }
}

fn entries(text: &str) -> Vec<Entry> {
    assert!(text.contains("#EXT-X-I-FRAMES-ONLY\n") && text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
    let mut found = Vec::new();
    let mut date = "";
    let mut seconds = 0.0;
    let mut range = (0, 0);
    for line in text.lines() {
        if let Some(time) = line.strip_prefix("#EXT-X-PROGRAM-DATE-TIME:") {
            date = time;
        } else if let Some(lasts) = line.strip_prefix("#EXTINF:") {
            seconds = lasts.trim_end_matches(',').parse().unwrap();
        } else if let Some(bytes) = line.strip_prefix("#EXT-X-BYTERANGE:") {
            let (len, start) = bytes.split_once('@').unwrap();
            range = (start.parse().unwrap(), len.parse().unwrap());
        } else if let Some(key) = line.strip_prefix("../../media/") {
            let (start, len) = range;
            found.push(Entry { date: date.to_owned(), seconds, key: key.to_owned(), start, len });
        }
    }
    found
}

#[tokio::test]
async fn each_picture_is_the_beginning_of_a_fragment_up_to_its_first_frame() {
    let place = Place::new(|_| {}).await;
    let found = place.entries(300, "&every=1").await;
    assert_eq!(found.len(), 60 * 3);
    for (n, entry) in found.iter().enumerate() {
        assert_eq!(entry.key, place.keys[n / 3]);
        let object = place.bucket.bytes(&entry.key).unwrap();
        let picture = &object[entry.start..entry.start + entry.len];
        let rest = &object[entry.start + entry.len..][..SECOND_BYTES + 8];
        assert_eq!(&picture[4..8], b"moof");
        let data = &picture[MOOF_BYTES..];
        assert!(data.len() >= 4_000 && data.iter().all(|byte| *byte == data[0]), "{entry:?}");
        assert!(rest[..SECOND_BYTES].iter().all(|byte| *byte == data[0]), "the other picture is left out");
        assert_eq!(&rest[SECOND_BYTES + 4..], if n % 3 == 2 { b"mfra" } else { b"moof" });
        assert!((entry.seconds - 1.0).abs() < 1e-9, "{entry:?}");
    }
    assert_eq!(found[1].date, "2026-11-20T23:58:01.000Z");
    // Behind the gap.
    assert_eq!(found[120].date, "2026-11-21T00:01:00.000Z");
}

#[tokio::test]
async fn a_stretch_has_as_many_pictures_as_were_asked_for_and_costs_two_reads_for_each_once() {
    let place = Place::new(|_| {}).await;
    let found = place.entries(300, "&every=30").await;
    // A picture is shown until the next one, and not beyond the recording.
    let shown: Vec<(&str, f64)> = found.iter().map(|entry| (&entry.date[11..19], entry.seconds)).collect();
    let all = [("23:58:00", 30.0), ("23:58:30", 30.0), ("23:59:00", 30.0), ("23:59:30", 30.0), ("00:01:00", 30.0)];
    assert_eq!(shown, [&all[..], &[("00:01:30", 30.0)]].concat());
    let reads = place.bucket.reads();
    assert_eq!(reads.len(), 2 * found.len(), "{reads:?}");
    assert!(reads.iter().all(|(_, range)| range.len <= 512), "{reads:?}");
    assert_eq!(place.entries(300, "&every=30").await, found);
    assert_eq!(place.bucket.reads().len(), reads.len(), "what was found is kept");
    // A picture a minute is enough for a day.
    assert_eq!(place.entries(86_400, "").await.len(), 3);
    let text = place.asked(300, "&frames=keyframes&every=60").await.text();
    assert_eq!(text.matches("#EXT-X-MAP").count(), 2, "{text}");
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY").count(), found.len() / 2 - 1, "{text}");
    assert!(text.contains("#EXT-X-TARGETDURATION:60\n"), "{text}");
}

#[tokio::test]
async fn what_is_gone_damaged_or_without_an_index_does_not_spoil_the_rest() {
    let place = Place::new(|record| {
        if let Data::ChunkProbed(chunk) = &mut record.data
            && chunk.object.key.contains("58-30Z")
        {
            // As of a writer that writes no index.
            chunk.media_end = Some(chunk.size_bytes);
        }
    })
    .await;
    place.bucket.remove(&place.keys[0]).await.unwrap();
    let damaged = place.bucket.bytes(&place.keys[20]).unwrap();
    place.bucket.insert(&place.keys[20], "video/mp4", vec![], vec![0xff; damaged.len()]);
    let dates: Vec<String> =
        place.entries(120, "&every=30").await.into_iter().map(|entry| entry.date[11..19].to_owned()).collect();
    assert_eq!(dates, ["23:58:30", "23:59:30"]);
    // What may be better later is not taken for an empty stretch.
    place.bucket.inject(Operation::Read, Fault::Fail(ErrorKind::Transport));
    assert_eq!(place.asked(300, "&frames=keyframes&every=20").await.status.as_u16(), 503);
    assert_eq!(place.asked(300, "&frames=keyframes&every=20").await.status.as_u16(), 200);
}

#[tokio::test]
async fn one_playlist_names_all_frames_and_key_frames() {
    let place = Place::new(|_| {}).await;
    for (more, named) in [("", ""), ("&timeline=continuous", "&timeline=continuous")] {
        let text = place.asked(300, &format!("&frames=both&every=30{more}")).await.text();
        let lines: Vec<&str> = text.lines().collect();
        let [head, version, all, path, pictures] = lines[..] else { panic!("{text}") };
        assert_eq!((head, version), ("#EXTM3U", "#EXT-X-VERSION:7"));
        assert!(all.starts_with("#EXT-X-STREAM-INF:BANDWIDTH=") && all.contains(",CODECS=\"avc1."), "{text}");
        assert!(pictures.starts_with("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH="), "{text}");
        let scrub = pictures.split_once("URI=\"").unwrap().1.trim_end_matches('"');
        let get = async |path: &str| place.get(&format!("/v1/playlists/site-0/{path}"), &[]).await.text();
        assert_eq!(get(path).await, place.asked(300, named).await.text());
        assert_eq!(get(scrub).await, place.asked(300, "&frames=keyframes&every=30").await.text());
        // No segment has a higher rate than its playlist has.
        let rate = |line: &str| -> u64 { line.split(['=', ',']).nth(1).unwrap().parse().unwrap() };
        let largest = place.keys.iter().map(|key| place.bucket.bytes(key).unwrap().len() as u64).max().unwrap();
        assert!((largest * 8 / 3..=largest * 8 / 3 + 1).contains(&rate(all)), "{text}");
        for entry in place.entries(300, "&every=30").await {
            assert!(entry.len as f64 * 8.0 / entry.seconds <= rate(pictures) as f64, "{entry:?} {text}");
        }
    }
    for more in ["&frames=both&since=2026-11-20T23:58:00Z", "&frames=both&every=0", "&every=30"] {
        assert_eq!(place.asked(300, more).await.status.as_u16(), 400, "{more}");
    }
    let live = place.get("/v1/playlists/site-0/cam-0.m3u8?frames=both", &[]).await;
    assert_eq!(live.status.as_u16(), 400);
    let nothing = "/v1/playlists/site-0/cam-0.m3u8?frames=both&from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z";
    assert_eq!(place.get(nothing, &[]).await.status.as_u16(), 404);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let place = Place::new(|_| {}).await;
    for more in [
        "&frames=some",
        "&every=2",
        "&frames=all&every=2",
        "&frames=keyframes&every=0",
        "&frames=keyframes&every=3601",
        "&frames=keyframes&every=-1",
    ] {
        assert_eq!(place.asked(300, more).await.status.as_u16(), 400, "{more}");
    }
    let day = place.asked(86_400, "&frames=keyframes&every=5").await;
    assert_eq!(day.json()["detail"], "every: 25 to 3600 for this interval");
}
