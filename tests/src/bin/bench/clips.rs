//! A long clip of the API, beside ffmpeg putting the same chunks together.

use super::footage::minutes;
use super::report::{Budget, median, row};
use super::setting;
use framepost_events::KeyKind;
use framepost_tests::binaries::Output;
use framepost_tests::measure::{Cost, End, Measurement, cpu_seconds};
use framepost_tests::onebox::Onebox;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn compare(directory: &Path) {
    let length = setting("BENCH_CLIP_MINUTES", 60);
    let file = minutes(directory, length);
    let file = file.to_string_lossy();
    let place = directory.join("clips");
    let mut onebox = Onebox::up(&place, &["--stay", "--listen", "127.0.0.1:0", &file]);
    let api = onebox.api();
    onebox.running.wait_for(Output::Stderr, Duration::from_mins(20), |lines| {
        lines.iter().any(|line| line.contains("all files are read")).then_some(())
    });
    std::fs::remove_file(&*file).expect("the file is removed");
    let path = whole(api);
    let list = directory.join("chunks.txt");
    let bucket = onebox.bucket();
    let camera = bucket.cameras().remove(0);
    let chunks: Vec<String> =
        bucket.of(&camera, KeyKind::Chunk).iter().map(|chunk| format!("file '{}'\n", chunk.path.display())).collect();
    std::fs::write(&list, chunks.concat()).expect("a list of chunks");
    let to = directory.join("clip.mp4");
    let [mut served, mut first, mut their_first] = [vec![], vec![], vec![]];
    let mut their = Vec::new();
    for _ in 0..setting("BENCH_RUNS", 5) {
        let before = cpu_seconds(onebox.running.id());
        first.push(read(api, &path));
        served.push(cpu_seconds(onebox.running.id()) - before);
        their.push(Measurement::start(concat(&list).arg(&to), End::ByItself).cost());
        their_first.push(first_byte(&mut concat(&list)));
    }
    onebox.end();
    let their = Cost::median(&their).cpu_seconds;
    let what = format!("a clip of {length} minutes");
    row(&format!("{what}, served"), "cpu s", median(served), Some(their), Budget::Ratio(0.25));
    row(&format!("{what}, first byte"), "ms", median(first), Some(median(their_first)), Budget::Value(50.0));
}

/// The path of a clip of all that the only camera recorded.
fn whole(api: SocketAddr) -> String {
    let mut stream = TcpStream::connect(api).expect("the API listens");
    write!(stream, "GET /v1/cameras HTTP/1.0\r\nHost: {api}\r\n\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
    let cameras: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let known = &cameras["cameras"][0];
    let text = |name: &str| known[name].as_str().expect("a text").to_owned();
    format!("/v1/clips/{}/{}.mp4?from={}&to={}", text("site"), text("camera"), text("first"), text("last"))
}

/// Reads a whole answer, and returns the milliseconds until the first byte of its body.
fn read(api: SocketAddr, path: &str) -> f64 {
    let began = Instant::now();
    let mut stream = TcpStream::connect(api).expect("the API listens");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {api}\r\n\r\n").expect("a request");
    let mut piece = vec![0; 256 * 1024];
    let mut head = Vec::new();
    let body = loop {
        let count = stream.read(&mut piece).expect("an answer");
        assert_ne!(count, 0, "{path}: {}", String::from_utf8_lossy(&head));
        head.extend_from_slice(&piece[..count]);
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n")
            && head.len() > end + 4
        {
            break end + 4;
        }
    };
    let first = began.elapsed();
    let text = String::from_utf8_lossy(&head[..body]);
    assert!(text.split(' ').nth(1) == Some("200"), "{path}: {text}");
    while stream.read(&mut piece).expect("the rest of the answer") > 0 {}
    first.as_secs_f64() * 1e3
}

/// `ffmpeg -f concat -c copy` of these files, whose output is to be named.
fn concat(list: &Path) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-f", "concat", "-safe", "0", "-i"]);
    command.arg(list).args(["-c", "copy"]);
    command
}

/// The milliseconds until it has written something to a pipe, as fragments: a file that is not fragmented has its head last.
fn first_byte(command: &mut Command) -> f64 {
    command.args(["-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "pipe:1"]);
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("ffmpeg can be started");
    let mut out = child.stdout.take().expect("a pipe");
    out.read_exact(&mut [0]).expect("a byte of ffmpeg");
    let first = began.elapsed();
    child.kill().and_then(|()| child.wait()).expect("ffmpeg is stopped");
    first.as_secs_f64() * 1e3
}
