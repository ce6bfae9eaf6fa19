//! How long it takes from a chunk's closing at the gateway until a reader of `/v1/events` has its record, beside the least that
//! this takes: a file of that size whose bytes and name are durable, and an event over loopback.
//!
//! What comes before is the camera's: from the end of the chunk's last picture until the picture behind it has arrived and closes the
//! chunk. It is printed too.

use super::report::{Budget, row};
use super::setting;
use framepost_events::record::{Data, Record};
use framepost_tests::bucket::Bucket;
use framepost_tests::onebox::Onebox;
use framepost_tests::rtsp::{RtspOptions, RtspServer};
use jiff::Timestamp;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

/// Cameras, each of which ends a chunk every second. A file would not do: its times are those of its recording.
const CAMERAS: [&str; 5] = ["h264-720p-4m", "h264-720p", "h264", "h264-aac", "h265"];

pub(crate) fn compare(directory: &Path) {
    let seconds = setting("BENCH_SECONDS", 60);
    let server = RtspServer::start(RtspOptions::default());
    let cameras = CAMERAS.map(|mount| server.url(mount));
    let mut arguments = vec!["--listen", "127.0.0.1:0", "--window", "1s"];
    arguments.extend(cameras.iter().map(String::as_str));
    let mut onebox = Onebox::up(&directory.join("onebox"), &arguments);
    let seen = read_events(onebox.api(), &onebox.bucket(), Duration::from_secs(seconds));
    onebox.end();
    let bytes = seen.iter().map(|seen| seen.bytes).sum::<u64>() / u64::max(seen.len() as u64, 1);
    let least = least(directory, usize::try_from(bytes).expect("a chunk fits into memory"));
    let what = format!("chunk closed to event, {} live cameras", CAMERAS.len());
    for (name, percent, budget) in [("p50", 50, Budget::None), ("p99", 99, Budget::Value(150.0))] {
        let ours = share(seen.iter().map(|seen| seen.whole), percent);
        row(&format!("{what}, {name}"), "ms", ours, Some(share(least.iter().copied(), percent)), budget);
        let stored = share(seen.iter().map(|seen| seen.stored), percent);
        row(&format!("the same, {name} until it is in the bucket"), "ms", stored, None, Budget::None);
        let arriving = share(seen.iter().map(|seen| seen.arriving), percent);
        row(&format!("before that, end of the last picture to closed, {name}"), "ms", arriving, None, Budget::None);
    }
}

/// A chunk of which there was an event.
struct Seen {
    bytes: u64,
    /// From the end of its last picture, by the gateway's clock, until the gateway wrote the file's last bytes.
    arriving: Duration,
    /// From these bytes until its object was complete in the bucket: what is left of closing it, and the upload.
    stored: Duration,
    /// From these bytes until its event was read.
    whole: Duration,
}

fn read_events(api: SocketAddr, bucket: &Bucket, time: Duration) -> Vec<Seen> {
    let mut stream = TcpStream::connect(api).expect("the API listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
    write!(stream, "GET /v1/events HTTP/1.0\r\nHost: {api}\r\n\r\n").expect("a request");
    let began = Instant::now();
    let mut lines = BufReader::new(stream).lines();
    let mut seen = Vec::new();
    while began.elapsed() < time {
        let line = lines.next().expect("events go on").expect("events can be read");
        let now = Timestamp::now();
        let Some(data) = line.strip_prefix("data: ") else { continue };
        let record: Record = serde_json::from_str(data).expect("a record");
        let Data::ChunkProbed(chunk) = record.data else { continue };
        let ended = chunk.duration.to.expect("a chunk has an end");
        // The bucket has the gateway's own file under another name.
        let written = bucket.path(&chunk.object.key).metadata().and_then(|metadata| metadata.modified());
        let closed = Timestamp::try_from(written.expect("the object's file")).expect("a time of these days");
        let between = |from: Timestamp, to: Timestamp| Duration::try_from(to.duration_since(from)).unwrap_or_default();
        seen.push(Seen {
            bytes: chunk.size_bytes,
            arriving: between(ended, closed),
            stored: between(closed, record.time),
            whole: between(closed, now),
        });
    }
    seen
}

/// What any way takes: a file of so many bytes, durable under its name, and an event that somebody reads.
fn least(directory: &Path, bytes: usize) -> Vec<Duration> {
    let content = vec![7; bytes];
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let mut to = TcpStream::connect(listener.local_addr().expect("a port")).expect("a connection");
    to.set_nodelay(true).expect("events are sent at once");
    let (from, _) = listener.accept().expect("a connection");
    let mut lines = BufReader::new(from).lines();
    let mut took = Vec::new();
    for n in 0..300 {
        let began = Instant::now();
        let staged = directory.join("least.part");
        let mut file = File::create(&staged).expect("a file");
        file.write_all(&content).and_then(|()| file.sync_data()).expect("the bytes are durable");
        std::fs::rename(&staged, directory.join(format!("least-{n}.mp4"))).expect("the file gets its name");
        File::open(directory).and_then(|directory| directory.sync_all()).expect("the name is durable");
        to.write_all(b"data: {}\n").expect("an event is sent");
        lines.next().expect("an event").expect("it is read");
        took.push(began.elapsed());
    }
    took
}

fn share(times: impl Iterator<Item = Duration>, percent: usize) -> f64 {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    let at = (times.len().saturating_sub(1) * percent).div_ceil(100);
    times.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
