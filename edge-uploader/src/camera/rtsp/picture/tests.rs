use super::*;
use proptest::prelude::*;

/// A first slice, a second one, the sets, and a message.
const FIRST: &[u8] = &[0x65, 0x88, 1];
const SECOND: &[u8] = &[0x65, 0x40, 2];
const SPS: &[u8] = &[0x67, 0x64, 3];
const PPS: &[u8] = &[0x68, 0xee, 4];
const SEI: &[u8] = &[0x06, 5, 5];

fn packet(marker: bool, payload: &[u8]) -> Packet<'_> {
    Packet { marker, payload_type: 96, sequence: 0, timestamp: 0, source: 1, payload }
}

struct Line {
    time: i64,
    missing: u64,
    marker: bool,
    payload: Vec<u8>,
}

fn line(time: i64, missing: u64, marker: bool, payload: &[u8]) -> Line {
    Line { time, missing, marker, payload: payload.to_vec() }
}

fn assembled(codec: VideoCodec, lines: &[Line]) -> Vec<Picture> {
    let mut assembler = Assembler::new(codec);
    let mut out = Vec::new();
    for line in lines {
        let place = Place { time: line.time, missing: line.missing };
        assembler.push(&packet(line.marker, &line.payload), place, &mut out).unwrap();
    }
    out
}

/// Time, NAL units in hexadecimal, number of sets and losses of each picture.
fn told(pictures: &[Picture]) -> Vec<(i64, Vec<String>, usize, u64)> {
    let units = |picture: &Picture| nal::units(&picture.data).map(hex::encode).collect();
    pictures.iter().map(|picture| (picture.time, units(picture), picture.sets.len(), picture.lost)).collect()
}

fn h264(lines: &[Line]) -> Vec<(i64, Vec<String>, usize, u64)> {
    told(&assembled(VideoCodec::H264, lines))
}

fn units(units: &[&[u8]]) -> Vec<String> {
    units.iter().map(hex::encode).collect()
}

fn stap(units: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![24];
    for unit in units {
        out.extend_from_slice(&u16::try_from(unit.len()).unwrap().to_be_bytes());
        out.extend_from_slice(unit);
    }
    out
}

#[test]
fn packets_become_access_units() {
    for (what, lines, expected) in [
        ("a marker ends", vec![line(1, 0, true, FIRST)], vec![(1, units(&[FIRST]), 0, 0)]),
        (
            "a change of time ends, too",
            vec![line(1, 0, false, FIRST), line(1, 0, false, SECOND), line(2, 0, true, FIRST)],
            vec![(1, units(&[FIRST, SECOND]), 0, 0), (2, units(&[FIRST]), 0, 0)],
        ),
        (
            "the same time, twice",
            vec![line(1, 0, true, FIRST), line(1, 0, true, FIRST)],
            vec![(1, units(&[FIRST]), 0, 0), (1, units(&[FIRST]), 0, 0)],
        ),
        (
            "sets and messages with markers and times of their own",
            vec![line(1, 0, true, SPS), line(1, 0, false, PPS), line(2, 0, true, SEI), line(3, 0, true, FIRST)],
            vec![(3, units(&[SEI, FIRST]), 2, 0)],
        ),
        (
            "aggregated and fragmented",
            vec![
                line(1, 0, false, &stap(&[SPS, PPS, SEI])),
                line(1, 0, false, &[0x7c, 0x85, 0x88]),
                line(1, 0, false, &[0x7c, 0x05, 9]),
                line(1, 0, true, &[0x7c, 0x45, 1]),
            ],
            vec![(1, units(&[SEI, &[0x65, 0x88, 9, 1]]), 2, 0)],
        ),
        ("one fragment is a whole", vec![line(1, 0, true, &[0x7c, 0xc5, 0x88, 1])], vec![(1, units(&[FIRST]), 0, 0)]),
        (
            "a byte stream in place of a NAL unit, and zeros behind",
            vec![line(1, 0, true, &[SPS, &[0, 0, 0, 1], PPS, &[0, 0, 1], FIRST, &[0, 0, 0]].concat())],
            vec![(1, units(&[FIRST]), 2, 0)],
        ),
        (
            "a start code in front",
            vec![line(1, 0, true, &[&[0, 0, 0, 1], FIRST].concat())],
            vec![(1, units(&[FIRST]), 0, 0)],
        ),
        (
            "a byte stream in fragments",
            vec![
                line(1, 0, false, &[0x7c, 0x87, 0x64, 3, 0]),
                line(1, 0, false, &[0x7c, 0x07, 0, 1, 0x68, 0xee, 4, 0, 0]),
                line(1, 0, true, &[0x7c, 0x47, 1, 0x65, 0x88, 1]),
            ],
            vec![(1, units(&[FIRST]), 2, 0)],
        ),
        (
            "what is reserved or empty is nothing",
            vec![line(1, 0, false, &[30, 1]), line(1, 0, false, &[]), line(1, 0, true, FIRST)],
            vec![(1, units(&[FIRST]), 0, 0)],
        ),
    ] {
        assert_eq!(h264(&lines), expected, "{what}");
    }
}

#[test]
fn what_is_missing_costs_the_picture_that_it_is_missing_from() {
    let start = [0x7c, 0x85, 0x88];
    let middle = [0x7c, 0x05, 9];
    let end = [0x7c, 0x45, 1];
    let whole = |time| (time, units(&[&[0x65, 0x88, 9, 1]]), 0, 0);
    let next = |lost| (2, units(&[FIRST]), 0, lost);
    for (what, lines, expected) in [
        ("the middle", vec![line(1, 0, false, &start), line(1, 1, true, &end), line(2, 0, true, FIRST)], vec![next(1)]),
        (
            "the end, with the marker",
            vec![line(1, 0, false, &start), line(1, 0, false, &middle), line(2, 1, true, FIRST)],
            vec![next(1)],
        ),
        (
            "the beginning",
            vec![line(1, 1, false, &middle), line(1, 0, true, &end), line(2, 0, true, FIRST)],
            vec![next(1)],
        ),
        ("the first of two slices", vec![line(1, 1, true, SECOND), line(2, 0, true, FIRST)], vec![next(1)]),
        (
            "a whole picture: those beside it are whole",
            vec![
                line(0, 0, false, &start),
                line(0, 0, false, &middle),
                line(0, 0, true, &end),
                line(2, 3, true, FIRST),
            ],
            vec![whole(0), next(3)],
        ),
        (
            "parameter sets that came whole are kept",
            vec![line(1, 0, false, SPS), line(1, 1, true, SECOND), line(2, 0, true, FIRST)],
            vec![(2, units(&[FIRST]), 1, 1)],
        ),
        (
            "a fragment that nobody began, without any loss",
            vec![line(1, 0, false, &middle), line(1, 0, true, &end), line(2, 0, true, FIRST)],
            vec![next(1)],
        ),
        (
            "an aggregate that is cut short",
            vec![line(1, 0, false, &[24, 0, 9, 0x65]), line(1, 0, true, FIRST), line(2, 0, true, FIRST)],
            vec![next(1)],
        ),
        ("a NAL unit that was given up", vec![line(1, 0, false, &start), line(2, 0, true, FIRST)], vec![next(1)]),
    ] {
        assert_eq!(h264(&lines), expected, "{what}");
    }
}

#[test]
fn h265_is_put_together() {
    let idr = [0x26, 1, 0x80, 7];
    let lines = [
        line(1, 0, false, &[&[0x60, 1][..], &[0, 3, 0x40, 1, 5], &[0, 3, 0x42, 1, 6], &[0, 3, 0x44, 1, 7]].concat()),
        line(1, 0, false, &[0x62, 1, 0x93, 0x80]),
        line(1, 0, true, &[0x62, 1, 0x53, 7]),
        line(2, 0, false, &[0x62]),
        line(3, 0, true, &idr),
    ];
    let found = told(&assembled(VideoCodec::H265, &lines));
    assert_eq!(found, [(1, units(&[&idr]), 3, 0), (3, units(&[&idr]), 0, 1)]);
}

#[test]
fn each_limit_is_exact() {
    let push = |assembler: &mut Assembler, payload: &[u8]| {
        assembler.push(&packet(false, payload), Place { time: 0, missing: 0 }, &mut Vec::new())
    };
    let mut assembler = Assembler::new(VideoCodec::H264);
    assert_eq!(push(&mut assembler, &stap(&vec![&[0x41, 0x9a][..]; UNITS_MAX])), Ok(()));
    assert_eq!(push(&mut assembler, &[0x41, 0x9a]), Err(Excess::Units));
    // Sets are no way around it.
    let mut assembler = Assembler::new(VideoCodec::H264);
    assert_eq!(push(&mut assembler, &stap(&vec![&[0x67, 0x9a][..]; UNITS_MAX + 1])), Err(Excess::Units));

    let mut assembler = Assembler::new(VideoCodec::H264);
    assert_eq!(push(&mut assembler, &[0x7c, 0x85]), Ok(()));
    let piece = vec![0x55; 60_002];
    let piece = [&[0x7c, 0x05], &piece[2..]].concat();
    let pieces = (ACCESS_UNIT_MAX - 5) / 60_000;
    for _ in 0..pieces {
        assert_eq!(push(&mut assembler, &piece), Ok(()));
    }
    let left = ACCESS_UNIT_MAX - 5 - pieces * 60_000;
    assert_eq!(push(&mut assembler, &piece[..2 + left]), Ok(()));
    assert_eq!(push(&mut assembler, &piece[..3]), Err(Excess::AccessUnit));
}

proptest! {
    #[test]
    fn anything_is_put_together_to_something_whole(
        h265 in any::<bool>(),
        lines in proptest::collection::vec(
            (0..4_i64, prop_oneof![9 => Just(0_u64), 1 => 1..3_u64], any::<bool>(),
             prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..12),
                (any::<u8>(), any::<u8>()).prop_map(|(fu, byte)| vec![0x7c, fu, byte]),
                Just(stap(&[SPS, PPS, FIRST])),
                Just(FIRST.to_vec()),
             ]),
            0..40,
        ),
    ) {
        let codec = if h265 { VideoCodec::H265 } else { VideoCodec::H264 };
        let lines: Vec<Line> = lines.into_iter().map(|(time, missing, marker, payload)| Line { time, missing, marker, payload }).collect();
        let missing: u64 = lines.iter().map(|line| line.missing).sum();
        let pictures = assembled(codec, &lines);
        for picture in &pictures {
            let covered: usize = nal::units(&picture.data).map(|unit| { assert!(!unit.is_empty()); unit.len() + 4 }).sum();
            prop_assert_eq!(covered, picture.data.len());
            prop_assert!(!picture.data.is_empty());
        }
        prop_assert!(pictures.iter().map(|picture| picture.lost).sum::<u64>() <= missing + lines.len() as u64);
    }
}
