//! Files by other writers, made with ffmpeg and judged by ffprobe: what the record says, and what it costs.

use crate::support::{Judge, OneObject, ffmpeg, probed};
use framepost_events::record::Container;

struct Case {
    name: &'static str,
    make: &'static str,
    codec: &'static str,
    channels: u8,
    container: Container,
    audio: Option<&'static str>,
    requests: usize,
}

const fn case(name: &'static str, make: &'static str, codec: &'static str, container: Container) -> Case {
    Case { name, make, codec, channels: 3, container, audio: None, requests: 3 }
}

const VIDEO: &str = "-f lavfi -i testsrc2=size=318x182:rate=25:duration=4";
const SOUND: &str = "-f lavfi -i sine=sample_rate=48000:duration=4 -ac 2";

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    use Container::{Fmp4, Matroska, Mp4, Webm};
    vec![
        Case { requests: 2, ..case("last.mp4", "V -c:v libx264 -pix_fmt yuv420p", "avc1.6400%", Mp4) },
        Case {
            requests: 2,
            ..case("first.mp4", "V -c:v libx264 -pix_fmt yuv420p -movflags faststart", "avc1.6400%", Mp4)
        },
        case(
            "fragments.mp4",
            "V -c:v libx264 -pix_fmt yuv420p -g 25 -movflags frag_keyframe+empty_moov",
            "avc1.6400%",
            Fmp4,
        ),
        case("hybrid.mp4", "V -c:v libx264 -pix_fmt yuv420p -g 25 -movflags frag_keyframe", "avc1.6400%", Fmp4),
        case(
            "base-moof.mp4",
            "V -c:v libx264 -pix_fmt yuv420p -g 25 -movflags frag_keyframe+empty_moov+default_base_moof",
            "avc1.6400%",
            Fmp4,
        ),
        case(
            "no-index.mp4",
            "V -c:v libx264 -pix_fmt yuv420p -g 25 -movflags frag_keyframe+empty_moov+skip_trailer",
            "avc1.6400%",
            Fmp4,
        ),
        // Smooth Streaming: no `tfdt`.
        case("smooth.ismv", "V -c:v libx264 -pix_fmt yuv420p -g 25", "avc1.6400%", Fmp4),
        case(
            "dash.mp4",
            "V -c:v libx264 -pix_fmt yuv420p -g 25 -movflags dash+frag_keyframe+empty_moov",
            "avc1.6400%",
            Fmp4,
        ),
        case(
            "one-index.mp4",
            "V -c:v libx264 -pix_fmt yuv420p -g 25 -movflags dash+frag_keyframe+empty_moov+global_sidx+skip_trailer",
            "avc1.6400%",
            Fmp4,
        ),
        Case {
            audio: Some("mp4a.40.2"),
            ..case(
                "fragments-aac.mp4",
                "V S -c:v libx264 -pix_fmt yuv420p -g 25 -c:a aac -movflags frag_keyframe+empty_moov",
                "avc1.6400%",
                Fmp4,
            )
        },
        Case {
            audio: Some("mp4a.40.2"),
            ..case("aac.mp4", "S V -map 0 -map 1 -c:v libx264 -pix_fmt yuv420p -c:a aac", "avc1.6400%", Mp4)
        },
        Case {
            audio: Some("opus"),
            ..case("opus.mp4", "V S -c:v libx264 -pix_fmt yuv420p -c:a libopus", "avc1.6400%", Mp4)
        },
        Case { channels: 1, ..case("gray.mp4", "V -c:v libx264 -pix_fmt gray", "avc1.6400%", Mp4) },
        case("444.mp4", "V -c:v libx264 -pix_fmt yuv444p", "avc1.F400%", Mp4),
        case("baseline.mp4", "V -c:v libx264 -pix_fmt yuv420p -profile:v baseline", "avc1.42C0%", Mp4),
        case(
            "hevc.mp4",
            "V -c:v libx265 -x265-params log-level=none -pix_fmt yuv420p -tag:v hvc1",
            "hvc1.1.6.L%.90",
            Mp4,
        ),
        case("hev1.mp4", "V -c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le", "hev1.2.4.L%.90", Mp4),
        Case {
            channels: 1,
            ..case(
                "hevc-gray.mp4",
                "V -c:v libx265 -x265-params log-level=none -pix_fmt gray",
                "hev1.4.10.L%.9F.C8",
                Mp4,
            )
        },
        case("mpeg4.mov", "V -c:v mpeg4", "mp4v.20.1", Mp4),
        Case {
            requests: 1,
            audio: Some("opus"),
            ..case("h264.mkv", "V S -c:v libx264 -pix_fmt yuv420p -c:a libopus", "avc1.6400%", Matroska)
        },
        Case {
            requests: 1,
            ..case(
                "hevc.mkv",
                "V -c:v libx265 -x265-params log-level=none -pix_fmt yuv420p",
                "hvc1.1.6.L%.90",
                Matroska,
            )
        },
        case("live.mkv", "V -c:v libx264 -pix_fmt yuv420p -f matroska -live 1", "avc1.6400%", Matroska),
        Case { requests: 1, ..case("vp9.webm", "V -c:v libvpx-vp9 -cpu-used 8 -pix_fmt yuv420p", "vp9", Webm) },
        Case { requests: 1, ..case("vp8.webm", "V -c:v libvpx -cpu-used 8", "vp8", Webm) },
        Case {
            requests: 1,
            channels: 4,
            ..case("alpha.webm", "V -c:v libvpx-vp9 -cpu-used 8 -pix_fmt yuva420p", "vp9", Webm)
        },
        case("av1.mp4", "V -c:v libaom-av1 -cpu-used 8 -pix_fmt yuv420p", "av01.0.%M.08", Mp4),
    ]
}

#[test]
fn what_ffprobe_says_the_record_says() {
    let dir = tempfile::tempdir().unwrap();
    for case in cases() {
        let name = case.name;
        let make = case.make.replace('V', VIDEO).replace('S', SOUND);
        let path = ffmpeg(dir.path(), &make, name);
        let judge = Judge::of(&path);
        let object = OneObject::new(std::fs::read(&path).unwrap());
        let record = probed(&object, name);
        object.assert_within_budget(name);
        println!("{name}: {} of {} bytes, {record:?}", object.cost().1, record.size_bytes);
        assert!(object.cost().0 <= case.requests, "{name}: {:?}", object.reads);
        let resolution = record.resolution;
        assert_eq!((resolution.width.into(), resolution.height.into()), judge.size(), "{name}");
        assert_eq!(resolution.channels, case.channels, "{name}");
        assert_eq!(record.codec, judge.with_level(case.codec), "{name}");
        assert_eq!(record.container, case.container, "{name}");
        let frame_rate = record.frame_rate.unwrap_or_else(|| panic!("{name}: no frame rate"));
        assert!((frame_rate - judge.frame_rate()).abs() < 0.01, "{name}: {frame_rate}");
        let seconds = record.duration.seconds.unwrap_or_else(|| panic!("{name}: no duration"));
        // ffprobe has no duration of a live Matroska file, and that of the sound of fragments without `mehd`, where the
        // record has the video's.
        let expected = if ["live.mkv", "fragments-aac.mp4"].contains(&name) { 4.0 } else { judge.seconds() };
        assert!((seconds - expected).abs() <= 0.04, "{name}: {seconds}, ffprobe {expected}");
        assert_eq!(record.audio.as_ref().map(|audio| audio.codec.as_str()), case.audio, "{name}");
        if let Some(audio) = &record.audio {
            let stream = judge.stream("audio").unwrap();
            assert_eq!(Some(u64::from(audio.channels)), stream["channels"].as_u64(), "{name}");
            assert_eq!(stream["sample_rate"].as_str(), Some(audio.sample_rate.to_string().as_str()), "{name}");
        }
        assert_eq!(record.duration.from, None, "{name}: ffmpeg writes no creation time");
    }
}

/// An hour's `moov` is megabytes; the budget does not grow with it.
#[test]
fn an_hour_costs_what_a_second_costs() {
    let dir = tempfile::tempdir().unwrap();
    let make = "-f lavfi -i color=size=16x16:rate=25:duration=3600 -f lavfi -i anullsrc=sample_rate=8000:duration=3600 \
                -c:v libx264 -preset ultrafast -bf 2 -b:a 8k -c:a aac -metadata creation_time=2026-11-20T15:00:00Z";
    let last = ffmpeg(dir.path(), make, "last.mp4");
    let copy = format!("-i {} -c copy -map_metadata 0 -movflags faststart", last.display());
    let first = ffmpeg(dir.path(), &copy, "first.mp4");
    for path in [last, first] {
        let name = path.file_name().unwrap().to_str().unwrap();
        let object = OneObject::new(std::fs::read(&path).unwrap());
        let record = probed(&object, name);
        object.assert_within_budget(name);
        println!("{name}: {:?} of {} bytes", object.cost(), record.size_bytes);
        assert_eq!((record.resolution.width, record.resolution.height), (16, 16), "{name}");
        assert!((record.duration.seconds.unwrap() - 3600.0).abs() < 0.2, "{name}: {:?}", record.duration);
        assert!((record.frame_rate.unwrap() - 25.0).abs() < 0.01, "{name}");
        assert_eq!(record.audio.unwrap().codec, "mp4a.40.2", "{name}");
        assert_eq!(record.duration.from, Some("2026-11-20T15:00:00Z".parse().unwrap()), "{name}");
    }
}

/// A live fMP4's fragments are long: the last `moof` is farther back than the file's end that is read.
#[test]
fn the_last_of_large_fragments_is_found_by_the_index() {
    let dir = tempfile::tempdir().unwrap();
    let make = "-f lavfi -i testsrc2=size=640x480:rate=30:duration=9 -c:v libx264 -preset ultrafast -qp 10 -g 60 \
                -pix_fmt yuv420p -movflags frag_keyframe+empty_moov";
    let path = ffmpeg(dir.path(), make, "large.mp4");
    let object = OneObject::new(std::fs::read(&path).unwrap());
    let record = probed(&object, "large.mp4");
    object.assert_within_budget("large.mp4");
    assert_eq!(object.cost().0, 3);
    assert!((record.duration.seconds.unwrap() - Judge::of(&path).seconds()).abs() < 0.034);
}

/// What a playlist needs to know of other writers' files, as far as it costs nothing.
#[test]
fn where_media_lie_and_what_they_start_with_is_said_of_other_files_too() {
    let dir = tempfile::tempdir().unwrap();
    let video = "-f lavfi -i testsrc2=size=318x182:rate=25:duration=4 -c:v libx264 -bf 0 -pix_fmt yuv420p -g 25";
    let whole = ffmpeg(dir.path(), &format!("{video} -movflags frag_keyframe+empty_moov"), "whole.mp4");
    let flat = ffmpeg(dir.path(), video, "flat.mp4");
    // Without its first frames, from between two key frames on.
    let between = |flags: &str| format!("-i {} -ss 0.5 -c copy -copyinkf -movflags {flags}", flat.display());
    let files = [
        (whole.clone(), true, true),
        (
            ffmpeg(dir.path(), &format!("{video} -movflags frag_keyframe+empty_moov+skip_trailer"), "no-index.mp4"),
            true,
            true,
        ),
        (ffmpeg(dir.path(), &format!("{video} -movflags frag_keyframe"), "hybrid.mp4"), true, true),
        (ffmpeg(dir.path(), &between("frag_every_frame+empty_moov"), "between.mp4"), true, false),
        (ffmpeg(dir.path(), &between("faststart"), "between-flat.mp4"), false, false),
        (ffmpeg(dir.path(), &format!("-i {} -c copy -movflags faststart", flat.display()), "first.mp4"), false, true),
    ];
    for (path, fragmented, random_access) in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(&path).unwrap();
        let object = OneObject::new(bytes.clone());
        let record = probed(&object, &name);
        object.assert_within_budget(&name);
        assert_eq!(Judge::first_is_key(&path), random_access, "{name}: ffprobe");
        assert_eq!(record.starts_with_random_access, Some(random_access), "{name}");
        assert_eq!(record.timescale, Some(12_800), "{name}");
        assert!(record.sample_entry_digest.is_some(), "{name}");
        let at = |kind: &[u8; 4]| bytes.windows(4).position(|found| found == kind).map(|at| at as u64 - 4);
        let moov_end = at(b"moov").map(|moov| {
            let start = usize::try_from(moov).unwrap();
            moov + u64::from(u32::from_be_bytes(bytes[start..start + 4].try_into().unwrap()))
        });
        assert_eq!(record.init_bytes, moov_end.filter(|_| fragmented), "{name}");
        let end = fragmented.then(|| at(b"mfra").unwrap_or(bytes.len() as u64));
        assert_eq!(record.media_end, end, "{name}");
    }
    // Fragments of the same encoder are alike, whatever follows them; those of another picture are not.
    let digest =
        |path: &std::path::Path| probed(&OneObject::new(std::fs::read(path).unwrap()), "x.mp4").sample_entry_digest;
    let other = format!("{} -movflags frag_keyframe+empty_moov", video.replace("318x182", "320x240"));
    let other = ffmpeg(dir.path(), &other, "other.mp4");
    assert_eq!(digest(&whole), digest(&dir.path().join("no-index.mp4")));
    assert_ne!(digest(&whole), digest(&other));
}
