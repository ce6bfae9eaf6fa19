//! `keep = "keyframes"` and `keep = { every = N }` with the real program: for each GOP structure, the frames
//! that the README promises are kept, and they decode without the others.
//!
//! ffprobe decodes every chunk and reports the type of each picture.

use framepost_events::KeyKind;
use framepost_tests::binaries::Running;
use framepost_tests::bucket::Bucket;
use framepost_tests::edge;
use framepost_tests::judge::decodes;
use framepost_tests::media::ffmpeg;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Number of pictures of each type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Pictures {
    i: usize,
    p: usize,
    b: usize,
}

impl std::ops::Add for Pictures {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { i: self.i + other.i, p: self.p + other.p, b: self.b + other.b }
    }
}

fn pictures(file: &Path) -> Pictures {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "frame=pict_type", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .expect("ffprobe can be started");
    assert!(output.stderr.is_empty(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let count = |kind: char| text.lines().filter(|line| line.starts_with(kind)).count();
    Pictures { i: count('I'), p: count('P'), b: count('B') }
}

/// Makes four seconds at 25 frames a second, with `gop` frames in a group and
/// `bframes` between two reference frames.
fn clip(directory: &Path, gop: u32, bframes: u32) -> std::path::PathBuf {
    let path = directory.join(format!("{gop}-{bframes}.mp4"));
    let options =
        format!("keyint={gop}:min-keyint={gop}:scenecut=0:bframes={bframes}:b-adapt=0:b-pyramid=none:open-gop=0");
    let source = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=4", "-pix_fmt", "yuv420p"];
    ffmpeg(source.into_iter().chain(["-c:v", "libx264", "-preset", "ultrafast", "-x264-params", &options]), &path);
    path
}

#[test]
fn each_structure_keeps_what_is_promised() {
    const ALL: Pictures = Pictures { i: 100, p: 0, b: 0 };
    const KEYS: Pictures = Pictures { i: 4, p: 0, b: 0 };
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (gop, bframes, whole, keep, kept) in [
        // Every frame is a keyframe.
        (1, 0, ALL, "keyframes", ALL),
        (1, 0, ALL, "every=4", Pictures { i: 25, p: 0, b: 0 }),
        // I b P b P …
        (25, 1, Pictures { i: 4, p: 48, b: 48 }, "keyframes", KEYS),
        (25, 1, Pictures { i: 4, p: 48, b: 48 }, "every=2", Pictures { i: 4, p: 48, b: 0 }),
        (25, 1, Pictures { i: 4, p: 48, b: 48 }, "every=10", Pictures { i: 4, p: 48, b: 0 }),
        // I b b b P …: one in two needs some of the b frames.
        (25, 3, Pictures { i: 4, p: 24, b: 72 }, "every=2", Pictures { i: 4, p: 24, b: 24 }),
        // I P P P …
        (25, 0, Pictures { i: 4, p: 96, b: 0 }, "keyframes", KEYS),
        (25, 0, Pictures { i: 4, p: 96, b: 0 }, "every=5", Pictures { i: 4, p: 96, b: 0 }),
    ] {
        let case = format!("groups of {gop} with {bframes} b, {keep}");
        let clip = clip(directory.path(), gop, bframes);
        assert_eq!(pictures(&clip), whole, "{case}: the clip is what it should be");
        let place = tempfile::tempdir_in(directory.path()).expect("a temporary directory");
        let archive = place.path().join("archive");
        let mut command = edge::backfill(&clip, &place.path().join("spool"), &format!("file://{}", archive.display()));
        command.args(["--start", "2026-11-20T12:00:00Z", "--window", "2s", "--keep", keep]);
        Running::start(&mut command).wait_for_exit_code(0, Duration::from_mins(1));
        let chunks = Bucket::at(&archive).of("gate", KeyKind::Chunk);
        assert!(chunks.len() > 1, "{case}: {} chunks", chunks.len());
        let mut found = Pictures::default();
        for chunk in chunks {
            decodes(&chunk.path).unwrap_or_else(|fault| panic!("{case}: {}: {fault}", chunk.key));
            found = found + pictures(&chunk.path);
        }
        assert_eq!(found, kept, "{case}");
    }
}
