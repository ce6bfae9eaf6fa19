//! What is played, as players see it: chunks of real pictures and sound, and ffmpeg and hls.js as judges over HTTP.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use framepost_api::{Access, Api, router};
use framepost_events::Sha256;
use framepost_events::record::{Audio, Data, Record};
use framepost_ports::catalog::{Catalog as _, Change};
use framepost_ports::contract::Footage;
use framepost_ports::memory::{MemoryBucket, MemoryCatalog, SimulatedClock};
use jiff::{SignedDuration, Timestamp};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::process::Command;
use tower::ServiceExt as _;

pub(crate) const FRAMES_PER_S: u32 = 25;
/// Each chunk lasts so many seconds.
pub(crate) const SECONDS: i64 = 3;

pub(crate) async fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().await.ok()?;
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where the boxes of this kind begin at the top of a file.
fn tops(bytes: &[u8], kind: [u8; 4]) -> Vec<u64> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + 8 <= bytes.len() {
        if bytes[at + 4..at + 8] == kind {
            found.push(at as u64);
        }
        at += u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    }
    found
}

/// A chunk that ffmpeg writes.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    /// When it starts, in seconds from the start of the footage.
    at_s: i64,
    /// Its place in its span.
    counter: u64,
    /// Width and height of its pictures.
    size: &'static str,
}

/// The chunks of a recording without a gap, in their order.
pub(crate) const SPAN: [Piece; 3] = [
    Piece { at_s: 0, counter: 0, size: "320x180" },
    Piece { at_s: 3, counter: 1, size: "320x180" },
    Piece { at_s: 6, counter: 2, size: "320x180" },
];

/// A span, one after a gap, and one with other pictures right after that.
pub(crate) const SPANS: [Piece; 6] = [
    Piece { at_s: 0, counter: 0, size: "320x180" },
    Piece { at_s: 3, counter: 1, size: "320x180" },
    Piece { at_s: 36, counter: 0, size: "320x180" },
    Piece { at_s: 39, counter: 1, size: "320x180" },
    Piece { at_s: 42, counter: 0, size: "640x360" },
    Piece { at_s: 45, counter: 1, size: "640x360" },
];

/// Draws the number of seconds and frames since the start of the footage as 16 bars, black for 0 and white for 1.
fn bars(piece: Piece) -> String {
    let first = piece.at_s * i64::from(FRAMES_PER_S);
    let bar = "floor(X*16/W)";
    format!(
        "color=c=gray:size={}:rate={FRAMES_PER_S},geq=lum='if(mod(floor((N+{first})/pow(2\\,{bar}))\\,2)\\,235\\,16)':cb=128:cr=128",
        piece.size
    )
}

/// Chunks that ffmpeg encoded and muxed, in a bucket in memory, with their records.
pub(crate) struct Recording {
    pub(crate) bucket: Arc<MemoryBucket>,
    pub(crate) records: Vec<Record>,
    pub(crate) start: Timestamp,
    pub(crate) directory: tempfile::TempDir,
    /// Digests of the chunks' decoded key frames.
    keys: Vec<String>,
}

impl Recording {
    /// With this many pictures between others that refer to them. `None`, which is said, without ffmpeg.
    pub(crate) async fn make(pieces: &[Piece], reordered: &str) -> Option<Self> {
        Self::coded(pieces, &["-c:v", "libx264", "-bf", reordered], "avc1.42c01e").await
    }

    /// Coded with these options of ffmpeg, and of this codec as a playlist says it.
    async fn coded(pieces: &[Piece], coding: &[&str], codec: &str) -> Option<Self> {
        if run("ffmpeg", &["-version"]).await.is_none() || run("ffprobe", &["-version"]).await.is_none() {
            println!("skipped: no ffmpeg");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let bucket = Arc::new(MemoryBucket::new("footage"));
        let mut footage = Footage::new(5);
        let camera = Footage::camera(0);
        let start = footage.start();
        let mut records: Vec<Record> = Vec::new();
        let mut keys = Vec::new();
        for (n, piece) in pieces.iter().enumerate() {
            let file = directory.path().join(format!("{n}.mp4"));
            let name = file.to_str().unwrap();
            let picture = bars(*piece);
            let sound = format!("sine=frequency={}:sample_rate=48000", 300 + n * 100);
            let seconds = SECONDS.to_string();
            let input = ["-nostdin", "-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound];
            let common = ["-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25"];
            let form = ["-c:a", "aac", "-movflags", "frag_keyframe+empty_moov+default_base_moof+negative_cts_offsets"];
            let form =
                [&form[..], &["-video_track_timescale", "90000", "-use_editlist", "0", "-t", &seconds, name]].concat();
            run("ffmpeg", &[&input[..], coding, &common, &form].concat()).await?;
            keys.extend(decoded(&file).await);
            let bytes = std::fs::read(&file).unwrap();
            let mut record = footage.chunk(&camera, piece.at_s * 1000, piece.counter, "1").remove(0);
            let Data::ChunkProbed(chunk) = &mut record.data else { unreachable!("a chunk was made") };
            chunk.duration.seconds = Some(SECONDS as f64);
            chunk.size_bytes = bytes.len() as u64;
            chunk.init_bytes = tops(&bytes, *b"moof").first().copied();
            chunk.media_end = tops(&bytes, *b"mfra").first().copied();
            chunk.timescale = Some(90_000);
            chunk.sample_entry_digest = Some(Sha256::of(piece.size.as_bytes()));
            chunk.starts_with_random_access = Some(true);
            codec.clone_into(&mut chunk.codec);
            chunk.audio = Some(Audio { codec: "mp4a.40.2".to_owned(), channels: 1, sample_rate: 48_000 });
            bucket.insert(&chunk.object.key, "video/mp4", vec![], bytes);
            records.push(record);
        }
        Some(Self { bucket, records, start, directory, keys })
    }
}

/// An API over chunks that ffmpeg wrote.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) router: Router,
    pub(crate) recording: Recording,
}

impl Served {
    /// Makes a recording and serves it over HTTP on loopback. `None` where [`Recording::make`] makes none.
    pub(crate) async fn start(pieces: &[Piece], reordered: &str) -> Option<Self> {
        Some(Self::serve(Recording::make(pieces, reordered).await?).await)
    }

    async fn serve(recording: Recording) -> Self {
        let catalog = MemoryCatalog::default();
        let changes: Vec<Change> =
            recording.records.iter().cloned().map(|record| Change::Record(Box::new(record))).collect();
        catalog.apply(&changes).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = router(Api {
            catalog: Arc::new(catalog),
            source: recording.bucket.clone(),
            clock: Arc::new(SimulatedClock::new("2026-11-27T01:00:00Z".parse().unwrap())),
            exports: None,
            access: Access::on_loopback(address),
            media_origins: framepost_api::MediaOrigins::default(),
            workings: None,
            telling: framepost_api::Telling::AsItHappens,
        });
        let served = router.clone();
        tokio::spawn(async move { axum::serve(listener, served).await });
        Self { address, router, recording }
    }

    pub(crate) async fn fetch(&self, path: &str, range: &str) -> Vec<u8> {
        let request = Request::builder().uri(path).header("host", self.address.to_string());
        let request = request.header("range", format!("bytes={range}")).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert!(response.status().is_success(), "{path} {range}: {}", response.status());
        to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    /// The URL of a clip (`mp4`) or playlist (`m3u8`) of this stretch, in ms from the start.
    pub(crate) fn url(&self, form: &str, from_ms: i64, to_ms: i64, more: &str) -> String {
        let kind = if form == "mp4" { "clips" } else { "playlists" };
        let [from, to] = [from_ms, to_ms].map(|ms| self.recording.start + SignedDuration::from_millis(ms));
        format!("http://{}/v1/{kind}/site-0/cam-0.{form}?from={from}&to={to}{more}", self.address)
    }

    /// The times in seconds at which packets of a stream begin and end, but for those before the start.
    pub(crate) async fn packets(&self, url: &str, stream: &str) -> Vec<(f64, f64)> {
        let entries = "packet=pts_time,duration_time";
        let arguments = ["-v", "error", "-select_streams", stream, "-show_entries", entries, "-of", "csv=p=0", url];
        let text = run("ffprobe", &arguments).await.unwrap();
        let packet = |line: &str| {
            let mut fields = line.split(',').map(str::parse::<f64>);
            let begins = fields.next()?.ok()?;
            Some((begins, begins + fields.next()?.ok()?))
        };
        let mut packets: Vec<(f64, f64)> =
            text.lines().filter_map(packet).filter(|(begins, _)| *begins > -0.001).collect();
        packets.sort_by(|a, b| a.0.total_cmp(&b.0));
        packets
    }
}

/// Digests of the decoded key frames of a file.
async fn decoded(file: &Path) -> Vec<String> {
    let file = file.to_str().unwrap();
    let arguments = ["-nostdin", "-v", "fatal", "-skip_frame", "nokey", "-i", file, "-map", "0:v:0"];
    // Errors behind the one whole picture are expected.
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(arguments).args(["-fps_mode", "passthrough", "-f", "framemd5", "-"]);
    let output = ffmpeg.output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(',').next()).map(|digest| digest.trim().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clip_ends_at_its_frame_and_with_its_sound() {
    let Some(served) = Served::start(&SPAN, "0").await else { return };
    for (from_ms, to_ms) in [(0, 1_000), (333, 4_777), (2_001, 2_999), (0, 8_980), (4_000, 6_020), (3_500, 8_999)] {
        let url = served.url("mp4", from_ms, to_ms, "");
        let played = (to_ms - from_ms) as f64 / 1000.0;
        let frames = served.packets(&url, "v:0").await;
        let expected = played * f64::from(FRAMES_PER_S);
        assert!((frames.len() as f64 - expected).abs() <= 1.0, "{from_ms} to {to_ms}: {} of {expected}", frames.len());
        let last = frames.last().unwrap().0;
        assert!(last < played && last > played - 0.041, "{from_ms} to {to_ms}: the last picture is at {last}");
        // The first picture is the one that was shown at the start, or the next one.
        let first = frames[0].0;
        assert!(first.abs() < 0.041, "{from_ms} to {to_ms}: the first picture is at {first}");
        let sound = served.packets(&url, "a:0").await;
        let begin = sound[0].0;
        assert!(begin < 0.022, "{from_ms} to {to_ms}: sound begins at {begin}");
        let end = sound.last().unwrap().1;
        assert!((end - played).abs() < 0.020, "{from_ms} to {to_ms}: sound ends at {end} of {played}");
        let arguments = ["-v", "error", "-show_entries", "format_tags=creation_time", "-of", "csv=p=0", url.as_str()];
        let created: Timestamp = run("ffprobe", &arguments).await.unwrap().trim().parse().unwrap();
        let asked = served.recording.start + SignedDuration::from_millis(from_ms);
        assert_eq!(created.as_second(), asked.as_second(), "{from_ms} to {to_ms}: the file says when it was recorded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reordered_pictures_that_others_need_are_the_only_ones_after_the_end() {
    let Some(served) = Served::start(&SPAN, "2").await else { return };
    for to_ms in [1_000, 1_040, 1_080, 4_777] {
        let frames = served.packets(&served.url("mp4", 0, to_ms, ""), "v:0").await;
        let played = to_ms as f64 / 1000.0;
        let before = frames.iter().filter(|(begins, _)| *begins < played - 0.001).count() as f64;
        assert!((before - played * f64::from(FRAMES_PER_S)).abs() <= 3.0, "to {to_ms}: {before}");
        assert!(frames.len() as f64 - before <= 3.0, "to {to_ms}: {frames:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_timeline_goes_on_over_all_chunks() {
    let Some(served) = Served::start(&SPAN, "0").await else { return };
    let frames = served.packets(&served.url("m3u8", 0, 9_000, "&timeline=continuous"), "v:0").await;
    assert_eq!(frames.len(), SPAN.len() * usize::try_from(SECONDS).unwrap() * FRAMES_PER_S as usize);
    for pair in frames.windows(2) {
        let step = pair[1].0 - pair[0].0;
        assert!((step - 0.04).abs() < 0.001, "{pair:?}");
    }
}

/// The digests of the coded pictures that ffmpeg reads of a file or a URL.
async fn pictures(at: &str) -> Vec<String> {
    let arguments = ["-nostdin", "-v", "error", "-i", at, "-map", "0:v:0", "-c", "copy", "-f", "framemd5", "-"];
    let text = run("ffmpeg", &arguments).await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(',').next()).map(|digest| digest.trim().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn h265_is_played_by_ffmpeg_picture_for_picture() {
    let coding = ["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=none:bframes=2"];
    let Some(recording) = Recording::coded(&SPAN, &coding, "hvc1.1.6.L60.90").await else { return };
    let served = Served::serve(recording).await;
    every_picture_is_read(&served, 3, 9_000).await;
}

/// Asserts that ffmpeg reads the pictures of these many chunks from a playlist up to there, each once.
async fn every_picture_is_read(served: &Served, chunks: usize, to_ms: i64) {
    let mut recorded = Vec::new();
    for n in 0..chunks {
        let file = served.recording.directory.path().join(format!("{n}.mp4"));
        recorded.extend(pictures(file.to_str().unwrap()).await);
    }
    assert_eq!(recorded.len(), chunks * 75);
    for timeline in ["", "&timeline=continuous"] {
        assert_eq!(pictures(&served.url("m3u8", 0, to_ms, timeline)).await, recorded, "{timeline}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ffmpeg_reads_on_over_a_gap_and_other_parameters() {
    let Some(served) = Served::start(&SPANS, "2").await else { return };
    every_picture_is_read(&served, SPANS.len(), 60_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_frame_is_a_file_of_one_picture() {
    let Some(served) = Served::start(&SPAN, "0").await else { return };
    let url = served.url("m3u8", 0, 9_000, "&frames=keyframes&every=1");
    let path = url.strip_prefix(&format!("http://{}", served.address)).unwrap();
    let text = String::from_utf8(served.fetch(path, "0-").await).unwrap();
    let bytes = |line: &str| {
        let (len, start) = line.split_once('@').unwrap();
        let [len, start] = [len, start].map(|number| number.parse::<u64>().unwrap());
        (format!("{start}-{}", start + len - 1), len)
    };
    let media = |path: &str| format!("/v1{}", path.trim_start_matches("../.."));
    let mut head = Vec::new();
    let mut range = (String::new(), 0);
    let mut found = Vec::new();
    for line in text.lines() {
        if let Some(map) = line.strip_prefix("#EXT-X-MAP:URI=\"") {
            let (path, rest) = map.split_once("\",BYTERANGE=\"").unwrap();
            head = served.fetch(&media(path), &bytes(rest.trim_end_matches('"')).0).await;
        } else if let Some(rest) = line.strip_prefix("#EXT-X-BYTERANGE:") {
            range = bytes(rest);
        } else if !line.starts_with('#') {
            let picture = served.fetch(&media(line), &range.0).await;
            assert_eq!(picture.len() as u64, range.1);
            let file = served.recording.directory.path().join("picture.mp4");
            std::fs::write(&file, [&head[..], &picture].concat()).unwrap();
            let pictures = decoded(&file).await;
            assert_eq!(pictures.len(), 1, "{line}");
            found.extend(pictures);
        }
    }
    assert_eq!(found, served.recording.keys);
}

/// hls.js in a browser, over the borders of chunks, of a gap and of parameters. The pictures say what their times are.
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_plays_over_all_borders_and_knows_the_time() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/console");
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium-headless-shell".to_owned());
    let has_node = Command::new("node").arg("--version").output().await.is_ok_and(|output| output.status.success());
    let has_packages = tests.join("node_modules/hls.js").is_dir() && tests.join("node_modules/puppeteer-core").is_dir();
    if !has_node || !has_packages || !Path::new(&chromium).is_file() {
        println!(
            "skipped: no node, no chromium-headless-shell, or tests/console/node_modules lacks hls.js: `tests/run setup`"
        );
        return;
    }
    let Some(served) = Served::start(&SPANS, "0").await else { return };
    let base = format!("http://{}/", served.address);
    let mut node = Command::new("node");
    node.arg(tests.join("playback.mjs")).args([&base, "site-0", "cam-0", &served.recording.start.to_string()]);
    let output = node.env("CHROMIUM", chromium).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
