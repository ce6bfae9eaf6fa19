//! The console of `framepost up`, in a browser: `tests/console` drives it like a person and checks its types.
//!
//! With `FRAMEPOST_PICTURES` the pictures that it takes are kept there. `console.png` among them is the README's.

use framepost_tests::binaries::Output;
use framepost_tests::media::{Clip, ffmpeg};
use framepost_tests::onebox::Onebox;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn harness() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("console")
}

/// Node and the packages of `tests/console`. `None`, which is said and counted, without them.
fn node() -> Option<Command> {
    let is_there = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there || !harness().join("node_modules/puppeteer-core").is_dir() {
        framepost_tests::skip("no node, or tests/console/node_modules is missing: `tests/run setup` installs both");
        return None;
    }
    Some(Command::new("node"))
}

/// Runs it and shows what it says. Panics if it fails.
fn succeed(command: &mut Command) {
    let output = command.output().expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_modules_have_their_types() {
    let Some(mut node) = node() else { return };
    succeed(node.arg(harness().join("node_modules/typescript/bin/tsc")).arg("-p").arg(harness()));
}

#[test]
fn the_console_shows_what_happened() {
    let Some(mut node) = node() else { return };
    let chromium = PathBuf::from(std::env::var_os("CHROMIUM").unwrap_or("/usr/bin/chromium-headless-shell".into()));
    if !chromium.is_file() {
        framepost_tests::skip("no chromium-headless-shell: `tests/run setup` installs it");
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    // In the middle, nothing for half a minute: the gateway records a gap.
    let gate = directory.path().join("gate.mkv");
    let source = "testsrc2=size=640x360:rate=25:duration=24";
    let arguments = ["-f", "lavfi", "-i", source, "-vf", "setpts=PTS+gte(N\\,300)*30/TB", "-fps_mode", "passthrough"];
    let coding = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0"];
    ffmpeg(arguments.into_iter().chain(coding), &gate);
    let yard = directory.path().join("yard.mkv");
    std::fs::copy(&gate, &yard).expect("a copy");
    let videos = [gate, yard, Clip::H264Aac.path(), Clip::H265.path()]
        .map(|path| path.into_os_string().into_string().expect("a path"));
    let options = ["--stay", "--sign", "--listen", "127.0.0.1:0", "--window", "2s"];
    let data = directory.path().join("data");
    let mut onebox = Onebox::up(&data, &options.map(str::to_owned).into_iter().chain(videos).collect::<Vec<_>>());
    let base = onebox.running.wait_for(Output::Stderr, Duration::from_secs(30), |lines| {
        lines.iter().find_map(|line| Some(line.strip_prefix("console")?.trim().to_owned()))
    });
    onebox.running.wait_for(Output::Stderr, Duration::from_mins(1), |lines| {
        lines.iter().any(|line| line.contains("all files are read")).then_some(())
    });
    let pictures = std::env::var_os("FRAMEPOST_PICTURES").map_or(directory.path().join("pictures"), PathBuf::from);
    let drive = harness().join("drive.mjs");
    succeed(node.arg(drive).args([base.as_str(), "onebox", "gate", "yard"]).arg(pictures).env("CHROMIUM", chromium));
    onebox.end();
}
