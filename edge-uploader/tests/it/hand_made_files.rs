//! Files made by hand: odd ones that play, and ones made to harm, or found by the fuzz target `file`, which end soon, in
//! words.

use bytes::Bytes;
use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent};
use edge_uploader::media::TrackKind;
use std::io::Write as _;
use std::time::Duration;

/// Plays bytes to their end: how many frames, and what was said.
async fn played(bytes: &[u8]) -> (usize, Result<(), CameraError>) {
    let (frames, end) = all_frames(bytes).await;
    (frames.len(), end)
}

/// Plays bytes to their end: each frame's track, time and data, and what was said.
async fn all_frames(bytes: &[u8]) -> (Vec<(TrackKind, i64, Bytes)>, Result<(), CameraError>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let mut camera = FileCamera::new(file.path(), FileOptions::default());
    let mut frames = Vec::new();
    let play = async {
        let mut session = camera.connect().await?;
        while let Some(event) = session.next().await? {
            if let CameraEvent::Frame(frame) = event {
                frames.push((frame.track, frame.pts, frame.data));
            }
        }
        Ok(())
    };
    let end = tokio::time::timeout(Duration::from_mins(1), play).await.expect("every file has an end");
    (frames, end)
}

/// An EBML element (RFC 8794 §5 and §6): `id` as it is, a size of four bytes, `body`.
fn element(id: &[u8], body: &[u8]) -> Vec<u8> {
    let size = 0x1000_0000 | u32::try_from(body.len()).unwrap();
    [id, &size.to_be_bytes(), body].concat()
}

/// A Matroska file of one segment.
fn matroska(segment: &[u8]) -> Vec<u8> {
    let header = [element(b"\x42\x82", b"matroska"), element(b"\x42\x87", &[4]), element(b"\x42\x85", &[2])].concat();
    [element(b"\x1a\x45\xdf\xa3", &header), element(b"\x18\x53\x80\x67", segment)].concat()
}

/// An entry of a seek head.
fn seek(id: &[u8], position: u8) -> Vec<u8> {
    element(b"\x4d\xbb", &[element(b"\x53\xab", id), element(b"\x53\xac", &[position])].concat())
}

const SEEK_HEAD: &[u8] = b"\x11\x4d\x9b\x74";

#[tokio::test]
async fn matroska_that_leads_round_in_circles() {
    let crc = element(b"\xbf", &[0; 4]);
    for (name, segment) in [
        ("a checksum in the place of the seek head", crc),
        ("a seek head that names itself", element(SEEK_HEAD, &seek(SEEK_HEAD, 0))),
        ("a seek head that names itself twice", element(SEEK_HEAD, &seek(SEEK_HEAD, 0).repeat(2))),
    ] {
        let (frames, end) = played(&matroska(&segment)).await;
        assert_eq!(frames, 0, "{name}");
        assert!(matches!(end, Err(CameraError::Unusable { .. })), "{name}: {end:?}");
    }
}

/// A box of ISO/IEC 14496-12.
fn mp4_box(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(8 + body.len()).unwrap();
    [&size.to_be_bytes()[..], &kind, body].concat()
}

/// A file among the fuzz targets' seeds.
fn seed(name: &str) -> Vec<u8> {
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuzz/seeds/media");
    std::fs::read(std::path::Path::new(seeds).join(name)).unwrap()
}

fn position(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|found| found == what).unwrap()
}

#[tokio::test]
async fn the_seeds_play() {
    for name in ["h264-aac.mp4", "faststart.mp4", "fragments.mp4", "h265.mp4", "h264.mkv", "h265-aac.mkv", "live.mkv"] {
        let (frames, end) = played(&seed(name)).await;
        assert!(frames >= 8 && end.is_ok(), "{name}: {frames} frames, {end:?}");
    }
}

#[tokio::test]
async fn samples_without_bytes_are_not_counted_for_ever() {
    let start = seed("fragments.mp4");
    let start = &start[..position(&start, b"moof") - 4];
    for track in [1_u32, 99] {
        let run = mp4_box(*b"trun", &[[0; 4], (1_u32 << 18).to_be_bytes()].concat());
        let header = mp4_box(*b"tfhd", &[[0; 4], track.to_be_bytes()].concat());
        let moof = mp4_box(*b"moof", &mp4_box(*b"traf", &[header, run].concat()));
        let (frames, end) = played(&[start, &moof.repeat(40_000)].concat()).await;
        assert_eq!(frames, 0);
        let end = end.unwrap_err().to_string();
        assert!(end.contains("too many samples"), "{end}");
    }
}

#[tokio::test]
async fn a_table_has_no_more_samples_than_the_file_bytes() {
    let mut bytes = seed("faststart.mp4");
    let stsz = position(&bytes, b"stsz");
    // All of one byte, four billion of them.
    bytes[stsz + 8..stsz + 16].copy_from_slice(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]);
    let (frames, end) = played(&bytes).await;
    assert_eq!(frames, 0);
    let end = end.unwrap_err().to_string();
    assert!(end.contains("4294967295 samples"), "{end}");
}

#[tokio::test]
async fn a_file_may_begin_with_any_box() {
    for kind in [b"uuid", b"free", b"pnot", b"sidx", b"prft"] {
        let mut bytes = seed("faststart.mp4");
        bytes[4..8].copy_from_slice(kind);
        let (frames, end) = played(&bytes).await;
        assert!(frames == 8 && end.is_ok(), "{}: {frames} frames, {end:?}", kind.escape_ascii());
    }
}

#[tokio::test]
async fn sample_sizes_may_be_compact() {
    let mut bytes = seed("faststart.mp4");
    let stsz = position(&bytes, b"stsz") - 4;
    let size = u32::from_be_bytes(bytes[stsz..stsz + 4].try_into().unwrap()) as usize;
    let sizes: Vec<u8> = bytes[stsz + 20..stsz + size].chunks(4).flat_map(|size| [size[2], size[3]]).collect();
    let count = u32::try_from(sizes.len() / 2).unwrap();
    let compact = mp4_box(*b"stz2", &[&[0, 0, 0, 0, 0, 0, 0, 16], &count.to_be_bytes()[..], &sizes].concat());
    let free = mp4_box(*b"free", &vec![0; size - compact.len() - 8]);
    bytes.splice(stsz..stsz + size, [compact, free].concat());
    let (frames, end) = played(&bytes).await;
    assert!(frames == 8 && end.is_ok(), "{frames} frames, {end:?}");
}

#[tokio::test]
async fn times_that_go_back_a_little_lose_nothing() {
    let mut bytes = seed("faststart.mp4");
    let stts = position(&bytes, b"stts") - 4;
    // Three as before, one back by half a frame, the rest: in the place of `stts` and `stss`, which nobody needs.
    let end = position(&bytes, b"stss") - 4;
    let end = end + u32::from_be_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    let runs = [[3, 2048], [1, (-1024_i32).cast_unsigned()], [4, 2048]];
    let runs: Vec<u8> = runs.into_iter().flatten().flat_map(u32::to_be_bytes).collect();
    let table = mp4_box(*b"stts", &[&[0, 0, 0, 0, 0, 0, 0, 3][..], &runs].concat());
    let free = end - stts - table.len();
    bytes.splice(stts..end, [table, mp4_box(*b"free", &vec![0; free - 8])].concat());
    let (frames, end) = played(&bytes).await;
    assert!(frames == 8 && end.is_ok(), "{frames} frames, {end:?}");
}

#[tokio::test]
async fn a_table_without_times_costs_no_frame() {
    let whole = seed("faststart.mp4");
    let stts = position(&whole, b"stts");
    let (expected, _) = all_frames(&whole).await;
    // No rows, as it says, though they are there; and no such table at all: then the length is shared out.
    let mut unsaid = whole.clone();
    let mut gone = whole;
    unsaid[stts + 11] = 0;
    gone[stts..stts + 4].copy_from_slice(b"free");
    for bytes in [unsaid, gone] {
        let (frames, end) = all_frames(&bytes).await;
        assert_eq!(frames, expected);
        assert!(end.is_ok(), "{end:?}");
    }
}

/// Two recordings joined byte by byte: both are read, one after the other.
#[tokio::test]
async fn a_second_recording_is_read_on() {
    for (first, second) in [
        ("faststart.mp4", "faststart.mp4"),
        ("h264-aac.mp4", "faststart.mp4"),
        ("fragments.mp4", "fragments.mp4"),
        ("fragments.mp4", "h265.mp4"),
        ("h264.mkv", "h264.mkv"),
        ("h264.mkv", "h265-aac.mkv"),
    ] {
        let (alone, _) = all_frames(&seed(first)).await;
        let (after, _) = all_frames(&seed(second)).await;
        let (frames, end) = all_frames(&[seed(first), seed(second)].concat()).await;
        let data = |frames: &[(TrackKind, i64, Bytes)]| frames.iter().map(|frame| frame.2.clone()).collect::<Vec<_>>();
        let both = [data(&alone), data(&after)].concat();
        assert!(data(&frames) == both && end.is_ok(), "{first} {second}: {} of {}: {end:?}", frames.len(), both.len());
    }
}

/// Wherever a file is cut: what comes out is what the whole one has, frame for frame, of each track.
#[tokio::test]
async fn a_cut_file_gives_no_other_frames() {
    for name in ["faststart.mp4", "fragments.mp4", "fragments-offset.mp4", "h264.mkv", "h265-aac.mkv", "live.mkv"] {
        let bytes = seed(name);
        let (whole, _) = all_frames(&bytes).await;
        let of = |frames: &[(TrackKind, i64, Bytes)], track| {
            frames.iter().filter(|(of, ..)| *of == track).cloned().collect::<Vec<_>>()
        };
        for cut in (0..bytes.len()).step_by(7) {
            let (frames, _) = all_frames(&bytes[..cut]).await;
            for track in [TrackKind::Video, TrackKind::Audio] {
                assert!(of(&whole, track).starts_with(&of(&frames, track)), "{name} cut at {cut}: {track:?}");
            }
        }
    }
}

#[tokio::test]
async fn segments_may_each_say_what_they_hold() {
    let bytes = seed("fragments.mp4");
    let moof = position(&bytes, b"moof") - 4;
    let second = moof + 4 + position(&bytes[moof + 8..], b"moof");
    let joined = [&bytes[..second], &bytes[..moof], &bytes[second..]].concat();
    let (alone, _) = played(&bytes).await;
    let (frames, end) = played(&joined).await;
    assert!(frames == alone && end.is_ok(), "{frames} frames, {end:?}");
}
