//! The console of `framepost up`, in a browser: `tests/console` drives it like a person and checks its types.
//!
//! With `FRAMEPOST_SCREENSHOTS` the pictures that it takes are kept there. `console.png` among them is the README's.

use framepost_tests::binaries::Output;
use framepost_tests::media::{Clip, ffmpeg};
use framepost_tests::onebox::Onebox;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) fn harness() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("console")
}

/// Node and the packages of `tests/console`. `None`, which is said and counted, without them.
pub(crate) fn node() -> Option<Command> {
    let is_there = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there || !harness().join("node_modules/puppeteer-core").is_dir() {
        framepost_tests::skip("no node, or tests/console/node_modules is missing: `tests/run setup` installs both");
        return None;
    }
    Some(Command::new("node"))
}

/// Runs it and shows what it says. Panics if it fails.
pub(crate) fn succeed(command: &mut Command) {
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

/// The times of pictures are read from boxes that anybody may have written.
#[test]
fn the_times_of_pictures_are_read_from_boxes_that_may_lie() {
    let Some(mut node) = node() else { return };
    succeed(node.arg(harness().join("times.mjs")));
}

/// The browser. `None`, which is said and counted, without it.
pub(crate) fn chromium() -> Option<PathBuf> {
    let chromium = PathBuf::from(std::env::var_os("CHROMIUM").unwrap_or("/usr/bin/chromium-headless-shell".into()));
    if !chromium.is_file() {
        framepost_tests::skip("no chromium-headless-shell: `tests/run setup` installs it");
        return None;
    }
    Some(chromium)
}

/// Starts it with these videos, waits until they are read, and returns it with the console's address.
pub(crate) fn up(data: &Path, videos: impl IntoIterator<Item = PathBuf>) -> (Onebox, String) {
    read(Onebox::up(data, &arguments(videos)))
}

/// What it is started with.
pub(crate) fn arguments(videos: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
    let options = ["--stay", "--sign", "--listen", "127.0.0.1:0", "--window", "2s"].map(str::to_owned);
    let videos = videos.into_iter().map(|path| path.into_os_string().into_string().expect("a path"));
    options.into_iter().chain(videos).collect()
}

/// Waits until its videos are read, and returns it with the console's address.
pub(crate) fn read(onebox: Onebox) -> (Onebox, String) {
    let base = address(&onebox);
    onebox.running.wait_for(Output::Stderr, Duration::from_mins(5), |lines| {
        lines.iter().any(|line| line.contains("all files are read")).then_some(())
    });
    (onebox, base)
}

/// Where the console is, from what the onebox prints on standard error.
fn address(onebox: &Onebox) -> String {
    onebox.running.wait_for(Output::Stderr, Duration::from_mins(2), |lines| {
        lines.iter().find_map(|line| Some(line.strip_prefix("console")?.trim().to_owned()))
    })
}

/// Where pictures are kept.
pub(crate) fn pictures(directory: &Path) -> PathBuf {
    std::env::var_os("FRAMEPOST_SCREENSHOTS").map_or(directory.join("pictures"), PathBuf::from)
}

/// Each fault of the line, of files and of clocks is said, and the page goes on by itself when it is over.
#[test]
fn the_console_goes_on_after_what_fails() {
    let (Some(mut node), Some(chromium)) = (node(), chromium()) else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mut onebox, base) = up(&directory.path().join("data"), [Clip::Long.path()]);
    let failing = harness().join("failing.mjs");
    succeed(
        node.arg(failing)
            .args([base.as_str(), "onebox", camera(&Clip::Long.path()).as_str()])
            .arg(pictures(directory.path()))
            .env("CHROMIUM", chromium),
    );
    onebox.end();
}

/// A day of 28 800 files: what the page does for an input depends on what is seen of them, not on how many they are.
#[test]
fn the_console_does_as_much_for_a_day_of_28_800_files_as_for_one_of_288() {
    let (Some(node), Some(chromium)) = (node(), chromium()) else { return };
    day("many.mjs", node, &chromium);
}

/// From an input to the picture that answers it, beside a page that draws nothing.
#[test]
#[ignore = "a benchmark: tests/run bench"]
fn bench() {
    let (Some(node), Some(chromium)) = (node(), chromium()) else { return };
    day("speed.mjs", node, &chromium);
}

/// Five minutes of the built-in camera: how far the picture is behind, and that nothing grows.
#[test]
#[ignore = "a benchmark: tests/run bench"]
fn bench_live() {
    let (Some(mut node), Some(chromium)) = (node(), chromium()) else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut onebox = Onebox::up(&directory.path().join("data"), &["--listen", "127.0.0.1:0"]);
    let base = address(&onebox);
    onebox.running.wait_for(Output::Stdout, Duration::from_mins(1), |lines| (!lines.is_empty()).then_some(()));
    succeed(node.arg(harness().join("live.mjs")).args([base.as_str(), "300"]).env("CHROMIUM", chromium));
    onebox.end();
}

/// Five minutes of the built-in camera as HLS, with hls.js: both playlists, at the same time.
#[test]
#[ignore = "a benchmark: tests/run bench"]
fn bench_live_hls() {
    let (Some(mut node), Some(chromium)) = (node(), chromium()) else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut onebox = Onebox::up(&directory.path().join("data"), &["--listen", "127.0.0.1:0"]);
    let base = address(&onebox);
    onebox.running.wait_for(Output::Stdout, Duration::from_mins(1), |lines| (!lines.is_empty()).then_some(()));
    succeed(node.arg(harness().join("live_hls.mjs")).args([base.as_str(), "300"]).env("CHROMIUM", chromium));
    onebox.end();
}

/// A copy of a recording, recorded at the same time: a file's time says when that was.
fn twin(recording: &Path, copy: &Path) {
    std::fs::copy(recording, copy).expect("a copy");
    recorded_with(recording, copy);
}

/// Says of a recording that it is of the same time as another one.
fn recorded_with(recording: &Path, copy: &Path) {
    let recorded = recording.metadata().and_then(|file| file.modified()).expect("a file's time");
    std::fs::File::options().append(true).open(copy).and_then(|copy| copy.set_modified(recorded)).expect("its time");
}

/// A filter that draws a picture's number as twelve bars, white for 1, the lowest first.
pub(crate) const BARS: &str = "geq=lum='16+219*mod(floor(N/pow(2,floor(X*12/W))),2)':cb=128:cr=128";
/// How tests have pictures coded, and in another order than they are shown.
pub(crate) const CODING: [&str; 10] =
    ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-bf", "0"];
pub(crate) const REORDERING: [&str; 4] = ["-bf", "3", "-x264-params", "b-pyramid=normal:open-gop=0:scenecut=0"];

/// Nine cameras, as many as stand side by side, show one moment: their pictures carry their number.
#[test]
fn nine_cameras_show_one_moment() {
    let (Some(mut node), Some(chromium)) = (node(), chromium()) else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let videos: Vec<PathBuf> = (1..=9).map(|number| directory.path().join(format!("camera{number}.mp4"))).collect();
    let source = "color=c=black:size=240x136:rate=25:duration=40";
    ffmpeg(["-f", "lavfi", "-i", source, "-vf", BARS].into_iter().chain(CODING), &videos[0]);
    for copy in &videos[1..] {
        twin(&videos[0], copy);
    }
    // And one whose camera leaves pictures out, and sends them in another order than they are shown.
    let uneven = directory.path().join("uneven.mp4");
    let thinned = format!("{BARS},select='mod(n,7)-3'");
    let leaving_out = ["-f", "lavfi", "-t", "10", "-i", source, "-vf", &thinned, "-fps_mode", "vfr"];
    ffmpeg(leaving_out.into_iter().chain(CODING).chain(REORDERING), &uneven);
    // And some of the same time that have fewer and more pictures a second.
    let rated = [("slow", 10), ("quick", 50), ("odd", 16)].map(|(name, rate)| {
        let video = directory.path().join(format!("{name}.mp4"));
        let source = format!("color=c=black:size=240x136:rate={rate}:duration=40");
        ffmpeg(["-f", "lavfi", "-i", &source, "-vf", BARS].into_iter().chain(CODING), &video);
        recorded_with(&videos[0], &video);
        (video, rate)
    });
    let all = videos.iter().chain([&uneven]).chain(rated.iter().map(|(video, _)| video)).cloned();
    let (mut onebox, base) = up(&directory.path().join("data"), all);
    succeed(
        node.arg(harness().join("nine.mjs"))
            .args([base.as_str(), "onebox"])
            .arg(pictures(directory.path()))
            .arg(camera(&uneven))
            .arg(rated.each_ref().map(|(video, rate)| format!("{}={rate}", camera(video))).join(","))
            .args(videos.iter().map(|video| camera(video)))
            .env("CHROMIUM", chromium),
    );
    onebox.end();
}

/// Runs a script on two cameras with a day each, of 28 800 files and of 288.
fn day(script: &str, mut node: Command, chromium: &Path) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let many = Clip::H264.path();
    let few = directory.path().join("few.mp4");
    twin(&many, &few);
    let (mut onebox, base) = up(&data, [many.clone(), few.clone()]);
    let mut arguments = vec![base, "onebox".to_owned()];
    for (video, count, times) in [(many, "28800", "1"), (few, "288", "100")] {
        let camera = camera(&video);
        let mut fill = Command::new("python3");
        fill.arg(harness().join("fill.py")).arg(data.join("catalog.db")).args([camera.as_str(), count, times]);
        let Ok(made) = fill.output() else {
            framepost_tests::skip("no python3");
            return;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        arguments.extend([camera, String::from_utf8_lossy(&made.stdout).trim().to_owned()]);
    }
    let script = harness().join(script);
    succeed(node.arg(script).args(arguments).arg(pictures(directory.path())).env("CHROMIUM", chromium));
    onebox.end();
}

/// The name that a file's camera has.
pub(crate) fn camera(video: &Path) -> String {
    video.file_stem().expect("a name").to_string_lossy().into_owned()
}

/// A yard that a car crosses after three seconds, and somebody on foot after fourteen. In the middle, nothing for half a minute.
const YARD: &str = "
    [0] drawbox=y=218:h=142:color=0x67705f:t=fill, drawbox=y=262:h=64:color=0x484c50:t=fill, drawbox=y=258:h=4:color=0x9a9d97:t=fill,
    drawbox=x=40:y=292:w=70:h=4:color=0xc9c7ba:t=fill, drawbox=x=200:y=292:w=70:h=4:color=0xc9c7ba:t=fill,
    drawbox=x=360:y=292:w=70:h=4:color=0xc9c7ba:t=fill, drawbox=x=520:y=292:w=70:h=4:color=0xc9c7ba:t=fill,
    drawbox=x=392:y=96:w=208:h=126:color=0xb7a48d:t=fill, drawbox=x=380:y=74:w=232:h=24:color=0x6d4a3d:t=fill,
    drawbox=x=414:y=124:w=46:h=40:color=0x2f3a44:t=fill, drawbox=x=532:y=124:w=46:h=40:color=0x2f3a44:t=fill,
    drawbox=x=478:y=138:w=38:h=84:color=0x54473c:t=fill, drawbox=x=80:y=134:w=14:h=88:color=0x5a4636:t=fill,
    drawbox=x=46:y=62:w=82:h=84:color=0x4d6a47:t=fill, drawbox=x=60:y=44:w=54:h=24:color=0x577650:t=fill,
    drawbox=x=160:y=176:w=200:h=5:color=0x8d8577:t=fill, drawbox=x=160:y=200:w=200:h=5:color=0x8d8577:t=fill,
    drawbox=x=170:y=166:w=7:h=54:color=0x8d8577:t=fill, drawbox=x=256:y=166:w=7:h=54:color=0x8d8577:t=fill,
    drawbox=x=344:y=166:w=7:h=54:color=0x8d8577:t=fill [yard];
    [1] drawbox=y=24:w=150:h=30:color=0x9d2f27:t=fill, drawbox=x=34:w=78:h=26:color=0x9d2f27:t=fill, drawbox=x=42:y=5:w=28:h=18:color=0xb9c6d0:t=fill,
    drawbox=x=76:y=5:w=28:h=18:color=0xb9c6d0:t=fill, drawbox=x=22:y=46:w=22:h=20:color=0x17191b:t=fill, drawbox=x=108:y=46:w=22:h=20:color=0x17191b:t=fill,
    colorkey=0xff00ff:0.2:0 [car];
    [2] drawbox=x=7:w=12:h=14:color=0xc79a7b:t=fill, drawbox=x=3:y=14:w=20:h=28:color=0x2f4f7d:t=fill, drawbox=x=5:y=42:w=16:h=28:color=0x23262a:t=fill,
    colorkey=0xff00ff:0.2:0 [walker];
    [yard] [car] overlay=x='-160+(t-3)*190':y=254:enable='between(t,3,7.4)' [driven];
    [driven] [walker] overlay=x='620-(t-14)*90':y=196:enable='between(t,14,21)', format=yuv420p, setpts=PTS+gte(N\\,300)*30/TB
";

/// Has ffmpeg draw the yard into this file: a car and then somebody on foot go through it, with a pause between them.
pub(crate) fn draw_yard(output: &Path) {
    let sources = ["color=c=0xa9bccb:size=640x360", "color=c=0xff00ff:size=150x66", "color=c=0xff00ff:size=26x70"];
    let sources: Vec<String> = sources.iter().map(|source| format!("{source}:rate=25:duration=24")).collect();
    let inputs = sources.iter().flat_map(|source| ["-f", "lavfi", "-i", source]);
    let coding = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-bf", "0"];
    let drawing = ["-filter_complex", YARD, "-fps_mode", "passthrough"];
    ffmpeg(inputs.chain(drawing).chain(coding), output);
}

#[test]
fn the_console_shows_what_happened() {
    let (Some(mut node), Some(chromium)) = (node(), chromium()) else { return };
    if !crate::inferred::has_ffmpeg() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let gate = directory.path().join("gate.mkv");
    draw_yard(&gate);
    let yard = directory.path().join("yard.mkv");
    twin(&gate, &yard);
    let videos = [gate, yard, Clip::H264Aac.path(), Clip::H265.path()];
    let names = videos.each_ref().map(|video| camera(video));
    let (mut onebox, base) = read(Onebox::seeing(&directory.path().join("data"), &arguments(videos)));
    let drive = harness().join("drive.mjs");
    succeed(
        node.arg(drive)
            .args([base.as_str(), "onebox"])
            .args(names)
            .arg(pictures(directory.path()))
            .env("CHROMIUM", chromium),
    );
    onebox.end();
}

/// Without arguments, there is a camera that moves and something that is seen on it.
#[test]
fn the_first_start_has_something_to_show() {
    let (Some(mut node), Some(chromium)) = (node(), chromium()) else { return };
    if !crate::inferred::has_ffmpeg() {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let mut onebox = Onebox::seeing(&data, &["--listen", "127.0.0.1:0"]);
    let base = address(&onebox);
    succeed(
        node.arg(harness().join("first.mjs"))
            .args([base.as_str(), "onebox"])
            .arg(data.join("catalog.db"))
            .arg(pictures(directory.path()))
            .env("CHROMIUM", chromium),
    );
    onebox.end();
}

/// The program is killed as by a power cut, and started again at the same address: `dies.mjs` says when.
#[test]
fn the_console_goes_on_when_its_server_was_killed() {
    let (Some(mut node), Some(chromium)) = (node(), chromium()) else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let listen = free.to_string();
    let start = || Onebox::up(&data, &["--listen", listen.as_str()]);
    let mut onebox = start();
    let base = address(&onebox);
    let script = harness().join("dies.mjs");
    let node = node.arg(script).args([base.as_str(), "onebox"]).env("CHROMIUM", chromium).stdout(Stdio::piped());
    let mut running = node.spawn().expect("node starts");
    let said = BufReader::new(running.stdout.take().expect("its output"));
    for line in said.lines().map_while(Result::ok) {
        println!("{line}");
        match line.as_str() {
            "die" => onebox.running.kill(),
            "come back" => onebox = start(),
            _ => {}
        }
    }
    assert!(running.wait().expect("its end").success(), "what it says is above");
    onebox.end();
}

#[test]
fn the_picture_of_the_readme_is_small() {
    let picture = std::fs::read(harness().join("console.png")).expect("the picture");
    assert!(picture.starts_with(b"\x89PNG"), "it is a picture");
    assert!(picture.len() <= 200_000, "{} bytes", picture.len());
}
