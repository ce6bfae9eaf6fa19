//! `framepost detect --draw DIR --blur`: boxes on pictures in which nobody can be recognised, and no other picture anywhere.
//!
//! The kernel is the judge of what is written: a process that makes a file longer than `ulimit -f` is ended by a signal, and so is
//! each of its children.

use crate::drawn::{SPREAD, assert_drawn, boxes, decoded, detect, detect_with, has};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The most squares along the longer side of a picture.
const SQUARES: usize = 12;
/// JPEG codes colours in blocks of so many pixels.
const CODED: usize = 16;
/// The unit of `ulimit -f`, in bytes (POSIX).
const UNIT: u64 = 512;

/// The mean of all pixels of each square.
fn means(pixels: &[[u8; 3]], (width, height): (usize, usize)) -> Vec<[f64; 3]> {
    let side = width.max(height).div_ceil(SQUARES);
    let mut squares = vec![Vec::new(); width.div_ceil(side) * height.div_ceil(side)];
    for (at, pixel) in pixels.iter().enumerate() {
        squares[at / width / side * width.div_ceil(side) + at % width / side].push(*pixel);
    }
    squares.iter().map(|square| mean(square)).collect()
}

/// The pixels of each square that lie in coded blocks which lie in no other square, without the edge of each block, where a
/// decoder may smooth colours.
fn squares(pixels: &[[u8; 3]], (width, height): (usize, usize)) -> Vec<Vec<[u8; 3]>> {
    let side = width.max(height).div_ceil(SQUARES);
    let columns = width.div_ceil(side);
    let mut squares = vec![Vec::new(); columns * height.div_ceil(side)];
    for top in (0..height / CODED).map(|row| row * CODED) {
        for left in (0..width / CODED).map(|column| column * CODED) {
            if top / side != (top + CODED - 1) / side || left / side != (left + CODED - 1) / side {
                continue;
            }
            for y in top + 2..top + CODED - 2 {
                squares[top / side * columns + left / side].extend(&pixels[y * width..][left + 2..left + CODED - 2]);
            }
        }
    }
    squares
}

fn mean(pixels: &[[u8; 3]]) -> [f64; 3] {
    [0, 1, 2].map(|at| pixels.iter().map(|pixel| f64::from(pixel[at])).sum::<f64>() / pixels.len() as f64)
}

/// How many of the squares show anything but one colour.
fn with_detail(squares: &[Vec<[u8; 3]>]) -> usize {
    squares.iter().filter(|square| square.iter().any(|pixel| pixel != &square[0])).count()
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.mp4")
}

#[test]
fn boxes_are_drawn_on_pictures_without_any_detail() {
    if !has("ffmpeg") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let size = (640, 360);
    let [with, without] = [&[][..], &[("FRAMEPOST_LABELS", "nothing")]].map(|variables| {
        let drawn = dir.path().join(if variables.is_empty() { "with" } else { "without" });
        detect_with("motion:", &["--blur"], &drawn, &demo(), variables)
    });
    let sharp = detect("motion:", &dir.path().join("sharp"), &demo(), &[("FRAMEPOST_LABELS", "nothing")]);
    assert!(with.frames.len() > 1 && with.frames.len() == without.frames.len());
    let mut drawn = 0;
    for ((frame, plain), sharp_frame) in with.frames.iter().zip(&without.frames).zip(&sharp.frames) {
        let shown = with.picture(frame).display().to_string();
        let coarse = decoded(&without.picture(plain), size);
        // Nothing but one colour in each square, which is about that of the picture there.
        let coarse_squares = squares(&coarse, size);
        assert!(coarse_squares.iter().all(|square| square.len() > 100), "{shown}: {SQUARES} along the longer side");
        assert_eq!(with_detail(&coarse_squares), 0, "{shown}");
        let sharp_picture = decoded(&sharp.picture(sharp_frame), size);
        let sharp_squares = squares(&sharp_picture, size);
        assert!(
            with_detail(&sharp_squares) * 2 > sharp_squares.len(),
            "{shown}: the judge sees detail where there is some"
        );
        assert!(size.0.div_ceil(SQUARES) > 2 * SPREAD, "a square is wider than what coding spreads");
        for (coarse, sharp) in coarse_squares.iter().zip(means(&sharp_picture, size)) {
            let coarse = mean(coarse);
            let differs = coarse.iter().zip(sharp).any(|(coarse, sharp)| (coarse - sharp).abs() > 6.0);
            assert!(!differs, "{shown}: {coarse:?} where the picture is {sharp:?}");
        }
        // And the boxes, as on any picture.
        let found = boxes(frame, "motion");
        drawn += found.len();
        assert_drawn(&decoded(&with.picture(frame), size), &coarse, &found, size, &shown);
    }
    assert!(drawn > with.frames.len() / 2, "{drawn} boxes in {} pictures", with.frames.len());
}

/// Runs `framepost detect` in `dir`, whose `tmp` is its directory of temporary files. No file may grow longer than so many bytes.
fn limited(dir: &Path, bytes: u64, arguments: &[&str]) -> Output {
    std::fs::create_dir_all(dir.join("tmp")).unwrap();
    let script = format!("ulimit -f {} && exec \"$0\" detect --detector motion: \"$@\"", bytes.div_ceil(UNIT));
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_framepost")]).args(arguments).current_dir(dir);
    command.env("TMPDIR", dir.join("tmp")).output().unwrap()
}

/// The files below a directory with their lengths, but for the clip.
fn files(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        match entry.metadata().unwrap() {
            metadata if metadata.is_dir() => found.extend(files(&entry.path())),
            metadata if entry.file_name() != "gate.mp4" => found.push((entry.path(), metadata.len())),
            _ => {}
        }
    }
    found.sort();
    found
}

#[test]
fn no_picture_is_written_but_those_that_are_asked_for() {
    if !has("ffmpeg") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // As a gateway writes it, so that it is not laid into a file for ffmpeg to seek in.
    let mut cut = Command::new("ffmpeg");
    cut.args(["-nostdin", "-v", "error", "-t", "2", "-i"]).arg(demo()).args(["-an", "-c:v", "libx264", "-movflags"]);
    let cut = cut.args(["frag_keyframe+empty_moov+default_base_moof"]).arg(dir.join("gate.mp4")).output().unwrap();
    assert!(cut.status.success(), "{}", String::from_utf8_lossy(&cut.stderr));
    let said = |output: &Output| format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr));

    let nothing = limited(dir, 0, &["gate.mp4"]);
    assert!(
        nothing.status.success() && !nothing.stdout.is_empty(),
        "without a single byte in a file: {}",
        said(&nothing)
    );
    assert_eq!(files(dir), []);

    let unlimited = 1 << 30;
    let coarse = limited(dir, unlimited, &["--draw", "coarse", "--blur", "gate.mp4"]);
    assert!(coarse.status.success(), "{}", said(&coarse));
    let written = files(dir);
    assert!(written.len() > 1 && written.iter().all(|(path, _)| path.starts_with(dir.join("coarse"))), "{written:?}");
    let longest = written.iter().map(|(_, bytes)| *bytes).max().unwrap();
    let sharp = limited(dir, unlimited, &["--draw", "sharp", "gate.mp4"]);
    assert!(sharp.status.success(), "{}", said(&sharp));
    let sharp = files(&dir.join("sharp"));
    assert_eq!(sharp.len(), written.len());
    // So no file can hold a picture that is not blurred, not even for a moment.
    let allowed = longest.next_multiple_of(UNIT);
    assert!(sharp.iter().all(|(_, bytes)| *bytes > allowed), "{sharp:?} are longer than {allowed}");
    std::fs::remove_dir_all(dir.join("sharp")).unwrap();
    let again = limited(dir, allowed, &["--draw", "coarse", "--blur", "gate.mp4"]);
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(files(dir), written);
    assert!(!limited(dir, allowed, &["--draw", "sharp", "gate.mp4"]).status.success(), "the kernel judges");
}

#[test]
fn pictures_are_blurred_only_where_they_are_drawn() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framepost"));
    let output = command.args(["detect", "--blur", "gate.mp4"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--draw <DIR>"), "{told}");
}
