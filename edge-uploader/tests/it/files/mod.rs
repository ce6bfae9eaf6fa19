//! Files as cameras, against what ffprobe says of the same files. ffmpeg makes them.

mod containers;
mod damage;
mod parameter_sets;
mod playing;

use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent, SourceFault};
use edge_uploader::media::{Frame, StreamParameters, Timing, TrackKind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Everything that a file gave.
#[derive(Default)]
struct Played {
    parameters: Vec<StreamParameters>,
    frames: Vec<Frame>,
    faults: Vec<SourceFault>,
    error: Option<CameraError>,
    timing: Option<Timing>,
    total: Option<u64>,
}

impl Played {
    fn of(&self, track: TrackKind) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(move |frame| frame.track == track)
    }
}

async fn played(path: &Path, options: FileOptions, limit: usize) -> Played {
    let mut played = Played::default();
    let mut session = match FileCamera::new(path, options).connect().await {
        Ok(session) => session,
        Err(error) => return Played { error: Some(error), ..played },
    };
    (played.timing, played.total) = (Some(session.timing()), session.frames_total());
    while played.frames.len() < limit {
        match session.next().await {
            Ok(Some(CameraEvent::Parameters(parameters))) => played.parameters.push(parameters),
            Ok(Some(CameraEvent::Frame(frame))) => {
                assert!(!played.parameters.is_empty(), "parameters come first");
                played.frames.push(frame);
            }
            Ok(Some(CameraEvent::Fault(fault))) => played.faults.push(fault),
            Ok(Some(other)) => panic!("{other:?}"),
            Ok(None) => break,
            Err(error) => {
                played.error = Some(error);
                break;
            }
        }
    }
    played
}

fn ffmpeg(arguments: &str, output: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-nostdin"])
        .args(arguments.split_whitespace())
        .arg(output)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success(), "ffmpeg {arguments}");
}

/// `(pts, size)` of each packet of a kind of stream, in file order.
#[expect(clippy::unwrap_used, reason = "a test's own tool")]
fn packets(path: &Path, stream: &str) -> Vec<(i64, usize)> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", stream, "-show_entries", "packet=pts,size", "-of", "csv=p=0"])
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    let text = String::from_utf8(output.stdout).unwrap();
    let fields = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    fields.filter(|f| f.len() >= 2).map(|f| (f[0].parse().unwrap(), f[1].parse().unwrap())).collect()
}

const PICTURE: &str = "-f lavfi -i testsrc2=size=192x108:rate=25:duration=3";
const SOUND: &str = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=3";
const H264: &str = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params keyint=25:scenecut=0:bframes=2:log=-1";
const H265: &str = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params keyint=23:min-keyint=23:scenecut=0:bframes=3:b-adapt=0:b-pyramid=1:open-gop=1:log-level=none -tag:v hvc1";

/// An elementary stream of a second.
fn stream(codec: &str, size: &str) -> String {
    let codec = match codec {
        "h264" => "libx264 -preset veryfast -x264-params keyint=25:bframes=0:log=-1",
        _ => "libx265 -preset ultrafast -x265-params keyint=25:bframes=0:repeat-headers=1:log-level=none",
    };
    format!("-f lavfi -i testsrc2=size={size}:rate=25:duration=1 -pix_fmt yuv420p -c:v {codec}")
}

/// The files that the tests read, made once.
struct Files {
    directory: tempfile::TempDir,
}

impl Files {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

static FILES: LazyLock<Files> = LazyLock::new(|| {
    let files = Files { directory: tempfile::tempdir().expect("a temporary directory") };
    let make = |arguments: String, name: &str| ffmpeg(&arguments, &files.path(name));
    let copy = |of: &str| {
        format!("-i {} -map 0 -c copy -metadata creation_time=2026-01-02T03:04:05Z", files.path(of).display())
    };
    make(format!("{PICTURE} {SOUND} {H264} -c:a aac -metadata creation_time=2026-01-02T03:04:05Z"), "avc.mp4");
    make(format!("{PICTURE} {H265}"), "hevc.mp4");
    make(format!("{} -movflags +faststart", copy("avc.mp4")), "front.mp4");
    make(format!("{} -movflags +frag_keyframe+empty_moov+default_base_moof", copy("avc.mp4")), "fragmented.mp4");
    make(format!("{} -movflags +frag_every_frame+empty_moov", copy("avc.mp4")), "frame-fragments.mp4");
    make(format!("{} -movflags +frag_keyframe+separate_moof+default_base_moof", copy("avc.mp4")), "hybrid.mp4");
    make(copy("avc.mp4"), "avc.mkv");
    make(copy("hevc.mp4"), "hevc.mkv");
    make(format!("{PICTURE} {SOUND} {H264} -c:a libopus"), "opus.mp4");
    for name in ["two.mkv", "two.mov"] {
        make(format!("{PICTURE} -map 0:v -map 0:v {H264} -c:v:0 mjpeg -pix_fmt:v:0 yuvj420p"), name);
    }
    for codec in ["h264", "hevc"] {
        // A camera that is switched to another resolution while ffmpeg copies its stream, and back.
        let streams = ["192x108", "96x64", "192x108"].map(|size| {
            let name = format!("{size}.{codec}");
            make(stream(codec, size), &name);
            std::fs::read(files.path(&name)).expect("just made")
        });
        let joined = files.path(&format!("joined.{codec}"));
        std::fs::write(&joined, streams.concat()).expect("written");
        for container in ["mp4", "mkv"] {
            make(format!("-r 25 -i {} -c copy", joined.display()), &format!("changing-{codec}.{container}"));
        }
    }
    make(format!("{PICTURE} -c:v mpeg4"), "mpeg4.mp4");
    make(format!("{PICTURE} -c:v libvpx -b:v 200k"), "vp8.webm");
    files
});
