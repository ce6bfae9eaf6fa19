//! Damage to files costs what it covers: of small files with damage of every kind at every kind of place, each frame that
//! ffmpeg or mkvmerge saves is saved. ffmpeg makes the files, and judges.

#![allow(clippy::print_stderr, reason = "tests")]

mod drawn;
mod judges;
mod known;

use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent, SourceFault};
use edge_uploader::media::TrackKind;
use framepost_events::Sha256;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

const PICTURE: &str = "-f lavfi -i testsrc2=size=192x108:rate=25:duration=6";
const SOUND: &str = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=6";
const H264: &str =
    "-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params threads=1:keyint=25:scenecut=0:bframes=2:log=-1";
const H265: &str = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params pools=1:keyint=25:min-keyint=25:scenecut=0:bframes=2:log-level=none -tag:v hvc1";

fn ffmpeg(arguments: &str, output: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-nostdin", "-threads", "1"])
        .args(arguments.split_whitespace())
        .arg(output)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success(), "ffmpeg {arguments}");
}

static FILES: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let files = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| files.path().join(name);
    let copy = |of: &str| format!("-i {} -map 0 -c copy", path(of).display());
    ffmpeg(&format!("{PICTURE} {SOUND} {H264} -c:a aac -b:a 32k"), &path("end.mp4"));
    ffmpeg(&format!("{PICTURE} {SOUND} {H265} -c:a aac -b:a 32k -movflags +faststart"), &path("front-hevc.mp4"));
    ffmpeg(&format!("{} -movflags +faststart", copy("end.mp4")), &path("front.mp4"));
    ffmpeg(&format!("{} -movflags +frag_keyframe+empty_moov+default_base_moof", copy("end.mp4")), &path("moofs.mp4"));
    ffmpeg(&format!("{} -movflags +frag_keyframe+empty_moov", copy("front-hevc.mp4")), &path("moofs-offset.mp4"));
    ffmpeg(&copy("end.mp4"), &path("whole.mkv"));
    ffmpeg(&format!("{} -live 1 -f matroska", copy("end.mp4")), &path("live.mkv"));
    ffmpeg(&format!("{} -cluster_time_limit 1000", copy("front-hevc.mp4")), &path("hevc.mkv"));
    files
});

/// The frames that came out of a file, and how reading it ended.
struct Saved {
    /// Digest and time of each video frame.
    frames: Vec<(String, i64)>,
    faults: Vec<SourceFault>,
    end: Result<(), CameraError>,
}

impl Saved {
    fn digests(&self) -> BTreeSet<&str> {
        self.frames.iter().map(|(digest, _)| digest.as_str()).collect()
    }

    fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.end.is_ok()
    }
}

fn saved(path: &Path) -> Saved {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut saved = Saved { frames: Vec::new(), faults: Vec::new(), end: Ok(()) };
    let play = async {
        let mut session = FileCamera::new(path, FileOptions::default()).connect().await?;
        while let Some(event) = session.next().await? {
            match event {
                CameraEvent::Frame(frame) if frame.track == TrackKind::Video => {
                    saved.frames.push((Sha256::of(&frame.data).to_string(), frame.pts));
                }
                CameraEvent::Fault(fault) => saved.faults.push(fault),
                _ => {}
            }
        }
        Ok(())
    };
    let end = runtime.block_on(async { tokio::time::timeout(Duration::from_mins(1), play).await });
    saved.end = end.expect("every file has an end");
    saved
}

/// The offset of each place in `bytes` where `mark` stands.
fn marks(bytes: &[u8], mark: [u8; 4]) -> Vec<usize> {
    (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(&mark)).collect()
}
