//! What is played.

use crate::support::{ALL, Service, bytes};
use axum::http::Method;

#[tokio::test]
async fn a_playlist_of_a_stretch_and_a_live_one() {
    let service = Service::start().await;
    let range = ALL.split_once("&from").unwrap().1;
    let text = service.get(&format!("/v1/playlists/site-0/cam-0.m3u8?from{range}")).await.text();
    assert_eq!(text.matches("#EXTINF").count(), 40, "{text}");
    let live = service.get("/v1/playlists/site-0/cam-0.m3u8").await;
    assert_eq!(
        (live.status.as_u16(), live.header("location")),
        (303, "cam-0.m3u8?since=2026-11-21T00:00:30Z"),
        "{}",
        live.text()
    );
    let since = "/v1/playlists/site-0/cam-0.m3u8?since=2026-11-20T23:58:00Z";
    let text = service.get(since).await.text();
    assert_eq!(text.matches("#EXTINF").count(), 10, "{text}");
    assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:30\n") && !text.contains("ENDLIST"), "{text}");
}

#[tokio::test]
async fn media_whole_and_in_ranges() {
    let service = Service::start().await;
    let key = &service.keys[3];
    let path = format!("/v1/media/{key}");
    let whole = service.get(&path).await;
    let expected = bytes(key, whole.body.len() as u64);
    assert_eq!(whole.header("content-length"), expected.len().to_string());
    assert!(whole.body == expected && whole.header("content-type") == "video/mp4");
    let size = expected.len();
    for (range, status, part) in [
        ("bytes=0-9", 206, 0..10),
        ("bytes=1000-", 206, 1000..size),
        ("bytes=-77", 206, size - 77..size),
        ("bytes=300000-600000", 206, 300_000.min(size)..600_001.min(size)),
        ("bytes=0-18446744073709551615", 206, 0..size),
        ("bytes=5-1", 200, 0..size),
    ] {
        let answer = service.ask(Method::GET, &path, &[("range", range)]).await;
        if part.is_empty() {
            continue;
        }
        assert_eq!(answer.status.as_u16(), status, "{range}");
        assert!(answer.body == expected[part.clone()], "{range}");
        if status == 206 {
            assert_eq!(answer.header("content-range"), format!("bytes {}-{}/{size}", part.start, part.end - 1));
        }
        let head = service.ask(Method::HEAD, &path, &[("range", range)]).await;
        assert_eq!((head.body.len(), head.header("content-length")), (0, answer.header("content-length")), "{range}");
    }
    let beyond = service.ask(Method::GET, &path, &[("range", "bytes=9223372036854775808-")]).await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, format!("bytes */{size}").as_str()));
    let tag = whole.header("etag").to_owned();
    let again = service.ask(Method::GET, &path, &[("if-none-match", &tag)]).await;
    assert_eq!(again.status.as_u16(), 304);
    let of_other = service.ask(Method::GET, &path, &[("range", "bytes=0-9"), ("if-range", "\"other\"")]).await;
    assert_eq!(of_other.status.as_u16(), 200);
}

#[tokio::test]
async fn a_continuous_live_playlist_stays_one_when_it_begins() {
    let service = Service::start().await;
    let live = service.get("/v1/playlists/site-0/cam-0.m3u8?timeline=continuous").await;
    let place = "cam-0.m3u8?since=2026-11-21T00:00:30Z&timeline=continuous";
    assert_eq!((live.status.as_u16(), live.header("location")), (303, place));
    let text = service.get(&format!("/v1/playlists/site-0/{place}")).await.text();
    assert!(text.contains("?start=0\n") && !text.contains("#EXT-X-DISCONTINUITY\n"), "{text}");
    for more in ["timeline=other", "timeline=continuous&frames=keyframes"] {
        let range = ALL.split_once("&from").unwrap().1;
        let answer = service.get(&format!("/v1/playlists/site-0/cam-0.m3u8?from{range}&{more}")).await;
        assert_eq!(answer.status.as_u16(), 400, "{more}");
    }
}
