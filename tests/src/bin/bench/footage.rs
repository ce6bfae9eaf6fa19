//! What is recorded: 1080p at 4 Mb/s with a key frame a second, as of a camera on a busy street.

use framepost_tests::media::ffmpeg;
use std::path::{Path, PathBuf};

/// Ten seconds of it, as a byte stream (ITU-T H.264, annex B).
pub(crate) fn ten_seconds(directory: &Path) -> PathBuf {
    let path = directory.join("ten-seconds.h264");
    let source = "testsrc2=s=1920x1080:r=30,noise=alls=12:allf=t";
    let encoder = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0"];
    let rate = ["-b:v", "4M", "-maxrate", "4M", "-bufsize", "4M", "-pix_fmt", "yuv420p"];
    let slices = ["-x264-params", "sliced-threads=0:slices=1:bframes=0", "-f", "h264"];
    ffmpeg(["-f", "lavfi", "-i", source, "-t", "10"].into_iter().chain(encoder).chain(rate).chain(slices), &path);
    path
}

/// Forty minutes of it in an MP4 of 1.25 GB.
pub(crate) fn forty_minutes(directory: &Path) -> PathBuf {
    minutes(directory, 40)
}

/// So many minutes of it in an MP4, of 31 MB for each.
pub(crate) fn minutes(directory: &Path, minutes: u64) -> PathBuf {
    let ten_seconds = ten_seconds(directory);
    let once = directory.join("ten-seconds.mp4");
    ffmpeg(["-r", "30", "-i", &ten_seconds.to_string_lossy(), "-c", "copy"], &once);
    let path = directory.join(format!("{minutes}-minutes.mp4"));
    let again = (minutes * 6 - 1).to_string();
    ffmpeg(["-stream_loop", &again, "-i", &once.to_string_lossy(), "-c", "copy"], &path);
    path
}
