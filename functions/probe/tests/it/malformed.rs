//! Hostile and broken inputs: a stable reason, within the budget, and never a panic.

use crate::support::{OneObject, data, ffmpeg, mp4_box, reason, test_data};
use framepost_events::record::{Data, RejectReason};
use framepost_probe::inspect_bytes;
use proptest::prelude::*;
use std::sync::LazyLock;

const FTYP: &[u8] = b"\0\0\0\x10ftypisom\0\0\0\0";

/// A few seconds of both containers.
static VALID: LazyLock<Vec<(&'static str, Vec<u8>)>> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let make = "-f lavfi -i testsrc2=size=96x64:rate=10:duration=2 -f lavfi -i sine=duration=2";
    let files = [
        ("first.mp4", "-c:v libx264 -g 5 -c:a aac -movflags faststart"),
        ("last.mp4", "-c:v libx264 -g 5 -c:a aac"),
        ("fragments.mp4", "-c:v libx264 -g 5 -c:a aac -movflags frag_keyframe+empty_moov"),
        ("hevc.mp4", "-c:v libx265 -x265-params log-level=none -g 5 -c:a aac -movflags faststart"),
        ("h264.mkv", "-c:v libx264 -g 5 -c:a libopus"),
        ("live.mkv", "-c:v libx264 -g 5 -c:a libopus -live 1"),
        ("vp9.webm", "-c:v libvpx-vp9 -cpu-used 8 -g 5 -c:a libopus"),
    ];
    let read = |(name, how): (&'static str, &str)| {
        (name, std::fs::read(ffmpeg(dir.path(), &format!("{make} {how}"), name)).unwrap())
    };
    files.map(read).to_vec()
});

fn valid(name: &str) -> Vec<u8> {
    VALID.iter().find(|(found, _)| *found == name).unwrap().1.clone()
}

fn position(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|found| found == what).unwrap()
}

#[test]
fn reasons_are_stable() {
    use RejectReason::{Empty, Encrypted, Malformed, NoVideo, NotMedia, TooComplex, Truncated, UnsupportedCodec};
    let first = valid("first.mp4");
    let replaced = |from: &[u8; 4], to: &[u8; 4]| {
        let mut bytes = first.clone();
        // Brands in ftyp have the same names.
        let at = 32 + position(&bytes[32..], from);
        bytes[at..at + 4].copy_from_slice(to);
        bytes
    };
    let huge = |size: u64| [&1_u32.to_be_bytes()[..], b"mdat", &size.to_be_bytes()].concat();
    let deep = (0..1000).fold(Vec::new(), |inner, _| mp4_box(*b"moov", &inner));
    let with_moov = |body: &[u8]| [FTYP, &mp4_box(*b"moov", body)].concat();
    let many = [FTYP, &mp4_box(*b"free", &vec![0; 20_000]).repeat(8), &mp4_box(*b"moov", &[])].concat();
    let mkv = valid("h264.mkv");
    let tracks_at = position(&mkv, b"\x16\x54\xae\x6b");
    let dir = tempfile::tempdir().unwrap();
    let sound = |name| std::fs::read(ffmpeg(dir.path(), "-f lavfi -i sine=duration=1", name)).unwrap();
    let prores = "-f lavfi -i testsrc2=size=96x64:duration=1 -c:v prores_ks";
    let prores = std::fs::read(ffmpeg(dir.path(), prores, "prores.mov")).unwrap();
    for (name, bytes, expected) in [
        ("empty", vec![], Empty),
        ("one byte", vec![0], NotMedia),
        ("zeros", vec![0; 40_000], NotMedia),
        ("text", b"<html><body>no</body></html>".repeat(2000), NotMedia),
        ("sound.mp4", sound("sound.mp4"), NoVideo),
        ("sound.webm", sound("sound.webm"), NoVideo),
        ("sound.mka", sound("sound.mka"), NoVideo),
        ("prores.mov", prores, UnsupportedCodec),
        ("only ftyp", FTYP.to_vec(), Truncated),
        ("cut in moov", first[..position(&first, b"stsd") + 20].to_vec(), Truncated),
        ("cut before moov", valid("last.mp4")[..5000].to_vec(), Truncated),
        ("cut in Tracks", mkv[..tracks_at + 20].to_vec(), Truncated),
        ("only EBML", mkv[..40].to_vec(), Truncated),
        ("encv", replaced(b"avc1", b"encv"), Encrypted),
        ("no avcC", replaced(b"avcC", b"free"), Malformed),
        ("no stsd", replaced(b"stsd", b"free"), Malformed),
        ("no mdhd", replaced(b"mdhd", b"free"), Malformed),
        ("no video handler", replaced(b"vide", b"meta"), NoVideo),
        ("unknown codec", replaced(b"avc1", b"xyzw"), UnsupportedCodec),
        ("huge box", [FTYP, &huge(1 << 62), &first].concat(), Truncated),
        ("box beyond 2^64", [FTYP, &huge(u64::MAX), &first].concat(), Malformed),
        ("box smaller than itself", [FTYP, &huge(3), &first].concat(), Malformed),
        ("empty moov", with_moov(&[]), NoVideo),
        ("nested a thousand times", deep, NoVideo),
        ("zero-size child", with_moov(&[0; 64]), Malformed),
        ("child leaves moov", with_moov(b"\0\0\xff\xfftrak\0\0\0\0"), Malformed),
        ("many steps", many, TooComplex),
    ] {
        assert_eq!(reason(name, bytes), Some(expected), "{name}");
    }
}

#[test]
fn every_cut_of_a_valid_file_has_an_answer() {
    for (name, bytes) in VALID.iter() {
        for cut in (0..bytes.len()).step_by(97) {
            let _ = inspect_bytes(&bytes[..cut]);
        }
        assert_eq!(inspect_bytes(bytes), Ok(()), "{name}");
    }
}

/// What other projects collected. Our walk and `mp4parse` agree wherever both have an answer.
#[test]
fn the_malformed_collections() {
    let Some(root) = test_data("malformed") else { return };
    let mut files = 0;
    for folder in ["libwebm", "mp4parse"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let bytes = std::fs::read(&path).unwrap();
            let object = OneObject::new(bytes.clone());
            let data = data(&object, &name);
            object.assert_within_budget(&name);
            files += 1;
            let said = match &data {
                Data::ChunkProbed(probed) => {
                    format!("{} {}x{}", probed.codec, probed.resolution.width, probed.resolution.height)
                }
                Data::ObjectRejected(rejected) => format!("{:?}: {}", rejected.reason, rejected.detail),
                other => panic!("{name}: {other:?}"),
            };
            println!("{name}: {said}");
            if let (Data::ChunkProbed(probed), Some(size)) = (&data, picture_by_mp4parse(&bytes)) {
                assert_eq!((probed.resolution.width, probed.resolution.height), size, "{name}");
            }
        }
    }
    assert!(files > 40, "{files} files");
}

fn picture_by_mp4parse(bytes: &[u8]) -> Option<(u32, u32)> {
    let parse = || mp4parse::read_mp4(&mut std::io::Cursor::new(bytes)).ok();
    let media = std::panic::catch_unwind(parse).ok()??;
    let track = media.tracks.iter().find(|track| track.track_type == mp4parse::TrackType::Video)?;
    match track.stsd.as_ref()?.descriptions.first()? {
        mp4parse::SampleEntry::Video(video) => Some((video.width.into(), video.height.into())),
        _ => None,
    }
}

/// A handful of them by name, so that a change of the answer is seen.
#[test]
fn known_members_of_the_collections() {
    use RejectReason::{Encrypted, Malformed, NoVideo, NotMedia, UnsupportedCodec};
    let Some(root) = test_data("malformed") else { return };
    for (name, expected) in [
        ("libwebm/chapters_truncated_chapter_string.mkv", None),
        ("libwebm/invalid_vp9_bitstream-bug_1416.webm", Some(NotMedia)),
        ("libwebm/primarychromaticity_fieldtoolarge.webm", Some(UnsupportedCodec)),
        ("mp4parse/mp4parse_tests_clusterfuzz-testcase-minimized-mp4-6093954524250112", Some(Malformed)),
        ("mp4parse/mp4parse_capi_tests_av1-clearkey-cbcs-video.mp4", Some(Encrypted)),
        ("mp4parse/mp4parse_capi_tests_bipbop_cbcs_video_init.mp4", Some(Encrypted)),
        ("mp4parse/mp4parse_capi_tests_opus_audioinit.mp4", Some(NoVideo)),
        ("mp4parse/mp4parse_capi_tests_sine-3s-xhe-aac-44khz-mono.mp4", Some(NoVideo)),
        ("mp4parse/mp4parse_tests_amr_nb_1f.3gp", Some(NoVideo)),
        ("mp4parse/mp4parse_capi_tests_no_timescale.mp4", None),
        ("mp4parse/mp4parse_tests_hevc_white_frame.mp4", None),
        ("mp4parse/mp4parse_tests_tiny_av1.mp4", None),
        ("mp4parse/mp4parse_tests_minimal.mp4", None),
    ] {
        let bytes = std::fs::read(root.join(name)).unwrap();
        assert_eq!(reason(name, bytes), expected, "{name}");
    }
}

/// Where headers are: near the start and, of files that end with their moov or an index, near the end.
#[derive(Debug, Clone, Copy)]
enum Place {
    FromStart(usize),
    FromEnd(usize),
}

impl Place {
    fn index(self, len: usize) -> usize {
        match self {
            Self::FromStart(at) => at.min(len - 1),
            Self::FromEnd(at) => len.saturating_sub(at + 1),
        }
    }
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        (0_usize..300).prop_map(Place::FromStart),
        (0_usize..4000).prop_map(Place::FromStart),
        (0_usize..4000).prop_map(Place::FromEnd),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_never_panic(
        file in 0_usize..7,
        changes in proptest::collection::vec((place(), any::<u8>()), 1..12),
        insert in proptest::option::of((place(), proptest::collection::vec(any::<u8>(), 1..20))),
    ) {
        let mut bytes = VALID[file].1.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some((at, more)) = insert {
            let at = at.index(bytes.len());
            bytes.splice(at..at, more);
        }
        let _ = inspect_bytes(&bytes);
    }

    #[test]
    fn any_bytes_after_a_known_beginning_never_panic(
        beginning in prop_oneof![
            Just(FTYP.to_vec()),
            Just(b"\0\0\x04\0moov\0\0\x03\xf0trak".to_vec()),
            Just(b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff".to_vec()),
            Just(b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff\x16\x54\xae\x6b\x41\0".to_vec()),
        ],
        rest in proptest::collection::vec(any::<u8>(), 0..2000),
    ) {
        let _ = inspect_bytes(&[beginning, rest].concat());
    }
}
