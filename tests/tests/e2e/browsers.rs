//! The console in another browser than Chromium.

use crate::console::{
    BARS, CODING, REORDERING, arguments, camera, draw_yard, harness, node, pictures, read, succeed,
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
