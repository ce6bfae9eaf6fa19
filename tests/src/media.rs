//! Test clips: made once by ffmpeg from synthetic sources, and the shared test data.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Returns the shared data directory, `FRAMEPOST_TEST_DATA`. If it is missing, the test logs
/// that and counts as skipped.
pub fn shared_data() -> Option<PathBuf> {
    let directory = std::env::var_os("FRAMEPOST_TEST_DATA").map(PathBuf::from);
    if directory.is_none() {
        crate::skip("FRAMEPOST_TEST_DATA is not set, and this test needs its clips");
    }
    directory
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clip {
    /// H.264 without B-frames, closed GOPs of 1 s.
    H264,
    /// H.264 with B-frames that are referred to (a pyramid), closed GOPs.
    H264BFrames,
    /// H.264 with B-frames and open GOPs: a random access frame is followed by leading frames.
    H264OpenGop,
    /// H.264, 29.97 frames a second.
    H264Ntsc,
    /// H.264 with a variable frame rate: every seventh frame is missing.
    H264VariableRate,
    /// H.265, closed GOPs (IDR), with B-frames, as `x265` does it.
    H265,
    /// H.265, open GOPs (CRA).
    H265OpenGop,
    H264Aac,
    H265Aac,
    /// H.264 with Opus, which cannot be recorded.
    H264Opus,
    /// H.264 in Matroska (RFC 9559), without audio.
    Matroska,
    /// H.264 with AAC in Matroska.
    MatroskaAac,
    MatroskaH265,
    /// H.264 in fragmented MP4.
    Fragmented,
    /// H.264 with AAC in fragmented MP4.
    FragmentedAac,
    /// H.264 with its `moov` at the end.
    MoovLast,
    /// Two minutes of H.264 with one GOP a second, for tests that kill the gateway.
    Long,
}

impl Clip {
    /// Every short clip that must be recorded with all its access units.
    pub const SHORT: [Self; 16] = [
        Self::H264,
        Self::H264BFrames,
        Self::H264OpenGop,
        Self::H264Ntsc,
        Self::H264VariableRate,
        Self::H265,
        Self::H265OpenGop,
        Self::H264Aac,
        Self::H265Aac,
        Self::H264Opus,
        Self::Matroska,
        Self::MatroskaAac,
        Self::MatroskaH265,
        Self::Fragmented,
        Self::FragmentedAac,
        Self::MoovLast,
    ];

    /// Returns the duration of a frame; for variable rates, the shortest.
    pub fn frame_seconds(self) -> f64 {
        match self {
            Self::H264Ntsc => 1001.0 / 30_000.0,
            Self::H264VariableRate => 2.0 / 25.0,
            _ => 1.0 / 25.0,
        }
    }

    /// Returns whether the clip has AAC audio.
    pub fn has_aac(self) -> bool {
        matches!(self, Self::H264Aac | Self::H265Aac | Self::MatroskaAac | Self::FragmentedAac)
    }

    /// Whether leading frames follow some of its random access frames.
    pub fn has_open_gops(self) -> bool {
        matches!(self, Self::H264OpenGop | Self::H265OpenGop)
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::H264 => "h264.mp4",
            Self::H264BFrames => "h264-bframes.mp4",
            Self::H264OpenGop => "h264-open-gop.mp4",
            Self::H264Ntsc => "h264-ntsc.mp4",
            Self::H264VariableRate => "h264-vfr.mp4",
            Self::H265 => "h265.mp4",
            Self::H265OpenGop => "h265-open-gop.mp4",
            Self::H264Aac => "h264-aac.mp4",
            Self::H265Aac => "h265-aac.mp4",
            Self::H264Opus => "h264-opus.mp4",
            Self::Matroska => "h264.mkv",
            Self::MatroskaAac => "h264-aac.mkv",
            Self::MatroskaH265 => "h265.mkv",
            Self::Fragmented => "h264-fragmented.mp4",
            Self::FragmentedAac => "h264-aac-fragmented.mp4",
            Self::MoovLast => "h264-moov-last.mp4",
            Self::Long => "h264-long.mp4",
        }
    }

    fn arguments(self) -> Vec<&'static str> {
        let (source, filter) = match self {
            Self::H264Ntsc => ("testsrc2=size=320x240:rate=30000/1001:duration=10", "null"),
            Self::H264VariableRate => ("testsrc2=size=320x240:rate=25:duration=10", "select='mod(n,7)-3'"),
            Self::Long => ("testsrc2=size=320x240:rate=25:duration=120", "null"),
            _ => ("testsrc2=size=320x240:rate=25:duration=10", "null"),
        };
        let video: &[&str] = match self {
            Self::H264BFrames | Self::MatroskaAac => {
                &["-c:v", "libx264", "-x264-params", "bframes=3:b-pyramid=normal:open-gop=0"]
            }
            Self::H264OpenGop => &["-c:v", "libx264", "-x264-params", "bframes=2:open-gop=1:b-adapt=0"],
            Self::H265 | Self::H265Aac | Self::MatroskaH265 => {
                &["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=none:keyint=25:open-gop=0"]
            }
            Self::H265OpenGop => {
                &["-c:v", "libx265", "-tag:v", "hvc1", "-x265-params", "log-level=none:keyint=25:open-gop=1:bframes=3"]
            }
            _ => &["-c:v", "libx264", "-bf", "0"],
        };
        let audio: &[&str] = match self {
            _ if self.has_aac() => &["-c:a", "aac", "-b:a", "48k"],
            Self::H264Opus => &["-c:a", "libopus", "-b:a", "32k"],
            _ => &["-an"],
        };
        let container: &[&str] = match self {
            Self::Fragmented | Self::FragmentedAac => &["-movflags", "frag_keyframe+empty_moov+default_base_moof"],
            Self::Matroska | Self::MatroskaAac | Self::MatroskaH265 | Self::MoovLast => &[],
            _ => &["-movflags", "+faststart"],
        };
        let mut arguments = vec!["-f", "lavfi", "-i", source];
        arguments.extend(["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=10"]);
        arguments.extend(["-map", "0:v", "-map", "1:a", "-vf", filter, "-vsync", "vfr", "-pix_fmt", "yuv420p"]);
        arguments.extend(["-preset", "ultrafast", "-g", "25", "-keyint_min", "25", "-sc_threshold", "0"]);
        arguments.extend(video);
        arguments.extend(audio);
        arguments.extend(container);
        arguments
    }

    /// Returns the clip's path and makes the clip if it does not exist. It is kept beside
    /// the build's other temporary files.
    pub fn path(self) -> PathBuf {
        let arguments = self.arguments();
        // The name includes the arguments, so that a changed clip gets a new file.
        let digest = framepost_events::Sha256::of(arguments.join("\0").as_bytes()).to_string();
        let directory = cache().join(&digest[..16]);
        let path = directory.join(self.file_name());
        if !path.is_file() {
            std::fs::create_dir_all(&directory).expect("a place for clips");
            // Tests run concurrently: each writes a file of its own and renames it into place.
            let making = directory.join(format!(
                "{}-{:?}.{}",
                std::process::id(),
                std::thread::current().id(),
                self.file_name()
            ));
            ffmpeg(arguments, &making);
            std::fs::rename(&making, &path).expect("the clip gets its name");
        }
        path
    }
}

fn cache() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this test's own executable");
    own.ancestors()
        .find(|directory| directory.join("deps").is_dir())
        .unwrap_or(Path::new("/tmp"))
        .join("framepost-clips")
}

/// Runs ffmpeg with `arguments` and replaces `output`. Panics with ffmpeg's output if it fails.
pub fn ffmpeg<'a>(arguments: impl IntoIterator<Item = &'a str>, output: &Path) {
    let done = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y"])
        .args(arguments)
        .arg(output)
        .output()
        .unwrap_or_else(|error| panic!("ffmpeg cannot be started ({error}); `tests/run` installs it"));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "ffmpeg could not make {}: {said}", output.display());
}
