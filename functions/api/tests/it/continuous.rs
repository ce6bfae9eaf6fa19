//! Chunks whose times are moved, for playlists with one timeline.

use crate::scrub::Place;
use crate::support::Answer;
use framepost_ports::ErrorKind;
use framepost_ports::memory::{Fault, Operation};

/// The decode times of the fragments of a file, as the boxes have them.
fn times(bytes: &[u8]) -> Vec<u64> {
    let kinds = bytes.windows(4).enumerate().filter(|(_, kind)| kind == b"tfdt");
    kinds.map(|(at, _)| u64::from_be_bytes(bytes[at + 8..at + 16].try_into().unwrap())).collect()
}

#[tokio::test]
async fn segments_begin_where_the_one_before_ends_and_nothing_else_of_them_changes() {
    let place = Place::new(|_| {}).await;
    let text = place.asked(300, "&timeline=continuous").await.text();
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{text}");
    let mut next = 0;
    for (key, line) in place.keys.iter().zip(text.lines().filter(|line| line.contains("?start="))) {
        let path = line.strip_prefix("../..").unwrap();
        let own = place.bucket.bytes(key).unwrap();
        let moved = place.get(&format!("/v1{path}"), &[]).await;
        assert_eq!((moved.status.as_u16(), moved.header("content-type")), (200, "video/mp4"));
        assert_eq!(times(&moved.body), [next, next + 90_000, next + 180_000], "{path}");
        next += 270_000;
        let media_end = moved.body.len();
        let differ = moved.body.iter().zip(own.iter()).filter(|(here, there)| here != there).count();
        assert!(differ <= 3 * 8, "{differ} bytes differ");
        assert_eq!(&own[media_end + 4..media_end + 8], b"mfra");
    }
    assert_eq!(next, 60 * 270_000);
    let path = format!("/v1/media/{}?start=4000000", place.keys[1]);
    let whole = place.get(&path, &[]).await;
    let part = place.get(&path, &[("range", "bytes=500-5999")]).await;
    assert_eq!(part.status.as_u16(), 206);
    assert!(part.body == whole.body[500..6000]);
    assert_ne!(place.get(&format!("/v1/media/{}", place.keys[1]), &[]).await.header("etag"), whole.header("etag"));
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused() {
    let place = Place::new(|_| {}).await;
    let key = &place.keys[0];
    for query in ["start=-1", "start=x", "start=1.5", "start=172800000001", "start=18446744073709551615", "begin=1"] {
        assert_eq!(place.get(&format!("/v1/media/{key}?{query}"), &[]).await.status.as_u16(), 400, "{query}");
    }
}

/// Nothing says that another try would help.
fn is_damaged(answer: &Answer) -> bool {
    let is_final = answer.status.as_u16() == 500 && answer.header("retry-after").is_empty();
    is_final && answer.json()["type"] == "/problems/damaged"
}

#[tokio::test]
async fn what_is_damaged_in_the_bucket_is_said_to_be() {
    let place = Place::new(|_| {}).await;
    let key = &place.keys[0];
    let size = place.bucket.bytes(key).unwrap().len();
    let media = format!("/v1/media/{key}");
    let moved = format!("{media}?start=1");
    let clip = "/v1/clips/site-0/cam-0.mp4?from=2026-11-20T23:58:00Z&to=2026-11-20T23:58:02Z";
    assert_eq!(place.get(clip, &[]).await.status.as_u16(), 200, "as it was recorded");
    place.bucket.insert(key, "video/mp4", vec![], vec![0xff; size]);
    for path in [moved.as_str(), clip] {
        let answer = place.get(path, &[]).await;
        assert!(is_damaged(&answer), "{path}: {} {}", answer.status, answer.text());
    }
    // Bytes that are there are sent as they are; only their reader can tell.
    assert_eq!(place.get(&media, &[]).await.status.as_u16(), 200);
    place.bucket.insert(key, "video/mp4", vec![], vec![0xff; 7]);
    for (path, range) in [(moved.as_str(), ""), (clip, ""), (&media, "bytes=7-"), (&media, "bytes=100-200")] {
        let headers = [("range", range)];
        let answer = place.get(path, &headers[..usize::from(!range.is_empty())]).await;
        assert!(is_damaged(&answer), "{path} {range}: {} {}", answer.status, answer.text());
    }
    place.bucket.inject(Operation::Read, Fault::Fail(ErrorKind::Busy));
    let busy = place.get(&media, &[]).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (503, "2"), "another try may help");
}
