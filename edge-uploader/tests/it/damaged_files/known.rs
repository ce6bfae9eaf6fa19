//! Damage to the heads, types, sizes and times of boxes and elements that costs no frame, and files that were joined.

use super::{FILES, Saved, marks, saved};
use std::path::PathBuf;

/// Each bit of each fragment's type, one of which makes it a `moov`, and each type that a box may have in this place.
#[test]
fn a_fragment_is_read_whatever_its_type_became() {
    const KNOWN: [&[u8; 4]; 10] =
        [b"mdat", b"free", b"skip", b"moov", b"mfra", b"uuid", b"styp", b"ftyp", b"sidx", b"prft"];
    let original = std::fs::read(FILES.path().join("moofs.mp4")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("moofs.mp4");
    let moofs = marks(&original, *b"moof");
    assert!(moofs.len() > 5);
    for at in [moofs[0], moofs[2], moofs[moofs.len() - 1]] {
        let flipped = (0..32).map(|bit| {
            let mut kind = *b"moof";
            kind[bit / 8] ^= 1 << (bit % 8);
            kind
        });
        for kind in flipped.chain(KNOWN.into_iter().copied()) {
            let mut bytes = original.clone();
            bytes[at..at + 4].copy_from_slice(&kind);
            std::fs::write(&path, &bytes).unwrap();
            let ours = saved(&path);
            let what = kind.escape_ascii();
            assert_eq!(ours.frames.len(), 150, "{what} at {at}: {:?} {:?}", ours.faults, ours.end);
            assert!(!ours.is_whole(), "{what} at {at}");
        }
    }
}

/// Sizes of frames that cannot be true are what the other frames leave, and a `moov` that lost bytes ends before its length.
#[test]
fn a_size_that_lies_costs_nothing_of_what_follows() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["moofs.mp4", "moofs-offset.mp4"] {
        let original = std::fs::read(FILES.path().join(name)).unwrap();
        let path = directory.path().join(name);
        let runs = marks(&original, *b"trun");
        assert!(runs.len() > 10);
        // The picture's runs of the first fragment, one in the middle and the last.
        for at in [runs[0], runs[(runs.len() / 2) & !1], runs[runs.len() - 2]] {
            // Version, flags, count and data offset; with the first sample's flags or without.
            let flags = u32::from_be_bytes(original[at + 4..at + 8].try_into().unwrap());
            let fields = [0x100, 0x200, 0x400, 0x800].iter().filter(|field| flags & **field != 0).count();
            let begin = at + 16 + if flags & 4 == 0 { 0 } else { 4 };
            let size = begin + if flags & 0x100 == 0 { 0 } else { 4 };
            for sample in [0, 1, 12, 24] {
                for bit in [20, 24, 30, 31] {
                    let mut bytes = original.clone();
                    let place = size + sample * fields * 4;
                    bytes[place + 3 - bit / 8] ^= 1 << (bit % 8);
                    std::fs::write(&path, &bytes).unwrap();
                    let ours = saved(&path);
                    let what = format!("{name}: bit {bit} of frame {sample} in the run at byte {at}");
                    assert_eq!(ours.digests().len(), 150, "{what}: {:?} {:?}", ours.faults, ours.end);
                    assert!(!ours.is_whole(), "{what}");
                }
            }
        }
    }
}

/// Several sizes of a run lie, or one does by a little: the NAL units tell them.
#[test]
fn sizes_that_lie_together_cost_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["moofs.mp4", "moofs-offset.mp4"] {
        let original = std::fs::read(FILES.path().join(name)).unwrap();
        let path = directory.path().join(name);
        let runs = marks(&original, *b"trun");
        // The picture's runs of the first fragment and the last.
        for at in [runs[0], runs[runs.len() - 2]] {
            let flags = u32::from_be_bytes(original[at + 4..at + 8].try_into().unwrap());
            let fields = [0x100, 0x200, 0x400, 0x800].iter().filter(|field| flags & **field != 0).count();
            let begin = at + 16 + if flags & 4 == 0 { 0 } else { 4 } + if flags & 0x100 == 0 { 0 } else { 4 };
            for lies in [
                &[(12, 4_i32)][..],
                &[(0, -1)],
                &[(24, 7)],
                &[(3, 1 << 30), (10, 256), (12, 1 << 21)],
                &[(1, 40), (2, 40)],
            ] {
                let mut bytes = original.clone();
                for (sample, lie) in lies {
                    let place = begin + sample * fields * 4;
                    let size = u32::from_be_bytes(original[place..place + 4].try_into().unwrap());
                    bytes[place..place + 4].copy_from_slice(&size.wrapping_add_signed(*lie).to_be_bytes());
                }
                std::fs::write(&path, &bytes).unwrap();
                let ours = saved(&path);
                let what = format!("{name}: {lies:?} in the run at byte {at}");
                assert_eq!(ours.digests().len(), 150, "{what}: {:?} {:?}", ours.faults, ours.end);
                assert!(ours.digests().is_subset(&saved(&FILES.path().join(name)).digests()), "{what}");
                assert!(!ours.is_whole(), "{what}");
            }
        }
    }
}

/// A wrong size in the table of a movie is told by the NAL units, and takes no picture of its chunk with it.
#[test]
fn a_size_in_a_table_that_lies_costs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["front.mp4", "end.mp4", "front-hevc.mp4"] {
        let original = std::fs::read(FILES.path().join(name)).unwrap();
        let whole = saved(&FILES.path().join(name));
        let path = directory.path().join(name);
        let sizes = marks(&original, *b"stsz")[0] + 16;
        for sample in [0, 1, 12, 24, 100, 149] {
            for lie in [4, 1, 40, 1 << 16, 1 << 25, 1 << 30] {
                let mut bytes = original.clone();
                let place = sizes + 4 * sample;
                let size = u32::from_be_bytes(original[place..place + 4].try_into().unwrap());
                bytes[place..place + 4].copy_from_slice(&(size + lie).to_be_bytes());
                std::fs::write(&path, &bytes).unwrap();
                let ours = saved(&path);
                let what = format!("{name}: {lie} more of frame {sample}");
                assert_eq!(ours.digests(), whole.digests(), "{what}: {:?} {:?}", ours.faults, ours.end);
                assert!(!ours.is_whole(), "{what}");
            }
        }
    }
}

#[test]
fn a_movie_that_lost_bytes_takes_no_fragment_with_it() {
    let original = std::fs::read(FILES.path().join("moofs.mp4")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("moofs.mp4");
    let fragment = marks(&original, *b"moof")[0] - 4;
    for (before, length) in [(500, 291), (300, 100), (40, 8), (200, 1)] {
        let mut bytes = original.clone();
        bytes.drain(fragment - before..fragment - before + length);
        std::fs::write(&path, &bytes).unwrap();
        let ours = saved(&path);
        let what = format!("{length} bytes, {before} before the first fragment");
        assert_eq!(ours.frames.len(), 150, "{what}: {:?} {:?}", ours.faults, ours.end);
        assert!(!ours.is_whole(), "{what}");
    }
    let movie = marks(&original, *b"moov")[0] - 4;
    for more in [8, 100, 2000, 20_000, 40_000] {
        let mut bytes = original.clone();
        let size = u32::from_be_bytes(original[movie..movie + 4].try_into().unwrap()) + more;
        bytes[movie..movie + 4].copy_from_slice(&size.to_be_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let ours = saved(&path);
        assert_eq!(ours.frames.len(), 150, "{more} bytes too many: {:?} {:?}", ours.faults, ours.end);
        assert!(!ours.is_whole(), "{more} bytes too many");
    }
}

#[test]
fn a_movie_is_read_whatever_its_type_became() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["moofs.mp4", "front.mp4", "end.mp4"] {
        let original = std::fs::read(FILES.path().join(name)).unwrap();
        let path = directory.path().join(name);
        let at = marks(&original, *b"moov")[0];
        for kind in [b"moof", b"free", b"skip", b"mdat", b"udta", b"\0\0\0\0"] {
            let mut bytes = original.clone();
            bytes[at..at + 4].copy_from_slice(kind);
            std::fs::write(&path, &bytes).unwrap();
            let ours = saved(&path);
            let what = kind.escape_ascii();
            assert_eq!(ours.frames.len(), 150, "{name} {what}: {:?} {:?}", ours.faults, ours.end);
            assert!(!ours.is_whole(), "{name} {what}");
        }
    }
}

/// A time that cannot be true costs no frame and no place: neither of the other fragments, nor, as the file has no creation time, of
/// the whole.
#[test]
fn impossible_times_of_fragments_are_replaced() {
    let name = "moofs.mp4";
    let original = std::fs::read(FILES.path().join(name)).unwrap();
    let whole = saved(&FILES.path().join(name)).frames;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    let times = marks(&original, *b"tfdt");
    // Two for each fragment: the picture's and the sound's.
    assert!(times.len() > 10 && original[times[0] + 4] == 1, "a version with 64 bits");
    let last = times.len() - 2;
    for first in [0, 4, last] {
        for time in [1_u64 << 33, 1 << 40, 1 << 62, u64::MAX] {
            for both in [false, true] {
                // Seven days after all others, and nothing says that the last fragment is not from then.
                if first == last && both && time == 1 << 33 {
                    continue;
                }
                let mut bytes = original.clone();
                for at in &times[first..=first + usize::from(both)] {
                    bytes[at + 8..at + 16].copy_from_slice(&time.to_be_bytes());
                }
                std::fs::write(&path, &bytes).unwrap();
                let ours = saved(&path);
                let what = format!("{time} at {first}, both: {both}");
                assert_eq!(ours.frames.len(), 150, "{what}: {:?} {:?}", ours.faults, ours.end);
                let off = ours.frames.iter().zip(&whole).map(|((_, ours), (_, whole))| (ours - whole).abs()).max();
                // Half a second at 12800 units a second.
                assert!(off.is_some_and(|off| off <= 6400), "{what}: {off:?}");
            }
        }
    }
}

/// The ID of a Cluster becomes that of a Void, and sizes of blocks lie.
#[test]
fn clusters_and_blocks_are_read_whatever_their_heads_became() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["whole.mkv", "live.mkv", "hevc.mkv"] {
        let original = std::fs::read(FILES.path().join(name)).unwrap();
        let path = directory.path().join(name);
        let clusters = marks(&original, [0x1f, 0x43, 0xb6, 0x75]);
        for at in [clusters[0], clusters[clusters.len() - 1]] {
            for head in [[0xec, 0x43, 0xb6, 0x75], [0xec, 0x81, 0, 0x75], [0, 0, 0, 0]] {
                let mut bytes = original.clone();
                bytes[at..at + 4].copy_from_slice(&head);
                std::fs::write(&path, &bytes).unwrap();
                let ours = saved(&path);
                assert_eq!(ours.frames.len(), 150, "{name} {head:?}: {:?} {:?}", ours.faults, ours.end);
            }
        }
        // Blocks of the first track with two bytes of size.
        let blocks: Vec<usize> = (clusters[0]..original.len() - 4)
            .filter(|at| original[*at] == 0xa3 && original[at + 1] & 0xc0 == 0x40 && original[at + 3] == 0x81)
            .collect();
        assert!(blocks.len() > 20, "{name}: {}", blocks.len());
        for at in [blocks[3], blocks[blocks.len() / 2], blocks[blocks.len() - 2]] {
            let size = u16::from_be_bytes([original[at + 1], original[at + 2]]) & 0x3fff;
            for lie in [0, 1, size / 2, size - 1, size + 1, size + 40, size * 2, 0x3ffe] {
                let mut bytes = original.clone();
                bytes[at + 1..at + 3].copy_from_slice(&(lie & 0x3fff | 0x4000).to_be_bytes());
                std::fs::write(&path, &bytes).unwrap();
                let ours = saved(&path);
                // The block itself, and the one that a size that is too large reaches into.
                let what = format!("{name} {size} as {lie} at {at}");
                assert!(ours.frames.len() >= 148, "{what}: {} {:?} {:?}", ours.frames.len(), ours.faults, ours.end);
                assert!(!ours.is_whole(), "{what}");
            }
        }
    }
}

/// Files that were joined are read one after the other.
#[test]
fn joined_files_are_read_on() {
    let directory = tempfile::tempdir().unwrap();
    for (first, second) in [
        ("front.mp4", "front.mp4"),
        ("end.mp4", "front-hevc.mp4"),
        ("end.mp4", "end.mp4"),
        ("moofs.mp4", "moofs.mp4"),
        ("moofs-offset.mp4", "moofs-offset.mp4"),
        ("moofs.mp4", "front.mp4"),
        ("whole.mkv", "whole.mkv"),
        ("live.mkv", "hevc.mkv"),
        ("whole.mkv", "live.mkv"),
    ] {
        let a = FILES.path().join(first);
        let b = FILES.path().join(second);
        let path: PathBuf = directory.path().join(first);
        std::fs::write(&path, [std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap()].concat()).unwrap();
        let alone = saved(&a);
        let after = saved(&b);
        let joined = saved(&path);
        let digests = |saved: &Saved| saved.frames.iter().map(|(digest, _)| digest.clone()).collect::<Vec<_>>();
        assert_eq!(digests(&joined), [digests(&alone), digests(&after)].concat(), "{first} {second}: {:?}", joined.end);
        let last = alone.frames.iter().map(|(_, time)| *time).max().unwrap();
        let begins = joined.frames[alone.frames.len()].1;
        if first.ends_with("mkv") == second.ends_with("mkv") && first == second {
            assert!(begins > last, "{first} {second}: {begins} does not follow {last}");
        }
        assert!(joined.end.is_ok() && joined.faults.len() == 1, "{first} {second}: {:?}", joined.faults);
    }
}
