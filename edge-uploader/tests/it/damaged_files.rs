//! Damage to files costs what it covers: of small files with damage of every kind at every kind of place, each frame that
//! ffmpeg or mkvmerge saves is saved. ffmpeg makes the files, and judges.
//!
//! The damage is drawn from a seed; `FRAMEPOST_DAMAGE_ROUNDS` draws more of it than the few of each kind that every run has, and
//! `FRAMEPOST_DAMAGE_SEED`, a number, draws other damage.

#![allow(clippy::print_stderr, reason = "tests")]

use edge_uploader::camera::file::{FileCamera, FileOptions};
use edge_uploader::camera::{Camera as _, CameraError, CameraEvent, SourceFault};
use edge_uploader::media::TrackKind;
use framepost_events::Sha256;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

const PICTURE: &str = "-f lavfi -i testsrc2=size=192x108:rate=25:duration=6";
const SOUND: &str = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=6";
const H264: &str =
    "-c:v libx264 -preset veryfast -pix_fmt yuv420p -x264-params threads=1:keyint=25:scenecut=0:bframes=2:log=-1";
const H265: &str = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p -x265-params pools=1:keyint=25:min-keyint=25:scenecut=0:bframes=2:log-level=none -tag:v hvc1";

fn ffmpeg(arguments: &str, output: &Path) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-nostdin", "-threads", "1"])
        .args(arguments.split_whitespace())
        .arg(output)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success(), "ffmpeg {arguments}");
}

static FILES: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let files = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| files.path().join(name);
    let copy = |of: &str| format!("-i {} -map 0 -c copy", path(of).display());
    ffmpeg(&format!("{PICTURE} {SOUND} {H264} -c:a aac -b:a 32k"), &path("end.mp4"));
    ffmpeg(&format!("{PICTURE} {SOUND} {H265} -c:a aac -b:a 32k -movflags +faststart"), &path("front-hevc.mp4"));
    ffmpeg(&format!("{} -movflags +faststart", copy("end.mp4")), &path("front.mp4"));
    ffmpeg(&format!("{} -movflags +frag_keyframe+empty_moov+default_base_moof", copy("end.mp4")), &path("moofs.mp4"));
    ffmpeg(&format!("{} -movflags +frag_keyframe+empty_moov", copy("front-hevc.mp4")), &path("moofs-offset.mp4"));
    ffmpeg(&copy("end.mp4"), &path("whole.mkv"));
    ffmpeg(&format!("{} -live 1 -f matroska", copy("end.mp4")), &path("live.mkv"));
    ffmpeg(&format!("{} -cluster_time_limit 1000", copy("front-hevc.mp4")), &path("hevc.mkv"));
    files
});

/// Most memory of a judge in KiB: damaged sizes make mkvmerge ask for gigabytes.
const JUDGE_LIMIT_KIB: u64 = 2 << 20;

/// A program that judges a damaged file, with limited memory.
fn judge(program: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {JUDGE_LIMIT_KIB}; exec \"$@\""), "sh", program]);
    command
}

/// The digests of the video frames of a file, as ffmpeg reads it.
fn judged(path: &Path) -> Vec<String> {
    let output = judge("ffmpeg")
        .args(["-v", "quiet", "-nostdin", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-c", "copy", "-f", "framehash", "-hash", "sha256", "-"])
        .output()
        .expect("ffmpeg is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit([',', ' ']).next().map(str::to_owned)).collect()
}

/// Whether ffmpeg can show anything of a file: frames without parameter sets are copied, but saved for nobody.
fn is_shown(path: &Path) -> bool {
    let output = judge("ffmpeg")
        .args(["-v", "quiet", "-nostdin", "-i"])
        .arg(path)
        .args(["-map", "0:v:0", "-f", "framehash", "-"])
        .output()
        .expect("ffmpeg is installed");
    String::from_utf8_lossy(&output.stdout).lines().any(|line| !line.starts_with('#'))
}

/// The same of what mkvmerge saves of it; nothing where it is not installed.
fn merged(path: &Path) -> Vec<String> {
    let out = path.with_extension("merged.mkv");
    let merge = judge("mkvmerge").args(["-q", "-A", "-o"]).arg(&out).arg(path).output();
    let saved = if merge.is_ok() && out.is_file() { judged(&out) } else { Vec::new() };
    let _ = std::fs::remove_file(out);
    saved
}

/// What a file gave.
struct Saved {
    /// Digest and time of each video frame.
    frames: Vec<(String, i64)>,
    faults: Vec<SourceFault>,
    end: Result<(), CameraError>,
}

impl Saved {
    fn digests(&self) -> BTreeSet<&str> {
        self.frames.iter().map(|(digest, _)| digest.as_str()).collect()
    }

    fn is_whole(&self) -> bool {
        self.faults.is_empty() && self.end.is_ok()
    }
}

fn saved(path: &Path) -> Saved {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut saved = Saved { frames: Vec::new(), faults: Vec::new(), end: Ok(()) };
    let play = async {
        let mut session = FileCamera::new(path, FileOptions::default()).connect().await?;
        while let Some(event) = session.next().await? {
            match event {
                CameraEvent::Frame(frame) if frame.track == TrackKind::Video => {
                    saved.frames.push((Sha256::of(&frame.data).to_string(), frame.pts));
                }
                CameraEvent::Fault(fault) => saved.faults.push(fault),
                _ => {}
            }
        }
        Ok(())
    };
    let end = runtime.block_on(async { tokio::time::timeout(Duration::from_mins(1), play).await });
    saved.end = end.expect("every file has an end");
    saved
}

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
                    keep(&path, worse.len());
                    worse.push(format!(
                        "{what}: {judge} saves {}, of which {missing} are missing in ours: {} {:?} {:?}",
                        theirs.len(),
                        digests.len(),
                        ours.faults,
                        ours.end
                    ));
                }
                more += usize::from(digests.len() > theirs.len());
            }
            let lost = whole.iter().filter(|digest| !digests.contains(digest.as_str())).count();
            // Bytes within a picture may be other ones, and nobody can tell.
            if ours.frames.len() < 150 && ours.is_whole() {
                keep(&path, worse.len());
                worse.push(format!("{what}: {lost} frames are lost without a word"));
            }
        }
    }
    eprintln!(
        "{name}: {tried} kinds of damage; more was saved than by another program {more} times; {shown_by_none} times ffmpeg \
         copied what it cannot show"
    );
    assert!(worse.is_empty(), "{} of {tried}:\n{}", worse.len(), worse.join("\n"));
}

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

/// The offset of each place in `bytes` where `mark` stands.
fn marks(bytes: &[u8], mark: [u8; 4]) -> Vec<usize> {
    (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(&mark)).collect()
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
