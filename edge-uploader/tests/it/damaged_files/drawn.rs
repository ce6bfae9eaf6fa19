//! Damage of every kind at every kind of place, beside what ffmpeg and mkvmerge save of the same files.
//!
//! The damage is drawn from a seed; `FRAMEPOST_DAMAGE_ROUNDS` draws more of it than the few of each kind that every run has, and
//! `FRAMEPOST_DAMAGE_SEED`, a number, draws other damage.

use super::judges::{is_shown, judged, merged};
use super::{FILES, saved};
use std::collections::BTreeSet;
use std::path::Path;

/// Numbers from a seed (xorshift): the same damage in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

/// What is done to bytes of a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Zeros(usize),
    Noise(usize),
    Removed(usize),
    Inserted(usize),
    Repeated(usize),
    /// A size before the place that lies.
    Size(u32),
    /// The end is cut off.
    Cut,
    /// Bits of the next 256 bytes that are the other way round.
    Bits(usize),
    /// A block that changed places with one at another place.
    Swapped(usize),
}

fn damaged(original: &[u8], damage: Damage, at: usize, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let range = |length: usize| at..(at + length).min(original.len());
    match damage {
        Damage::Zeros(length) => bytes[range(length)].fill(0),
        Damage::Noise(length) => bytes[range(length)].iter_mut().for_each(|byte| *byte = numbers.byte()),
        Damage::Removed(length) => drop(bytes.drain(range(length))),
        Damage::Inserted(length) => {
            let noise: Vec<u8> = (0..length).map(|_| numbers.byte()).collect();
            bytes.splice(at..at, noise);
        }
        Damage::Repeated(length) => {
            let again = original[range(length)].to_vec();
            bytes.splice(at..at, again);
        }
        Damage::Size(size) => {
            let place = at.saturating_sub(4);
            bytes[place..place + 4].copy_from_slice(&size.to_be_bytes());
        }
        Damage::Cut => bytes.truncate(at),
        Damage::Bits(count) => {
            for _ in 0..count {
                let place = (at + numbers.below(256)).min(bytes.len() - 1);
                bytes[place] ^= 1 << numbers.below(8);
            }
        }
        Damage::Swapped(length) => {
            let length = length.min(bytes.len() - at);
            let other = numbers.below(bytes.len() - length);
            let one = bytes[at..at + length].to_vec();
            let two = bytes[other..other + length].to_vec();
            bytes[at..at + length].copy_from_slice(&two);
            bytes[other..other + length].copy_from_slice(&one);
        }
    }
    bytes
}

/// Where the structure of a file is: the marks of boxes and elements.
fn places(bytes: &[u8]) -> Vec<(String, usize)> {
    const MARKS: [&[u8]; 34] = [
        b"ftyp",
        b"moov",
        b"mvhd",
        b"trak",
        b"tkhd",
        b"elst",
        b"mdia",
        b"mdhd",
        b"hdlr",
        b"minf",
        b"stbl",
        b"stsd",
        b"stts",
        b"ctts",
        b"stsc",
        b"stsz",
        b"stco",
        b"mvex",
        b"trex",
        b"moof",
        b"mfhd",
        b"traf",
        b"tfhd",
        b"tfdt",
        b"trun",
        b"mdat",
        b"mfra",
        b"mfro",
        b"\x1a\x45\xdf\xa3",
        b"\x18\x53\x80\x67",
        b"\x16\x54\xae\x6b",
        b"\x1f\x43\xb6\x75",
        b"\x1c\x53\xbb\x6b",
        b"\x12\x54\xc3\x67",
    ];
    let mut places = Vec::new();
    for mark in MARKS {
        let found: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(mark)).collect();
        // The first, one in the middle, and the last.
        for at in BTreeSet::from_iter([found.first(), found.get(found.len() / 2), found.last()]).into_iter().flatten() {
            places.push((mark.escape_ascii().to_string(), *at));
        }
    }
    places
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().and_then(|number| number.parse().ok())
}

fn rounds() -> usize {
    number_of("FRAMEPOST_DAMAGE_ROUNDS").and_then(|rounds| usize::try_from(rounds).ok()).unwrap_or(1)
}

fn any_damage(numbers: &mut Numbers) -> Damage {
    match numbers.below(12) {
        0 => Damage::Zeros(512),
        1 => Damage::Noise(512),
        2 => Damage::Zeros(1 + numbers.below(64)),
        3 => Damage::Noise(1 + numbers.below(16)),
        4 => Damage::Removed(1 + numbers.below(600)),
        5 => Damage::Inserted(1 + numbers.below(600)),
        6 => Damage::Size([0, 1, 7, 1 << 20, 1 << 31, u32::MAX][numbers.below(6)]),
        7 => Damage::Repeated(1 + numbers.below(30_000)),
        8 => Damage::Bits(1 + numbers.below(8)),
        9 => Damage::Swapped(1 + numbers.below(4096)),
        10 => Damage::Zeros(4096),
        _ => Damage::Zeros(8),
    }
}

/// Keeps a file that shows a fault, where `FRAMEPOST_DAMAGE_KEEP` names a directory.
fn keep(path: &Path, number: usize) {
    if let Some(directory) = std::env::var_os("FRAMEPOST_DAMAGE_KEEP") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        std::fs::copy(path, Path::new(&directory).join(format!("{number}-{name}"))).unwrap();
    }
}

/// Damages one file in many ways.
fn every_saved_frame_is_saved(name: &str) {
    let original_path = FILES.path().join(name);
    let original = std::fs::read(&original_path).unwrap();
    let whole: BTreeSet<String> = judged(&original_path).into_iter().collect();
    let ours = saved(&original_path);
    assert!(ours.is_whole(), "{name}: {:?} {:?}", ours.faults, ours.end);
    assert!(whole.len() > 140 && ours.frames.len() == 150, "{name}: {} {}", whole.len(), ours.frames.len());
    let directory = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ number_of("FRAMEPOST_DAMAGE_SEED").unwrap_or(0));
    let mut worse = Vec::new();
    // Printed at once too: many rounds may be ended by a limit of time.
    let mut note = |path: &Path, line: String| {
        keep(path, worse.len());
        eprintln!("{line}");
        worse.push(line);
    };
    let mut tried = 0;
    let mut more = 0_usize;
    let mut shown_by_none = 0_usize;
    let places = places(&original);
    for round in 0..rounds() {
        let mut all: Vec<(String, Vec<(usize, Damage)>)> = Vec::new();
        for (mark, at) in &places {
            let damage = any_damage(&mut numbers);
            // At the mark, or a little before or behind it.
            let at = (at + numbers.below(24)).saturating_sub(if round == 0 { 0 } else { numbers.below(512) });
            all.push((mark.clone(), vec![(at.min(original.len() - 1), damage)]));
        }
        for _ in 0..6 {
            let damage =
                [Damage::Zeros(4096), Damage::Noise(700), Damage::Removed(100), Damage::Inserted(100), Damage::Cut];
            all.push(("anywhere".to_owned(), vec![(numbers.below(original.len()), damage[numbers.below(5)])]));
        }
        for _ in 0..if round == 0 { 2 } else { 8 } {
            let (mark, at) = &places[numbers.below(places.len())];
            let elsewhere = (numbers.below(original.len()), any_damage(&mut numbers));
            all.push((format!("{mark} and elsewhere"), vec![(*at, any_damage(&mut numbers)), elsewhere]));
        }
        for (mark, damages) in all {
            let mut bytes = original.clone();
            for (at, damage) in &damages {
                bytes = damaged(&bytes, *damage, (*at).min(bytes.len() - 1), &mut numbers);
            }
            let what = format!("{name} {mark} {damages:?}");
            let path = directory.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let ours = saved(&path);
            tried += 1;
            let digests = ours.digests();
            // What a muxer makes of damaged tables is no frame of the recording.
            // mkvmerge takes its time, and is asked less often.
            let other = if tried % 4 == 0 { merged(&path) } else { Vec::new() };
            for (judge, theirs) in [("ffmpeg", judged(&path)), ("mkvmerge", other)] {
                let theirs: BTreeSet<&String> = theirs.iter().filter(|digest| whole.contains(*digest)).collect();
                let missing = theirs.iter().filter(|digest| !digests.contains(digest.as_str())).count();
                if missing > 0 && !is_shown(&path) {
                    shown_by_none += 1;
                } else if missing > 0 {
                    let line = format!(
                        "{what}: {judge} saves {}, of which {missing} are missing in ours: {} {:?} {:?}",
                        theirs.len(),
                        digests.len(),
                        ours.faults,
                        ours.end
                    );
                    note(&path, line);
                }
                more += usize::from(digests.len() > theirs.len());
            }
            let lost = whole.iter().filter(|digest| !digests.contains(digest.as_str())).count();
            // Bytes within a picture may be other ones, and nobody can tell.
            if ours.frames.len() < 150 && ours.is_whole() {
                note(&path, format!("{what}: {lost} frames are lost without a word"));
            }
        }
    }
    eprintln!(
        "{name}: {tried} kinds of damage; more was saved than by another program {more} times; {shown_by_none} times ffmpeg \
         copied what it cannot show"
    );
    assert!(worse.is_empty(), "{} of {tried}:\n{}", worse.len(), worse.join("\n"));
}

#[test]
fn of_fragments() {
    every_saved_frame_is_saved("moofs.mp4");
}

#[test]
fn of_fragments_with_offsets_in_the_file() {
    every_saved_frame_is_saved("moofs-offset.mp4");
}

#[test]
fn of_tables_in_front() {
    every_saved_frame_is_saved("front.mp4");
}

#[test]
fn of_tables_in_front_of_hevc() {
    every_saved_frame_is_saved("front-hevc.mp4");
}

#[test]
fn of_tables_at_the_end() {
    every_saved_frame_is_saved("end.mp4");
}

#[test]
fn of_matroska() {
    every_saved_frame_is_saved("whole.mkv");
}

#[test]
fn of_live_matroska() {
    every_saved_frame_is_saved("live.mkv");
}

#[test]
fn of_matroska_in_short_clusters() {
    every_saved_frame_is_saved("hevc.mkv");
}
