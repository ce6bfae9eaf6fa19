//! The timed text of a clip, as ffmpeg reads it.

use crate::judged::{SPANS, Served, run};
use crate::support::send;
use axum::http::Method;

/// The subtitles that ffmpeg makes of a file: from when to when, and what.
fn subtitles(srt: &str) -> Vec<(String, String)> {
    let cues = srt.split("\n\n").filter_map(|cue| {
        let mut lines = cue.trim().lines().skip(1);
        Some((lines.next()?.to_owned(), lines.collect::<Vec<_>>().join("\n")))
    });
    cues.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wall_clock_is_a_track_of_text() {
    // Six seconds, and after a gap of 30 s six more. The clip begins and ends within a second.
    let Some(served) = Served::start(&SPANS[..4], "0").await else { return };
    let start = served.recording.start.strftime("%Y-%m-%d %H:%M").to_string();
    let url = served.url("mp4", 4_250, 38_750, "&gaps=skip&text=time");
    let file = served.recording.directory.path().join("clip.mp4");
    let path = url.split_once("/v1/").map(|(_, rest)| format!("/v1/{rest}")).unwrap();
    let whole = served.fetch(&path, "0-").await;
    std::fs::write(&file, &whole).unwrap();
    for place in [&url, file.to_str().unwrap()] {
        let arguments = ["-v", "error", "-show_entries", "stream=codec_type,codec_name", "-of", "csv=p=0", place];
        let streams = run("ffprobe", &arguments).await.unwrap();
        assert_eq!(streams.lines().collect::<Vec<_>>(), ["h264,video", "aac,audio", "mov_text,subtitle"]);
        let arguments = ["-nostdin", "-v", "error", "-copyts", "-i", place, "-map", "0:s", "-c:s", "text"];
        let found = subtitles(&run("ffmpeg", &[&arguments[..], &["-f", "srt", "-"]].concat()).await.unwrap());
        let expected = [
            ("00:00:00,000 --> 00:00:00,750", "04.250"),
            ("00:00:00,750 --> 00:00:01,750", "05"),
            ("00:00:01,750 --> 00:00:02,750", "36.000"),
            ("00:00:02,750 --> 00:00:03,750", "37"),
            ("00:00:03,750 --> 00:00:04,500", "38"),
        ];
        let expected = expected.map(|(when, second)| (when.to_owned(), format!("{start}:{second}Z")));
        assert_eq!(found, expected, "{place}");
    }
    // Picture and sound are those of the clip without text, at the same times.
    let without = served.url("mp4", 4_250, 38_750, "&gaps=skip");
    for stream in ["v:0", "a:0"] {
        assert_eq!(served.packets(&url, stream).await, served.packets(&without, stream).await, "{stream}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_a_clip_with_text_are_parts_of_it() {
    let Some(served) = Served::start(&SPANS[..4], "0").await else { return };
    let router = served.router.clone();
    let host = served.address.to_string();
    let ask = async |method, url: &str, range: &str| {
        let path = format!("/v1/{}", url.split_once("/v1/").unwrap().1);
        let headers = [("host", host.as_str()), ("range", range)];
        send(&router, method, &path, if range.is_empty() { &headers[..1] } else { &headers }, "").await
    };
    let url = served.url("mp4", 4_250, 38_750, "&gaps=skip&text=time");
    let whole = ask(Method::GET, &url, "").await;
    let size = whole.body.len();
    let head = ask(Method::HEAD, &url, "").await;
    for answer in [&whole, &head] {
        assert_eq!(answer.header("content-length"), size.to_string());
    }
    let said = ask(Method::GET, &url.replace(".mp4", ".json"), "").await.json();
    assert_eq!((said["sizeBytes"].as_u64(), said["seconds"].as_f64()), (Some(size as u64), Some(4.5)), "{said}");
    let of_said = ask(Method::GET, &format!("http://{host}{}", said["media"].as_str().unwrap()), "").await;
    assert!(of_said.body == whole.body && of_said.header("etag") == whole.header("etag"), "{said}");
    let without = ask(Method::GET, &served.url("mp4", 4_250, 38_750, "&gaps=skip"), "").await;
    assert!(without.header("etag") != whole.header("etag") && without.body.len() < size);

    let mut random = fastrand::Rng::with_seed(14);
    let mut checked = 0;
    let mut at = 0;
    while at < size {
        let end = (at + random.usize(1..3_000)).min(size);
        let part = ask(Method::GET, &url, &format!("bytes={at}-{}", end - 1)).await;
        assert_eq!(part.status.as_u16(), 206);
        assert!(part.body == whole.body[at..end], "{at} to {end}");
        checked += 1;
        at = end;
    }
    assert!(checked > 10, "{checked} parts of {size} bytes");

    // A download goes on where it was while the clip is the same, and begins again if it is not.
    let path = format!("/v1/{}", url.split_once("/v1/").unwrap().1);
    for (tag, status) in [(whole.header("etag"), 206), ("\"another\"", 200)] {
        let headers = [("host", host.as_str()), ("range", "bytes=1000-"), ("if-range", tag)];
        let rest = send(&router, Method::GET, &path, &headers, "").await;
        assert_eq!(rest.status.as_u16(), status, "{tag}");
        assert!(rest.body == whole.body[if status == 206 { 1000 } else { 0 }..], "{tag}");
    }
    // Unless it is asked for what is there, a gap is a problem, which says what is there.
    let refused = ask(Method::GET, &served.url("mp4", 4_250, 38_750, ""), "").await;
    let problem = refused.json();
    assert_eq!((refused.status.as_u16(), problem["type"].as_str()), (409, Some("/problems/gaps")), "{problem}");
    assert_eq!(problem["ranges"].as_array().map(Vec::len), Some(2), "{problem}");

    for text in ["", "none", "time,time", "time&text=time", "%00"] {
        let refused = ask(Method::GET, &served.url("mp4", 0, 6_000, &format!("&text={text}")), "").await;
        assert_eq!(refused.status.as_u16(), 400, "{text}: {}", refused.text());
    }
}
