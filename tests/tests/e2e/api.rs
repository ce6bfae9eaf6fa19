//! The API of `framepost up`: what was recorded is found, plays in ffmpeg, and comes out as a clip.

use crate::console;
use framepost_tests::binaries::{Output, Program};
use framepost_tests::judge::packets::{Packet, Stream, packets};
use framepost_tests::media::Clip;
use framepost_tests::onebox::Onebox;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The status, the head and the body of the answer to a request without anything.
fn ask(address: SocketAddr, method: &str, path: &str, headers: &str) -> (u16, String, Vec<u8>) {
    send(address, method, path, headers, "")
}

/// The same, with a body.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("the API listens");
    stream.set_read_timeout(Some(Duration::from_mins(2))).expect("a time limit");
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n{body}").expect("a request");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head, bytes.split_off(end + 4))
}

fn json(address: SocketAddr, path: &str) -> Value {
    let (status, _, body) = ask(address, "GET", path, "");
    assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("JSON")
}

/// The digests of a stream's packets, as ffmpeg reads them from a URL.
pub(crate) fn digests_of_url(url: &str, map: &str) -> Vec<String> {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i", url, "-map", map, "-c", "copy", "-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg can be started");
    assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(',').next()).map(|digest| digest.trim().to_owned()).collect()
}

pub(crate) fn digests(file: &Path, stream: Stream) -> Vec<String> {
    packets(file, stream).expect("packets").into_iter().map(|Packet { md5, .. }| md5).collect()
}

#[test]
fn what_was_recorded_is_found_plays_and_comes_out_as_a_clip() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let clip = Clip::H264Aac.path();
    let camera = clip.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
    let clip = clip.to_str().expect("a path");
    let mut onebox = Onebox::up(directory.path(), &["--stay", "--listen", "127.0.0.1:0", "--window", "2s", clip]);
    let address = onebox.api();
    onebox.running.wait_for(Output::Stderr, Duration::from_mins(1), |lines| {
        lines.iter().any(|line| line.contains("all files are read")).then_some(())
    });
    let cameras = json(address, "/v1/cameras");
    let known = &cameras["cameras"][0];
    assert_eq!(
        (known["site"].as_str(), known["camera"].as_str()),
        (Some("onebox"), Some(camera.as_str())),
        "{cameras}"
    );
    let from = known["first"].as_str().expect("a start");
    let to = known["last"].as_str().expect("an end");
    let timeline = json(address, &format!("/v1/timeline?site=onebox&camera={camera}&from={from}&to={to}"));
    assert_eq!(timeline["recorded"].as_array().map(Vec::len), Some(1), "{timeline}");
    assert!(timeline["chunks"].as_u64() > Some(2), "{timeline}");

    let source = Path::new(clip);
    let playlist = format!("http://{address}/v1/playlists/onebox/{camera}.m3u8?from={from}&to={to}");
    assert_eq!(digests_of_url(&playlist, "0:v:0"), digests(source, Stream::Video));
    assert_eq!(digests_of_url(&playlist, "0:a:0"), digests(source, Stream::Audio));

    let whole = format!("/v1/clips/onebox/{camera}.mp4?from={from}&to={to}");
    let file = directory.path().join("clip.mp4");
    let (status, head, bytes) = ask(address, "GET", &whole, "");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    assert!(head.to_ascii_lowercase().contains(&format!("content-length: {}", bytes.len())), "{head}");
    std::fs::write(&file, &bytes).expect("a file");
    for stream in [Stream::Video, Stream::Audio] {
        assert_eq!(digests(&file, stream), digests(source, stream), "{stream:?}");
    }
    an_export_is_the_clip_and_can_be_checked(address, &camera, (from, to), &bytes, directory.path());
    ranges_are_parts(address, &whole, &bytes);
    a_part_has_its_length(address, &camera, from, &file);
    a_crowd_is_held_off(address, onebox.running.id());
    onebox.end();
}

/// An export of the same time has the clip, and `framepost verify` finds nothing wrong with it, and a changed picture.
fn an_export_is_the_clip_and_can_be_checked(
    address: SocketAddr,
    camera: &str,
    (from, to): (&str, &str),
    clip: &[u8],
    directory: &Path,
) {
    let range = serde_json::json!({"site": "onebox", "camera": camera, "from": from, "to": to});
    let body = serde_json::json!({"name": "all of it", "ranges": [range]}).to_string();
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let (status, head, answer) = send(address, "POST", "/v1/exports", &headers, &body);
    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&answer));
    let path = head.lines().find_map(|line| line.strip_prefix("location: ")).expect("a location").to_owned();
    let deadline = Instant::now() + Duration::from_mins(1);
    let made = loop {
        let made = json(address, &path);
        if made["state"] != "running" {
            break made;
        }
        assert!(Instant::now() < deadline, "{made}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(made["state"], "complete", "{made}");
    let file = made["files"][0]["url"].as_str().expect("a path");
    assert!(ask(address, "GET", file, "").2 == clip, "the file is the clip");
    let archive = directory.join("export.zip");
    let (_, _, mut bytes) = ask(address, "GET", made["archive"].as_str().expect("a path"), "");
    std::fs::write(&archive, &bytes).expect("a file");
    let verify =
        || Program::Framepost.command().arg("verify").arg(&archive).output().expect("framepost can be started");
    let said = verify();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success() && text.contains("each byte for byte as it lay in the bucket"), "{text}");
    its_page_plays(&archive, directory, from, &made["files"][0]["durationMs"]);
    let picture = bytes.windows(4).rposition(|four| four == b"mdat").expect("pictures") + 100;
    bytes[picture] ^= 1;
    std::fs::write(&archive, &bytes).expect("a file");
    let said = verify();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.code() == Some(1) && text.contains("WRONG: "), "{text}");
    let (status, _, _) = send(address, "DELETE", &path, "", "");
    assert_eq!(status, 204);
}

/// The page of an export, unpacked on a machine that has nothing but a browser.
fn its_page_plays(archive: &Path, directory: &Path, from: &str, duration_ms: &Value) {
    let (Some(mut node), Some(chromium)) = (console::node(), console::chromium()) else { return };
    let unpacked = directory.join("unpacked");
    let mut unzip = Command::new("python3");
    console::succeed(unzip.args(["-m", "zipfile", "-e"]).arg(archive).arg(&unpacked));
    let seconds = duration_ms.as_f64().expect("a duration") / 1000.0;
    // In the archive everything is in a directory with the export's name.
    let tops = std::fs::read_dir(&unpacked).expect("a directory").map(|entry| entry.expect("an entry").path());
    let [top] = <[_; 1]>::try_from(tops.collect::<Vec<_>>()).expect("one directory");
    node.arg(console::harness().join("offline.mjs")).arg(&top).args([seconds.to_string().as_str(), from]);
    console::succeed(node.env("CHROMIUM", chromium));
}

/// Random ranges, put together, are the whole.
fn ranges_are_parts(address: SocketAddr, path: &str, whole: &[u8]) {
    for _ in 0..1000 {
        let start = fastrand::usize(0..whole.len());
        let end = fastrand::usize(start..whole.len());
        let (status, _, part) = ask(address, "GET", path, &format!("Range: bytes={start}-{end}\r\n"));
        assert_eq!(status, 206);
        assert!(part == whole[start..=end], "{start}-{end}");
    }
}

/// A thousand connections that say nothing, or half of a request, or a whole one and do not go: who asks next is answered, and
/// the program has no more descriptors than it allows connections.
fn a_crowd_is_held_off(address: SocketAddr, process: u32) {
    let hard = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit").1;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("as many descriptors as are allowed");
    assert!(hard >= 2048, "`ulimit -Hn` allows {hard} descriptors, too few for this test");
    let whole = format!("GET /v1/cameras HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let says = ["", &whole[..30], &whole];
    let mut crowd = Vec::new();
    for n in 0..1000 {
        let mut stream = TcpStream::connect(address).expect("the API listens");
        // A connection may be closed to make room for others before it says anything.
        let _ = stream.write_all(says[n % says.len()].as_bytes());
        crowd.push(stream);
    }
    for _ in 0..10 {
        assert!(json(address, "/v1/cameras")["cameras"].is_array());
    }
    let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).expect("the process runs").count();
    assert!(descriptors < 400, "256 connections are allowed, and {descriptors} descriptors are open");
    drop(crowd);
    assert!(json(address, "/v1/cameras")["cameras"].is_array());
}

/// A clip that begins and ends between key frames is as long as was asked, to a frame.
fn a_part_has_its_length(address: SocketAddr, camera: &str, from: &str, file: &Path) {
    let start: jiff::Timestamp = from.parse().expect("a time");
    for (from_ms, to_ms) in [(0_i64, 1_000_i64), (333, 4_777), (2_001, 2_999)] {
        let [from, to] = [from_ms, to_ms].map(|ms| start + jiff::SignedDuration::from_millis(ms));
        let (status, _, bytes) = ask(address, "GET", &format!("/v1/clips/onebox/{camera}.mp4?from={from}&to={to}"), "");
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
        std::fs::write(file, &bytes).expect("a file");
        let output = Command::new("ffprobe")
            .args(["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0"])
            .arg(file)
            .output()
            .expect("ffprobe can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let times: Vec<f64> = text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
        let played = (to_ms - from_ms) as f64 / 1000.0;
        // ffmpeg shows pictures before an edit list's start at negative times, and of fragmented files those behind its end.
        let shown = times.iter().filter(|time| **time > -0.001 && **time < played - 0.001).count() as f64 / 25.0;
        assert!((shown - played).abs() < 0.041, "{from_ms} to {to_ms}: {shown} s of {played}: {times:?}");
    }
}
