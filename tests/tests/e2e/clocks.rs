//! Cameras with wrong clocks over real RTSP: every picture that was sent is in the bucket, in
//! order and at its time.

use framepost_events::KeyKind;
use framepost_tests::binaries::{Output, Running};
use framepost_tests::bucket::{Bucket, Object};
use framepost_tests::edge::{CameraConfig, EdgeConfig, Transport, Trusted};
use framepost_tests::gateway::{Gateway, eventually};
use framepost_tests::media::ffmpeg;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The faults of the camera script, and whether the operator trusts the camera's clock.
const FAULTS: [(&str, Trusted); 18] = [
    ("none", Trusted::Gateway),
    ("none", Trusted::Camera),
    ("outlier-back", Trusted::Gateway),
    ("outlier-ahead", Trusted::Gateway),
    ("outlier-second", Trusted::Gateway),
    ("step-ahead", Trusted::Gateway),
    ("step-back", Trusted::Camera),
    ("slow", Trusted::Gateway),
    ("fast", Trusted::Gateway),
    ("standing", Trusted::Gateway),
    ("backwards", Trusted::Gateway),
    ("rtptime-zero", Trusted::Gateway),
    ("rtptime-absent", Trusted::Gateway),
    ("ntp-1970", Trusted::Gateway),
    ("ntp-1970", Trusted::Camera),
    ("ntp-2036", Trusted::Camera),
    ("ntp-hour", Trusted::Gateway),
    ("ntp-hour", Trusted::Camera),
];

/// Number of pictures of each camera: 24 seconds.
const PICTURES: usize = 600;
const WINDOW_S: f64 = 3.0;

/// The time of a sent picture, and the MD5 of its slices.
type Sent = (f64, String);

fn make(directory: &Path) {
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=4", "-pix_fmt", "yuv420p"];
    let x264 = "keyint=50:min-keyint=50:scenecut=0:bframes=0:aud=1:repeat-headers=1:log=-1";
    let x265 = "keyint=25:min-keyint=25:scenecut=0:bframes=0:aud=1:repeat-headers=1:log-level=none";
    for (name, encoder) in [
        ("a.h264", ["-c:v", "libx264", "-preset", "ultrafast", "-x264-params", x264]),
        ("b.h265", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", x265]),
    ] {
        ffmpeg(picture.into_iter().chain(encoder), &directory.join(name));
    }
    let sound = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=16000:duration=4", "-c:a", "aac", "-f", "adts"];
    ffmpeg(sound, &directory.join("sound.aac"));
}

fn sent(directory: &Path, mount: &str) -> Vec<Sent> {
    let path = directory.join(format!("{}.sent", mount.replace('?', "-")));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let line = |line: &str| {
        let (time, md5) = line.split_once(' ').expect("two fields");
        (time.parse().expect("a time"), md5.to_owned())
    };
    text.lines().map(line).collect()
}

/// The MD5 of the slices of each picture of a chunk.
fn slices(chunk: &Path, h265: bool) -> Vec<String> {
    let filter = format!("filter_units=pass_types=0-{}", if h265 { 31 } else { 5 });
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(chunk)
        .args(["-map", "0:v:0", "-c", "copy", "-bsf:v", &filter, "-f", "framemd5", "-"])
        .output()
        .expect("ffmpeg can be started");
    assert!(output.status.success(), "{}: {}", chunk.display(), String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(',').nth(5).map(|md5| md5.trim().to_owned())).collect()
}

fn judge(what: &str, chunks: &[Object], sent: &[Sent], h265: bool, off_s: &[f64]) {
    let mut next = None;
    for chunk in chunks {
        let stored = slices(&chunk.path, h265);
        let first = next.unwrap_or_else(|| sent.iter().position(|(_, md5)| *md5 == stored[0]).expect("it was sent"));
        let end = first + stored.len();
        assert!(end <= sent.len(), "{what}: {} has more than was sent", chunk.key);
        assert!(stored.iter().eq(sent[first..end].iter().map(|(_, md5)| md5)), "{what}: {} lacks pictures", chunk.key);
        let error_s = chunk.key.start.as_microsecond() as f64 / 1e6 - sent[first].0;
        let near = off_s.iter().any(|off_s| (error_s - off_s).abs() < WINDOW_S);
        assert!(near, "{what}: {} is {error_s} s from when it was sent", chunk.key);
        next = Some(end);
    }
    // Pictures in transit when the gateway was stopped.
    let left = sent.len() - next.unwrap_or(0);
    assert!(left <= 25, "{what}: {left} of {} pictures are missing at the end", sent.len());
}

#[test]
fn whatever_a_cameras_clock_says_all_its_pictures_are_stored() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    make(directory.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rtsp/faulty_camera.py");
    let camera = Running::start(Command::new("python3").arg(script).arg(directory.path()));
    let ready = camera.wait_for(Output::Stdout, Duration::from_secs(30), |lines| lines.first().cloned());
    let port = serde_json::from_str::<serde_json::Value>(&ready).expect("JSON")["port"].as_u64().expect("a port");

    let root = directory.path().join("archive");
    let bucket = Bucket::at(&root);
    let mut config =
        EdgeConfig::one_camera(&directory.path().join("spool"), &format!("file://{}", root.display()), "rtsp://x");
    config.cameras.clear();
    let mut cameras = Vec::new();
    for (n, (fault, trusted)) in FAULTS.into_iter().enumerate() {
        // The two cameras of a fault use different videos, so that their pictures can be distinguished.
        let file = if trusted == Trusted::Camera { "b" } else { "a" };
        let mount = format!("{fault}?{file}");
        let name = format!("c{n}");
        let url = format!("rtsp://127.0.0.1:{port}/{mount}");
        config.cameras.push(CameraConfig { name: name.clone(), url, transport: Transport::Tcp, trusted });
        cameras.push((name, mount, fault, trusted));
    }
    let mut gateway = Gateway::new(config, directory.path().join("edge.toml"));
    gateway.start();
    eventually("all have sent enough", Duration::from_mins(2), || {
        cameras.iter().all(|(_, mount, ..)| {
            let path = directory.path().join(format!("{}.sent", mount.replace('?', "-")));
            std::fs::read_to_string(path).is_ok_and(|text| text.lines().count() >= PICTURES)
        })
    });
    gateway.terminate();
    let log = gateway.log();
    for (name, mount, fault, trusted) in cameras {
        let what = format!("{mount}, trusted: {trusted:?}");
        let sent = sent(directory.path(), &mount);
        let trusted_hour = fault == "ntp-hour" && trusted == Trusted::Camera;
        let off_s: &[f64] = if trusted_hour { &[0.0, 3600.0] } else { &[0.0] };
        judge(&what, &bucket.of(&name, KeyKind::Chunk), &sent, mount.ends_with('b'), off_s);
        let gaps = bucket.of(&name, KeyKind::Gap).len();
        // The first report may arrive before the first chunk begins.
        assert!(gaps <= usize::from(trusted_hour), "{what}: {gaps} gaps\n{log}");
    }
    assert!(log.contains("ratio=\"0.84") || log.contains("ratio=\"0.839"), "the ratio is told:\n{log}");
}
