//! The console in another browser than Chromium, and in one whose memory is full.

use crate::console::{
    BARS, CODING, REORDERING, arguments, camera, chromium, draw_yard, harness, node, pictures, read, succeed, up,
};
use framepost_tests::media::ffmpeg;
use framepost_tests::onebox::Onebox;
use std::path::PathBuf;

/// The browser with its whole path. `None`, which is said and counted, without it.
fn firefox() -> Option<PathBuf> {
    let firefox = PathBuf::from(std::env::var_os("FIREFOX").unwrap_or("/usr/bin/firefox-esr".into()));
    if !firefox.is_file() {
        framepost_tests::skip("no firefox-esr: `tests/run setup` installs it");
        return None;
    }
    Some(firefox)
}

/// Firefox goes through the page: its player, single pictures, what was seen, an export, search, two cameras at once.
#[test]
fn firefox_shows_it_as_well() {
    let (Some(mut node), Some(firefox)) = (node(), firefox()) else { return };
    if !crate::inferred::has_ffmpeg() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let numbered = directory.path().join("numbered.mp4");
    let source = "color=c=black:size=240x136:rate=25:duration=20";
    ffmpeg(["-f", "lavfi", "-i", source, "-vf", BARS].into_iter().chain(CODING).chain(REORDERING), &numbered);
    let yard = directory.path().join("yard.mkv");
    draw_yard(&yard);
    let names = [&numbered, &yard].map(|video| camera(video));
    let (mut onebox, base) = read(Onebox::seeing(&directory.path().join("data"), &arguments([numbered, yard])));
    node.arg(harness().join("elsewhere.mjs")).arg("firefox").arg(firefox).args([base.as_str(), "onebox"]);
    succeed(node.args(names).arg(pictures(directory.path())));
    onebox.end();
}

/// Twelve seconds of this video do not fit into the memory that the browser has for it: what comes next waits until there is room.
#[test]
fn it_plays_on_where_the_browsers_memory_is_full() {
    let (Some(mut node), Some(chromium)) = (node(), chromium()) else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let noisy = directory.path().join("noisy.mp4");
    let source = "nullsrc=size=240x136:rate=25:duration=20,geq=random(1)*255:128:128";
    let coding = ["-b:v", "1000k", "-minrate", "1000k", "-maxrate", "1000k", "-bufsize", "1000k"];
    ffmpeg(["-f", "lavfi", "-i", source].into_iter().chain(CODING).chain(coding), &noisy);
    let name = camera(&noisy);
    let (mut onebox, base) = up(&directory.path().join("data"), [noisy]);
    node.arg(harness().join("full.mjs")).args([base.as_str(), "onebox", name.as_str()]);
    succeed(node.env("CHROMIUM", chromium));
    onebox.end();
}
