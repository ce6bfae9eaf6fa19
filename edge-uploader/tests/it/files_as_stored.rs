//! Files that are odd or damaged, by the program, into a bucket: what is there afterwards, and what the exit code says.

use framepost_events::gap::{Gap, GapCause};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PICTURE: &str = "-f lavfi -i testsrc2=size=192x108:rate=25:duration=8";
const H264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -x264-params threads=1:keyint=25:scenecut=0:log=-1";

fn ffmpeg(arguments: &str, output: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-nostdin", "-threads", "1"])
        .args(arguments.split_whitespace())
        .args(["-metadata", "creation_time=2026-01-02T03:04:05Z"])
        .arg(output)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success(), "ffmpeg {arguments}");
}

/// A run of the program over one file, and the objects that it left.
struct Run {
    output: Output,
    chunks: Vec<PathBuf>,
    gaps: Vec<Gap>,
}

impl Run {
    fn frames(&self) -> usize {
        self.chunks
            .iter()
            .map(|chunk| probed(chunk, "-count_packets -show_entries stream=nb_read_packets"))
            .map(|text| text.parse::<usize>().unwrap())
            .sum()
    }
}

fn backfill(file: &Path) -> Run {
    backfill_with(file, &[])
}

fn backfill_with(file: &Path, options: &[&str]) -> Run {
    let directory = tempfile::tempdir().unwrap().keep();
    let bucket = directory.join("bucket");
    let spool = directory.join("spool");
    let output = Command::new(env!("CARGO_BIN_EXE_edge-uploader"))
        .args(["backfill", "--site", "plant-7", "--camera", "gate", "--to"])
        .arg(format!("file://{}", bucket.display()))
        .arg("--spool")
        .arg(spool)
        .args(options)
        .arg(file)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let mut objects = Vec::new();
    below(&bucket, &mut objects);
    objects.sort();
    let of =
        |suffix: &'static str| objects.iter().filter(move |path| path.to_str().unwrap().ends_with(suffix)).cloned();
    let gaps = of(".mp4_gap").map(|path| Gap::from_json(&std::fs::read(path).unwrap()).unwrap()).collect();
    Run { output, chunks: of(".mp4").collect(), gaps }
}

fn below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { below(&path, found) } else { found.push(path) }
    }
}

/// What ffprobe prints of a file's video.
fn probed(path: &Path, show: &str) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-of", "csv=p=0"])
        .args(show.split_whitespace())
        .arg(path)
        .output()
        .expect("ffprobe is installed");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Every place of a box in a file.
fn places(bytes: &[u8], kind: [u8; 4]) -> Vec<usize> {
    (4..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(&kind)).map(|at| at - 4).collect()
}

#[test]
fn damage_is_a_gap_and_an_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fragments.mp4");
    ffmpeg(&format!("{PICTURE} {H264} -movflags +frag_keyframe+empty_moov+default_base_moof"), &file);
    let whole = backfill(&file);
    assert!(whole.output.status.success() && whole.gaps.is_empty(), "{:?}", whole.output);
    assert_eq!(whole.frames(), 200);

    let mut bytes = std::fs::read(&file).unwrap();
    let moof = places(&bytes, *b"moof")[4];
    bytes[moof..moof + 512].fill(0);
    std::fs::write(&file, &bytes).unwrap();
    let damaged = backfill(&file);
    assert_eq!(damaged.output.status.code(), Some(1), "{:?}", damaged.output);
    let said = String::from_utf8_lossy(&damaged.output.stderr).into_owned();
    assert!(said.contains("the file is not whole"), "{said}");
    assert_eq!(damaged.frames(), 175);
    let [gap] = &damaged.gaps[..] else { panic!("{:?}", damaged.gaps) };
    assert_eq!(gap.cause, GapCause::SourceDamaged);
    let lost = gap.source_bytes.unwrap();
    assert_eq!(lost.start, moof as u64);
    assert!(lost.end > lost.start && lost.end < bytes.len() as u64);
    assert_eq!(
        (gap.from.to_string().as_str(), gap.to.to_string().as_str()),
        ("2026-01-02T03:04:09Z", "2026-01-02T03:04:10Z")
    );
}

#[test]
fn losses_close_together_are_a_gap_each() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fragments.mp4");
    ffmpeg(&format!("{PICTURE} {H264} -movflags +frag_keyframe+empty_moov+default_base_moof"), &file);
    let mut bytes = std::fs::read(&file).unwrap();
    let moofs = places(&bytes, *b"moof");
    let lost = [moofs[2], moofs[4], moofs[6]];
    for moof in lost {
        bytes[moof..moof + 512].fill(0);
    }
    std::fs::write(&file, &bytes).unwrap();
    let run = backfill(&file);
    assert_eq!((run.output.status.code(), run.frames()), (Some(1), 125), "{:?}", run.output);
    let starts: Vec<u64> = run.gaps.iter().filter_map(|gap| gap.source_bytes.map(|bytes| bytes.start)).collect();
    assert_eq!(starts, lost.map(|moof| moof as u64), "{:?}", run.gaps);
    let lasted = run.gaps.iter().map(|gap| gap.to.duration_since(gap.from).as_secs());
    assert!(lasted.eq([1, 1, 1]), "{:?}", run.gaps);
}

/// Each fragment is dated before the one before it, as in a file that was joined of many, or that a stranger made.
#[test]
fn times_that_go_back_all_the_time_cost_no_frame_and_are_no_flood_of_objects() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("fragments.mp4");
    let groups = H264.replace("keyint=25", "keyint=5");
    ffmpeg(&format!("{PICTURE} {groups} -movflags +frag_keyframe+empty_moov+default_base_moof"), &file);
    let mut bytes = std::fs::read(&file).unwrap();
    let times = places(&bytes, *b"tfdt");
    assert!(times.len() >= 40, "{}", times.len());
    for (n, at) in times.iter().enumerate() {
        let (fields, width) = if bytes[at + 8] == 0 { (at + 12, 4) } else { (at + 12, 8) };
        // A second apart, in any timescale of an encoder.
        let time = ((times.len() - n) as u64 * 100_000).to_be_bytes();
        bytes[fields..fields + width].copy_from_slice(&time[8 - width..]);
    }
    std::fs::write(&file, &bytes).unwrap();
    let run = backfill(&file);
    assert_eq!(run.frames(), 200, "{:?}", run.output);
    let said = String::from_utf8_lossy(&run.output.stderr).into_owned();
    assert!(said.matches("start again from an earlier time").count() > 30, "{said}");
    // Eight, and one for each of the three windows.
    assert!(run.gaps.len() <= 12 && run.chunks.len() <= 16, "{} gaps, {} chunks", run.gaps.len(), run.chunks.len());
}

/// What is lost before the first picture, and after the last one, is a gap of length zero, because nobody knows how long it was.
#[test]
fn damage_at_both_ends_is_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let fragments = directory.path().join("fragments.mp4");
    ffmpeg(&format!("{PICTURE} {H264} -movflags +frag_keyframe+empty_moov+default_base_moof"), &fragments);
    let tables = directory.path().join("tables.mp4");
    ffmpeg(&format!("-i {} -c copy -movflags +faststart", fragments.display()), &tables);
    let matroska = directory.path().join("clusters.mkv");
    ffmpeg(&format!("-i {} -c copy -cluster_time_limit 1000", fragments.display()), &matroska);
    for file in [fragments, tables, matroska] {
        let whole = std::fs::read(&file).unwrap();
        let mut parts = places(&whole, *b"moof");
        parts.extend((4..whole.len() - 4).filter(|at| whole[*at..].starts_with(&[0x1f, 0x43, 0xb6, 0x75])));
        let mdat = *places(&whole, *b"mdat").first().unwrap_or(&0);
        let (first, last) = match parts[..] {
            // With tables, what is lost has to lie outside of the file.
            [] => (None, Some(mdat + (whole.len() - mdat) / 2)),
            [first, .., last] => (Some(first..first + 900), Some(last)),
            [only] => panic!("one part at {only}"),
        };
        if let Some(first) = first {
            let mut bytes = whole.clone();
            bytes[first].fill(0);
            let damaged = directory.path().join("first").with_extension(file.extension().unwrap());
            std::fs::write(&damaged, &bytes).unwrap();
            let run = backfill(&damaged);
            assert_eq!(run.output.status.code(), Some(1), "{file:?}: {:?}", run.output);
            assert!((150..200).contains(&run.frames()), "{file:?}: {}", run.frames());
            let [gap] = &run.gaps[..] else { panic!("{file:?}: {:?} {:?}", run.gaps, run.output) };
            assert_eq!((gap.cause, gap.to), (GapCause::SourceDamaged, gap.from), "{file:?}: {gap:?}");
            assert!(gap.source_bytes.is_some_and(|bytes| bytes.start < bytes.end), "{file:?}: {gap:?}");
        }
        if let Some(last) = last {
            let damaged = directory.path().join("last").with_extension(file.extension().unwrap());
            std::fs::write(&damaged, &whole[..last + 40]).unwrap();
            // It was not touched for long, so it will not get longer.
            let run = backfill_with(&damaged, &["--final"]);
            assert_eq!(run.output.status.code(), Some(1), "{file:?}: {:?}", run.output);
            assert!((50..200).contains(&run.frames()), "{file:?}: {}", run.frames());
            let Some(gap) = run.gaps.last() else { panic!("{file:?}: {:?}", run.output) };
            assert_eq!((gap.cause, gap.to), (GapCause::SourceDamaged, gap.from), "{file:?}: {gap:?}");
        }
    }
}

#[test]
fn a_hole_is_a_gap_and_no_damage() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("hole.mkv");
    // A long time is missing in the middle.
    ffmpeg(&format!("{PICTURE} {H264} -bsf:v setts=ts=PTS+600/TB*gte(PTS*TB\\,4)"), &file);
    let run = backfill(&file);
    assert!(run.output.status.success(), "{:?}", run.output);
    assert_eq!(run.frames(), 200);
    let [gap] = &run.gaps[..] else { panic!("{:?}", run.gaps) };
    assert_eq!((gap.cause, gap.source_bytes), (GapCause::NotInSource, None));
    let times = probed(&file, "-show_entries packet=pts_time");
    let times: Vec<f64> = times.lines().map(|time| time.trim_end_matches(',').parse().unwrap()).collect();
    let hole = times.windows(2).map(|times| times[1] - times[0]).fold(0.0, f64::max);
    let length = (gap.to.as_millisecond() - gap.from.as_millisecond()) as f64 / 1000.0;
    assert!(hole > 13.0 && (hole - length).abs() <= 0.081, "{hole} s: {gap:?}");
}

/// A box type of four letters in all places of a file.
fn renamed(file: &Path, from: [u8; 4], to: [u8; 4]) {
    let bytes = std::fs::read(file).unwrap();
    std::fs::write(file, renamed_in(bytes, from, to)).unwrap();
}

#[test]
fn pictures_keep_their_place_and_shape() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("turned.mp4");
    ffmpeg(&format!("{PICTURE} {H264} -aspect 16:10"), &file);
    let plain = std::fs::read(&file).unwrap();
    let tkhd = places(&plain, *b"tkhd")[0];
    assert_eq!(plain[tkhd + 8], 0, "a version with 32 bits");
    let one = 1_i32 << 16;
    for matrix in [[one, 0, 0, one], [0, one, -one, 0], [-one, 0, 0, -one], [0, -one, one, 0], [-one, 0, 0, one]] {
        let mut bytes = plain.clone();
        for (n, value) in [0, 1, 3, 4].into_iter().zip(matrix) {
            bytes[tkhd + 48 + 4 * n..][..4].copy_from_slice(&value.to_be_bytes());
        }
        std::fs::write(&file, &bytes).unwrap();
        let run = backfill(&file);
        assert!(run.output.status.success(), "{:?}", run.output);
        for show in ["-show_entries stream=sample_aspect_ratio", "-show_entries stream_side_data=rotation"] {
            assert_eq!(probed(&run.chunks[0], show), probed(&file, show), "{matrix:?} {show}");
        }
        let chunk = std::fs::read(&run.chunks[0]).unwrap();
        let at = places(&chunk, *b"tkhd")[0];
        assert_eq!(chunk[at + 60..at + 96], bytes[tkhd + 48..tkhd + 84], "{matrix:?}");
    }
}

/// Where the container says nothing of the shape of a pixel, the VUI parameters of the SPS count (H.264 and H.265 Table E-1).
#[test]
fn shapes_that_only_the_parameter_sets_tell_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let h265 =
        "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params pools=1:keyint=25:log-level=none -tag:v hvc1";
    for (codec, filter) in [(H264, "h264_metadata"), (h265, "hevc_metadata")] {
        let plain = directory.path().join("plain.mp4");
        ffmpeg(&format!("{PICTURE} {codec}"), &plain);
        // Two of Table E-1, and one that is written out (Extended_SAR).
        for aspect in ["12/11", "40/33", "7/5"] {
            for container in ["mp4", "mkv"] {
                let file = directory.path().join(format!("aspect.{container}"));
                let copy = format!("-i {} -c copy -bsf:v {filter}=sample_aspect_ratio={aspect}", plain.display());
                ffmpeg(&copy, &file);
                let bytes = std::fs::read(&file).unwrap();
                let hidden =
                    if container == "mp4" { renamed_in(bytes, *b"pasp", *b"free") } else { without_display(bytes) };
                std::fs::write(&file, hidden).unwrap();
                let run = backfill(&file);
                assert!(run.output.status.success(), "{:?}", run.output);
                let found = probed(&run.chunks[0], "-show_entries stream=sample_aspect_ratio");
                assert_eq!(found, aspect.replace('/', ":"), "{filter} {container}");
                let chunk = std::fs::read(&run.chunks[0]).unwrap();
                let pasp = places(&chunk, *b"pasp")[0] + 8;
                let sides = aspect.split('/').flat_map(|side| side.parse::<u32>().unwrap().to_be_bytes());
                assert_eq!(chunk[pasp..pasp + 8], sides.collect::<Vec<u8>>(), "{filter} {container}");
            }
        }
    }
}

fn renamed_in(mut bytes: Vec<u8>, from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    for at in places(&bytes, from) {
        bytes[at + 4..at + 8].copy_from_slice(&to);
    }
    bytes
}

/// A Matroska file whose elements DisplayWidth and DisplayHeight, if there are any, are empty space (RFC 9559 §5.1.4.1.28.11).
fn without_display(mut bytes: Vec<u8>) -> Vec<u8> {
    for id in [[0x54, 0xb0], [0x54, 0xba]] {
        let found = bytes.windows(3).position(|head| head[..2] == id && (0x81..=0x84).contains(&head[2]));
        if let Some(at) = found {
            // A Void of the same length: an ID of one byte, a size of two.
            let size = bytes[at + 2] & 0x7f;
            bytes[at..at + 3].copy_from_slice(&[0xec, 0x40, size]);
        }
    }
    bytes
}

#[test]
fn matroska_turns_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("turned.mkv");
    ffmpeg(&format!("{PICTURE} {H264}"), &file);
    let edit = Command::new("mkvpropedit")
        .arg(&file)
        .args(["-q", "--edit", "track:v1", "--set", "projection-pose-roll=-90"])
        .status();
    if !edit.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no mkvpropedit");
        return;
    }
    let run = backfill(&file);
    assert!(run.output.status.success(), "{:?}", run.output);
    // A quarter turn clockwise, which ffprobe counts the other way round.
    assert_eq!(probed(&run.chunks[0], "-show_entries stream_side_data=rotation"), "-90");
}

#[test]
fn what_others_accept_is_accepted() {
    let directory = tempfile::tempdir().unwrap();
    let h265 = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params pools=1:keyint=25:log-level=none";
    for (from, to, codec) in
        [(*b"hvc1", *b"dvh1", h265), (*b"hev1", *b"dvhe", h265), (*b"avc1", *b"dva1", H264), (*b"avc1", *b"dvav", H264)]
    {
        let file = directory.path().join("dolby.mp4");
        let tag = String::from_utf8(from.to_vec()).unwrap();
        ffmpeg(&format!("{PICTURE} {codec} -tag:v {tag}"), &file);
        renamed(&file, from, to);
        let run = backfill(&file);
        assert!(run.output.status.success() && run.frames() == 200, "{tag}: {:?}", run.output);
    }
    for container in ["mp4", "mkv"] {
        let picture = directory.path().join("picture.mp4");
        let file = directory.path().join(format!("sound-first.{container}"));
        ffmpeg(&format!("{PICTURE} {H264}"), &picture);
        let sound = "-f lavfi -i sine=sample_rate=48000:duration=40 -map 0:v -map 1:a -c:v copy -c:a aac";
        ffmpeg(&format!("-itsoffset 30 -i {} {sound}", picture.display()), &file);
        let run = backfill(&file);
        assert!(run.output.status.success() && run.frames() == 200, "{container}: {:?}", run.output);
        // The sound was there first.
        assert!(run.chunks[0].to_str().unwrap().contains("/03/04-05"), "{container}: {:?}", run.chunks);
    }
}
