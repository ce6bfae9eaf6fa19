//! `mp4parse` and `matroska` as judges over all shared media: where they can read a file, the record says what they say.

use crate::support::{OneObject, data, ffmpeg, test_data};
use framepost_events::record::{Container, Data};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// What a judge says of a file's first video track.
#[derive(Debug)]
struct Verdict {
    /// How the codec string begins.
    codec: &'static str,
    size: (u32, u32),
    /// The length of the longest track, where the judge knows it.
    seconds: Option<f64>,
}

/// Files that the record describes and their judge cannot read, with the reason. One that it comes to read is an error.
const UNREAD: [(&str, &str); 6] = [
    ("gizmo_hevc_8bit_420.mp4", "mp4parse knows no H.265"),
    ("mp4parse_tests_hevc_white_frame.mp4", "mp4parse knows no H.265"),
    ("blockgroup_block_ends_beyond_blockgroup.mkv", DAMAGED),
    ("chapters_truncated_chapter_string.mkv", DAMAGED),
    ("chapters_truncated_chapter_string_2.mkv", DAMAGED),
    ("fixed_lacing_bad_lace_size.mkv", DAMAGED),
];
const DAMAGED: &str = "matroska reads each element to its claimed end, and here one ends behind the file";

/// Files that their judge must not be given: it asks for as much memory as they claim, and the process ends.
const ABORTS: [&str; 1] = ["projection_float_overflow.webm"];

/// The verdict of the judge whose container it is. Each allocates by what the bytes of the other's say.
fn judged(bytes: &[u8]) -> Option<Verdict> {
    if bytes.starts_with(&[0x1a, 0x45, 0xdf, 0xa3]) { by_matroska(bytes) } else { by_mp4parse(bytes) }
}

fn by_mp4parse(bytes: &[u8]) -> Option<Verdict> {
    let media = mp4parse::read_mp4(&mut Cursor::new(bytes)).inspect_err(|error| println!("mp4parse: {error}")).ok()?;
    let track = media.tracks.iter().find(|track| track.track_type == mp4parse::TrackType::Video)?;
    let mp4parse::SampleEntry::Video(video) = track.stsd.as_ref()?.descriptions.first()? else { return None };
    let codec = match video.codec_type {
        mp4parse::CodecType::H264 => "avc",
        mp4parse::CodecType::MP4V => "mp4v",
        mp4parse::CodecType::AV1 => "av01",
        mp4parse::CodecType::VP9 => "vp09",
        mp4parse::CodecType::VP8 => "vp08",
        mp4parse::CodecType::H263 => "",
        _ => return None,
    };
    let length = |track: &mp4parse::Track| Some(track.duration?.0 as f64 / track.timescale?.0 as f64);
    let seconds = media.tracks.iter().filter_map(length).filter(|seconds| *seconds > 0.0).reduce(f64::max);
    Some(Verdict { codec, size: (video.width.into(), video.height.into()), seconds })
}

fn by_matroska(bytes: &[u8]) -> Option<Verdict> {
    let open = matroska::Matroska::open(Cursor::new(bytes));
    let media = open.inspect_err(|error| println!("matroska: {error}")).ok()?;
    let track = media.tracks.iter().find(|track| track.tracktype == matroska::Tracktype::Video)?;
    let matroska::Settings::Video(video) = &track.settings else { return None };
    let codec = match track.codec_id.as_str() {
        "V_MPEG4/ISO/AVC" => "avc",
        "V_MPEGH/ISO/HEVC" => "hvc",
        "V_AV1" => "av01",
        "V_VP9" => "vp",
        "V_VP8" => "vp8",
        _ => return None,
    };
    let pixels = |pixels: u64| u32::try_from(pixels).ok();
    let size = (pixels(video.pixel_width)?, pixels(video.pixel_height)?);
    Some(Verdict { codec, size, seconds: media.info.duration.map(|length| length.as_secs_f64()) })
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

/// Whether the record of a file says what its judge says; `None` where that cannot read it.
fn agrees(name: &str, bytes: &[u8]) -> Option<()> {
    let Data::ChunkProbed(record) = data(&OneObject::new(bytes.to_vec()), name) else { return Some(()) };
    let verdict = if ABORTS.contains(&name) { None } else { judged(bytes) };
    println!("{name}: {verdict:?}; {} {:?}", record.codec, record.duration.seconds);
    let verdict = verdict?;
    assert!(record.codec.starts_with(verdict.codec), "{name}: {} and {verdict:?}", record.codec);
    assert_eq!((record.resolution.width, record.resolution.height), verdict.size, "{name}");
    // Of fragments mp4parse knows what is in the `moov` alone.
    let judged = verdict.seconds.filter(|_| record.container != Container::Fmp4);
    if let Some((seconds, judged)) = record.duration.seconds.zip(judged) {
        assert!((seconds - judged).abs() < 0.1, "{name}: {seconds} s and {verdict:?}");
    }
    Some(())
}

#[test]
fn of_files_that_are_whole_each_has_its_judge() {
    let directory = tempfile::tempdir().unwrap();
    let make = "-f lavfi -i testsrc2=size=96x64:rate=10:duration=2 -f lavfi -i sine=duration=2";
    for (name, how) in [
        ("h264.mp4", "-c:v libx264 -c:a aac"),
        ("fragments.mp4", "-c:v libx264 -g 5 -c:a aac -movflags frag_keyframe"),
        ("h264.mkv", "-c:v libx264 -c:a aac"),
        ("hevc.mkv", "-c:v libx265 -x265-params log-level=none -c:a libopus"),
        ("vp9.webm", "-c:v libvpx-vp9 -cpu-used 8 -c:a libopus"),
        ("vp8.webm", "-c:v libvpx -cpu-used 8 -c:a libopus"),
    ] {
        let bytes = std::fs::read(ffmpeg(directory.path(), &format!("{make} {how}"), name)).unwrap();
        assert_eq!(agrees(name, &bytes), Some(()), "{name}");
    }
}

#[test]
fn where_a_judge_can_read_a_file_the_record_agrees() {
    let mut read = 0;
    let mut unread = BTreeSet::new();
    for folder in ["clips", "malformed"] {
        let Some(root) = test_data(folder) else { return };
        for path in files_below(&root) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let bytes = std::fs::read(&path).unwrap();
            match agrees(&name, &bytes) {
                Some(()) => read += 1,
                None => drop(unread.insert(name)),
            }
        }
    }
    let known = UNREAD.iter().map(|(name, _)| *name).chain(ABORTS).map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(unread, known, "files without a judge");
    assert!(read > 20, "{read} files");
}
