//! HLS as GStreamer plays it: both of its demuxers, over the borders of chunks, of a gap and of parameters.

use crate::judged::{SPANS, Served, run};
use std::time::Duration;
use tokio::process::Command;

/// The older demuxer, of plugins-bad. It reads the first `EXT-X-MAP` alone, and so plays up to where parameters change.
const HLSDEMUX: &str =
    "souphttpsrc location=URL ! hlsdemux ! qtdemux name=d d.video_0 ! queue ! h264parse ! avdec_h264";
/// The one of adaptivedemux2 (plugins-good), which players choose by themselves.
const HLSDEMUX2: &str = "uridecodebin3 uri=URL name=d d.video_0 ! queue";
/// Prints a line for each picture: its time, and the MD5 of its bytes.
const JUDGE: &str = "! videoconvert ! video/x-raw,format=I420 ! checksumsink hash=md5 sync=false";

/// What is played is waited for so long: loading the plugins for the first time takes seconds.
const PATIENCE: Duration = Duration::from_mins(2);

async fn is_there() -> bool {
    for element in ["souphttpsrc", "hlsdemux", "hlsdemux2", "qtdemux", "avdec_h264", "checksumsink"] {
        let exists = Command::new("gst-inspect-1.0").args(["--exists", element]).status().await;
        if !exists.is_ok_and(|status| status.success()) {
            println!("skipped: GStreamer has no {element} here (Debian: gstreamer1.0-tools, -good, -bad and -libav)");
            return false;
        }
    }
    true
}

/// Digests of the pictures that GStreamer shows of a playlist.
async fn shown(pipeline: &str, url: &str) -> Vec<String> {
    let mut gst = Command::new("gst-launch-1.0");
    let words = format!("{pipeline} {JUDGE}");
    gst.arg("-q").args(words.split(' ').map(|word| word.replace("URL", url))).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, gst.output()).await.expect("it plays to the end").unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{pipeline}: {errors}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.split_once(' ')).map(|(_, digest)| digest.trim().to_owned()).collect()
}

/// Digests of all pictures of all chunks, as ffmpeg decodes each file.
async fn recorded(served: &Served) -> Vec<String> {
    let mut digests = Vec::new();
    for n in 0..SPANS.len() {
        let file = served.recording.directory.path().join(format!("{n}.mp4"));
        let arguments =
            ["-nostdin", "-v", "error", "-i", file.to_str().unwrap(), "-map", "0:v:0", "-pix_fmt", "yuv420p"];
        let text = run("ffmpeg", &[&arguments[..], &["-f", "framemd5", "-"]].concat()).await.unwrap();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        digests.extend(lines.filter_map(|line| line.rsplit(',').next()).map(|digest| digest.trim().to_owned()));
    }
    digests
}

#[tokio::test(flavor = "multi_thread")]
async fn every_picture_is_shown_once_over_all_borders() {
    if !is_there().await {
        return;
    }
    let Some(served) = Served::start(&SPANS, "2").await else { return };
    let recorded = recorded(&served).await;
    assert_eq!(recorded.len(), 6 * 75);
    let mut wrong = Vec::new();
    for (pipeline, to_ms, pictures) in [(HLSDEMUX2, 60_000, 6 * 75), (HLSDEMUX, 42_000, 4 * 75)] {
        for timeline in ["", "&timeline=continuous"] {
            let shown = shown(pipeline, &served.url("m3u8", 0, to_ms, timeline)).await;
            let differs = shown.iter().zip(&recorded).position(|(one, other)| one != other);
            if (shown.len(), differs) != (pictures, None) {
                wrong.push(format!(
                    "{pipeline} {timeline}: {} of {pictures} pictures, other from {differs:?} on",
                    shown.len()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
