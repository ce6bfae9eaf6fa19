//! Other programs that save what they can of a damaged file.

use std::path::Path;
use std::process::Command;

/// Most memory of a judge in KiB: damaged sizes make mkvmerge ask for gigabytes.
const JUDGE_LIMIT_KIB: u64 = 2 << 20;

/// A program that judges a damaged file, with limited memory.
fn judge(program: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {JUDGE_LIMIT_KIB}; exec \"$@\""), "sh", program]);
    command
}

/// The digests of the video frames of a file, as ffmpeg reads it.
pub(super) fn judged(path: &Path) -> Vec<String> {
    let output = judge("ffmpeg")
        .args(["-v", "quiet", "-nostdin", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-c", "copy", "-f", "framehash", "-hash", "sha256", "-"])
        .output()
        .expect("ffmpeg is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit([',', ' ']).next().map(str::to_owned)).collect()
}

/// Whether ffmpeg can show anything of a file: frames without parameter sets are copied, but saved for nobody.
pub(super) fn is_shown(path: &Path) -> bool {
    let output = judge("ffmpeg")
        .args(["-v", "quiet", "-nostdin", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-f", "framehash", "-"])
        .output()
        .expect("ffmpeg is installed");
    String::from_utf8_lossy(&output.stdout).lines().any(|line| !line.starts_with('#'))
}

/// The same of what mkvmerge saves of it; nothing where it is not installed.
pub(super) fn merged(path: &Path) -> Vec<String> {
    let out = path.with_extension("merged.mkv");
    let merge = judge("mkvmerge").args(["-q", "-A", "-o"]).arg(&out).arg(path).output();
    let saved = if merge.is_ok() && out.is_file() { judged(&out) } else { Vec::new() };
    let _ = std::fs::remove_file(out);
    saved
}
