//! How well activity tells chunks in which something moves from still ones: footage of a known course, and the shared clip
//! of people who come and go. The truth of the clip is ffmpeg's mean difference between neighbouring decoded pictures.

use super::super::activity::{ACTIVE_LEVEL, Quiet};
use super::super::{SegmentSettings, Segmenter};
use super::ffmpeg::{demux, judges, silent};
use super::*;
use std::path::{Path, PathBuf};

/// Start, end and activity of each chunk of 3 s, times in seconds of the file.
fn measured(path: &Path, quiet: &mut Quiet) -> Vec<(f64, f64, Option<f64>)> {
    let (parameters, frames) = demux(path);
    let timescale = f64::from(parameters.video.timescale);
    let begin: Timestamp = "2026-11-20T15:00:00Z".parse().unwrap();
    let wall = |pts: i64| begin + jiff::SignedDuration::from_secs_f64(pts as f64 / timescale);
    let clock = ClockInfo {
        source: ClockSource::Gateway,
        offset_us: None,
        uncertainty_us: None,
        replaced: None,
        rate_ppm: None,
    };
    let mut segmenter = Segmenter::new(SegmentSettings::default(), parameters, clock).with_quiet(quiet.clone());
    let mut outputs = Vec::new();
    for frame in frames.into_iter().filter(|frame| frame.track == TrackKind::Video) {
        let wall = wall(frame.pts);
        outputs.extend(segmenter.push(frame, wall).unwrap());
    }
    quiet.clone_from(segmenter.quiet());
    outputs.extend(segmenter.finish().unwrap());
    let since = |time: Timestamp| time.duration_since(begin).as_secs_f64();
    let chunk = |output| match output {
        Output::Finish { attributes, .. } => {
            let activity = attributes.activity.map(|activity| activity.level);
            Some((since(attributes.from.unwrap()), since(attributes.to.unwrap()), activity))
        }
        _ => None,
    };
    outputs.into_iter().filter_map(chunk).collect()
}

/// Precision and recall of "active" among the chunks of which something is said. Pairs of truth and level.
fn judged(chunks: &[(bool, f64)]) -> (f64, f64) {
    let count = |moves: bool, active: bool| {
        chunks.iter().filter(|(truth, level)| (*truth, *level > ACTIVE_LEVEL) == (moves, active)).count() as f64
    };
    let right = count(true, true);
    let wrong = count(false, true);
    let missed = count(true, false);
    (right / (right + wrong), right / (right + missed))
}

/// A still scene with a camera's noise for 90 s, moving pictures for 60 s, the still scene for 90 s.
fn course(dir: &Path, rate_control: &str) -> PathBuf {
    let path = dir.join("course.mp4");
    let noisy = "format=yuv420p,noise=alls=6:allf=t,setsar=1";
    let graph = format!(
        "smptebars=size=320x180:rate=10:duration=90,{noisy}[a];testsrc2=size=320x180:rate=10:duration=60,{noisy}[b];\
         smptebars=size=320x180:rate=10:duration=90,{noisy}[c];[a][b][c]concat=n=3:v=1[v]"
    );
    let encoder = "-c:v libx264 -preset veryfast -bf 0 -g 10 -movflags +faststart";
    let arguments: Vec<&str> = ["-y", "-filter_complex", &graph, "-map", "[v]"]
        .into_iter()
        .chain(encoder.split_whitespace())
        .chain(rate_control.split_whitespace())
        .chain([path.to_str().unwrap()])
        .collect();
    silent("ffmpeg", &arguments);
    path
}

#[test]
fn a_course_of_stillness_and_motion_is_told_apart() {
    if !judges() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let chunks = measured(&course(dir.path(), "-crf 30"), &mut Quiet::default());
    // Chunks that lie in one part only.
    let inside = chunks.iter().filter(|(from, to, _)| [90.0, 150.0].iter().all(|edge| to <= edge || from >= edge));
    let known: Vec<(bool, f64)> =
        inside.filter_map(|(from, to, level)| Some((*from >= 90.0 && *to <= 150.0, (*level)?))).collect();
    let (precision, recall) = judged(&known);
    println!("course: {} of {} chunks, precision {precision:.2}, recall {recall:.2}", known.len(), chunks.len());
    assert!(known.len() >= 40, "{chunks:?}");
    assert!(precision >= 0.95 && recall >= 0.95, "precision {precision}, recall {recall}: {known:?}");
}

#[test]
fn a_constant_bit_rate_tells_nothing() {
    if !judges() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let constant = "-b:v 400k -minrate 400k -maxrate 400k -bufsize 400k -x264-params nal-hrd=cbr:force-cfr=1";
    let chunks = measured(&course(dir.path(), constant), &mut Quiet::default());
    let told = chunks.iter().filter(|(_, _, level)| level.is_some()).count();
    println!("constant bit rate: something is said of {told} of {} chunks", chunks.len());
    assert_eq!(told, 0, "{chunks:?}");
}

#[test]
fn people_who_come_and_go_are_told_from_the_empty_room() {
    let Some(data) = std::env::var_os("FRAMEPOST_TEST_DATA") else {
        eprintln!("skipped: FRAMEPOST_TEST_DATA is not set, and this test needs its clips");
        return;
    };
    if !judges() {
        return;
    }
    let clip = Path::new(&data).join("clips/one-by-one-person-detection.mp4");
    let filter = "scale=160:-1,signalstats,metadata=print:key=lavfi.signalstats.YDIF:file=-";
    let text = silent("ffmpeg", &["-i", clip.to_str().unwrap(), "-vf", filter, "-f", "null", "-"]);
    let mut differences: Vec<(f64, f64)> = Vec::new();
    let mut at = 0.0;
    for line in text.lines() {
        if let Some((_, time)) = line.split_once("pts_time:") {
            at = time.trim().parse().unwrap();
        } else if let Some((_, difference)) = line.split_once("YDIF=") {
            differences.push((at, difference.parse().unwrap()));
        }
    }
    // Of grey levels, of 255: half a person across the room gives one.
    let moves = |from: f64, to: f64| {
        let within: Vec<f64> =
            differences.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, difference)| *difference).collect();
        within.iter().sum::<f64>() / within.len() as f64 > 1.0
    };
    // As a camera that has been there for a while, and was restarted.
    let mut quiet = Quiet::default();
    measured(&clip, &mut quiet);
    let chunks = measured(&clip, &mut quiet);
    let known: Vec<(bool, f64)> =
        chunks.iter().filter_map(|(from, to, level)| Some((moves(*from, *to), (*level)?))).collect();
    let (precision, recall) = judged(&known);
    println!("people: {} of {} chunks, precision {precision:.2}, recall {recall:.2}", known.len(), chunks.len());
    assert!(known.len() >= 40, "{chunks:?}");
    assert!(precision >= 0.85 && recall >= 0.9, "precision {precision}, recall {recall}: {known:?}");
}
