//! Decides the order of files and the start time of each. Does no I/O.
//!
//! The time of a file's first frame determines the keys of its chunks. If two recordings of one camera
//! overlap, either they are chapters of one recording, or a time is wrong. The plan does not guess: files that
//! are not chapters are refused.

use super::chapters::{Chapter, Counts, chapter};
use edge_uploader::camera::file::{Began, Picture, Survey, Witness};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file that can be recorded.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) survey: Survey,
    /// Playing time of the file.
    pub(super) length: Duration,
}

/// The start time of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    At(Began),
    /// The end of the previous file, according to its frames.
    AfterPrevious,
}

/// One file to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) path: PathBuf,
    pub(super) start: Start,
    pub(super) length: Duration,
}

/// Why files cannot be recorded together. The text is for the operator.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{}: {}", .0.display(), Began::unknown())]
    NoTime(PathBuf),
    #[error("{} and {} are the same file: name it once", .0.display(), .1.display())]
    SameFile(PathBuf, PathBuf),
    #[error("{} and {} have the same content: name one of them", .0.display(), .1.display())]
    SameContent(PathBuf, PathBuf),
    #[error(
        "{} is chapter {number} of a recording, and its creation time is that of the first chapter: name all chapters from \
         the first on, or say with --start when this one begins", .path.display()
    )]
    NoFirstChapter { path: PathBuf, number: u32 },
    #[error("{} and {} overlap: {} and {}; {hint}. Nothing was uploaded", .one.path.display(), .other.path.display(), .one, .other)]
    Overlap { one: Box<Interval>, other: Box<Interval>, hint: &'static str },
}

/// The known time interval of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) path: PathBuf,
    began: Began,
    end: Timestamp,
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {} {}", self.began.at, self.end, self.began.says.words())
    }
}

/// The chapters of one recording in order. Most recordings have one chapter.
struct Recording {
    files: Vec<Candidate>,
    began: Option<Began>,
}

/// Orders `files`, which are in the operator's order. If `given` is set, it is the start of the first file, and
/// the others follow without a break.
pub(super) fn plan(files: Vec<Candidate>, given: Option<Timestamp>) -> Result<Vec<Step>, Refusal> {
    refuse_repeated(&files)?;
    let mut recordings = recordings(files);
    if let Some(at) = given {
        let mut start = Start::At(Began::given(at));
        let files = recordings.into_iter().flat_map(|recording| recording.files);
        let step = |file: Candidate| {
            let start = std::mem::replace(&mut start, Start::AfterPrevious);
            Step { path: file.path, start, length: file.length }
        };
        return Ok(files.map(step).collect());
    }
    for recording in &recordings {
        begins_known(recording)?;
    }
    recordings.sort_by_key(|recording| recording.began.map(|began| began.at));
    in_time(recordings)
}

/// Refuses a file that is named twice, by two paths, a link or a copy.
fn refuse_repeated(files: &[Candidate]) -> Result<(), Refusal> {
    let mut inodes = BTreeMap::new();
    let mut contents = BTreeMap::new();
    for Candidate { path, survey, .. } in files {
        if let Some(other) = inodes.insert(survey.identity.inode, path.clone()) {
            return Err(Refusal::SameFile(other, path.clone()));
        }
        let (bytes, digest) = &survey.identity.content;
        if let Some(other) = contents.insert((*bytes, digest.0), path.clone()) {
            return Err(Refusal::SameContent(other, path.clone()));
        }
    }
    Ok(())
}

/// The properties that chapters of one recording share.
type Row = (Option<PathBuf>, String, String, (u16, u16));

fn row(file: &Candidate) -> Option<(Row, Chapter)> {
    let stem = file.path.file_stem()?.to_str()?;
    let chapter = chapter(stem)?;
    let extension = file.path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let Picture(_, width, height) = file.survey.picture;
    let row = (file.path.parent().map(Path::to_owned), chapter.row.clone(), extension, (width, height));
    Some((row, chapter))
}

/// Groups chapters into recordings. Each recording takes the position of its first named chapter.
fn recordings(files: Vec<Candidate>) -> Vec<Recording> {
    let mut rows: BTreeMap<Row, Vec<(u32, usize)>> = BTreeMap::new();
    for (place, file) in files.iter().enumerate() {
        if let Some((row, chapter)) = row(file) {
            rows.entry(row).or_default().push((chapter.number, place));
        }
    }
    // Maps each file to the one before it.
    let mut previous: BTreeMap<usize, usize> = BTreeMap::new();
    for numbers in rows.values_mut() {
        numbers.sort_unstable();
        let mut first = numbers.first().map(|(_, place)| *place);
        for pair in numbers.windows(2) {
            let [(number, before), (next, place)] = *pair else { continue };
            if next == number + 1 && first.is_some_and(|first| created_together(&files[first], &files[place])) {
                previous.insert(place, before);
            } else {
                first = Some(place);
            }
        }
    }
    let mut next: BTreeMap<usize, usize> = previous.iter().map(|(place, before)| (*before, *place)).collect();
    let mut files: Vec<Option<Candidate>> = files.into_iter().map(Some).collect();
    let mut recordings = Vec::new();
    for place in 0..files.len() {
        let mut first = place;
        while let Some(before) = previous.get(&first) {
            first = *before;
        }
        let mut chapters = Vec::new();
        let mut at = Some(first);
        while let Some(place) = at {
            chapters.extend(files[place].take());
            at = next.remove(&place);
        }
        if let Some(began) = chapters.first().map(|first| first.survey.began) {
            recordings.push(Recording { files: chapters, began });
        }
    }
    recordings
}

/// Returns whether two files have the same creation time.
fn created_together(one: &Candidate, other: &Candidate) -> bool {
    let created = |file: &Candidate| file.survey.began.filter(|began| began.says == Witness::Created);
    let difference = created(one).zip(created(other)).map(|(one, other)| one.at.duration_since(other.at).abs());
    difference.is_some_and(|difference| difference <= SAME)
}

/// Times and lengths that differ by less than this count as equal.
const SAME: SignedDuration = SignedDuration::from_secs(1);

/// Checks that a recording has a start time of its own, taken from its first chapter.
fn begins_known(recording: &Recording) -> Result<(), Refusal> {
    let Some(first) = recording.files.first() else { return Ok(()) };
    let Some(began) = recording.began else { return Err(Refusal::NoTime(first.path.clone())) };
    match row(first) {
        Some((_, Chapter { number, counts: Counts::Chapters { first: one }, .. }))
            if number > one && began.says == Witness::Created =>
        {
            Err(Refusal::NoFirstChapter { path: first.path.clone(), number: number + 1 - one })
        }
        _ => Ok(()),
    }
}

/// Orders recordings by time. If one begins before the previous one ends, by no more than the resolution of its
/// time, it begins where the previous one ends.
fn in_time(recordings: Vec<Recording>) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::new();
    let mut before: Option<(Candidate, Began, Timestamp)> = None;
    for Recording { files, began } in recordings {
        let (Some(began), Some(first)) = (began, files.first().cloned()) else { continue };
        let length = files.iter().map(|file| file.length).sum::<Duration>();
        let mut start = Start::At(began);
        let mut begins = began.at;
        if let Some((one, one_began, end)) = &before
            && *end > began.at
        {
            let resolution = began.says.resolution().max(one_began.says.resolution());
            if end.duration_since(began.at).unsigned_abs() > resolution || one_began.at == began.at {
                return Err(overlap(
                    one,
                    *one_began,
                    *end,
                    &first,
                    began,
                    began.at.saturating_add(length).unwrap_or(Timestamp::MAX),
                ));
            }
            (start, begins) = (Start::AfterPrevious, *end);
        }
        let end = begins.saturating_add(length).unwrap_or(Timestamp::MAX);
        for file in files {
            steps.push(Step { path: file.path, start, length: file.length });
            start = Start::AfterPrevious;
        }
        before = Some((first, began, end));
    }
    Ok(steps)
}

fn overlap(
    one: &Candidate,
    one_began: Began,
    one_end: Timestamp,
    other: &Candidate,
    began: Began,
    end: Timestamp,
) -> Refusal {
    let together = one_began.at.duration_since(began.at).abs() <= SAME;
    let as_long = one_end.duration_since(end).abs() <= SAME;
    let same_picture = one.survey.picture == other.survey.picture;
    let places = row(one).zip(row(other));
    let missing = places.is_some_and(|((one, _), (other, _))| one == other);
    let hint = if one_began.says == Witness::Modified || began.says == Witness::Modified {
        "a last-modified time may be that of a copy: name the files in order and give --start"
    } else if together && as_long && !same_picture {
        "one of them seems to be the camera's small copy (proxy) of the other: leave it out"
    } else if together && as_long {
        "they seem to be the same recording, or two cameras: leave one out, or give each camera its own --camera"
    } else if together && missing {
        "a chapter between them seems to be missing: name it too, or say with --start when the first file given begins"
    } else if together {
        "the camera's clock was not set, or they are chapters and their names do not say so: name them in their order and give \
         --start; or give each camera a --camera of its own"
    } else {
        "give each camera its own --camera; files of one camera follow one another with --start; a camera that repeats the \
         last seconds in the next file needs one command for each file"
    };
    let interval = |file: &Candidate, began, end| Box::new(Interval { path: file.path.clone(), began, end });
    Refusal::Overlap { one: interval(one, one_began, one_end), other: interval(other, began, end), hint }
}

#[cfg(test)]
mod tests {
    use super::*;
    use edge_uploader::camera::file::Identity;
    use edge_uploader::media::VideoCodec;
    use framepost_events::Sha256;

    const FULL: Picture = Picture(VideoCodec::H265, 3840, 2160);
    const SMALL: Picture = Picture(VideoCodec::H264, 768, 432);

    fn time(seconds: i64) -> Timestamp {
        "2026-03-01T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
    }

    /// Returns a file that begins `from_s` seconds after ten o'clock and lasts `length_ms`.
    fn file(path: &str, says: Witness, from_s: i64, length_ms: u64) -> Candidate {
        let digest = Sha256::of(path.as_bytes());
        let inode = digest.0.iter().fold(0_u64, |value, byte| (value << 8) ^ u64::from(*byte) ^ (value >> 50));
        let identity = Identity { inode: (1, inode), content: (7, digest) };
        let length = Duration::from_millis(length_ms);
        let survey =
            Survey { identity, picture: FULL, began: Some(Began { at: time(from_s), says }), claims: Some(length) };
        Candidate { path: path.into(), survey, length }
    }

    fn created(path: &str, from_s: i64, length_s: u64) -> Candidate {
        file(path, Witness::Created, from_s, length_s * 1000)
    }

    /// Formats each step as `name@seconds` or `name+`.
    fn planned(files: Vec<Candidate>, given: Option<Timestamp>) -> String {
        match plan(files, given) {
            Ok(steps) => {
                let words = steps.iter().map(|step| match step.start {
                    Start::At(began) => {
                        format!("{}@{}", step.path.display(), began.at.duration_since(time(0)).as_secs())
                    }
                    Start::AfterPrevious => format!("{}+", step.path.display()),
                });
                words.collect::<Vec<_>>().join(" ")
            }
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn chapters_follow_one_another_and_recordings_lie_where_they_say() {
        // In the order of a shell pattern, which mixes the chapters of two recordings.
        let gopro = || {
            vec![
                created("d/GX010042.MP4", 0, 60),
                created("d/GX010043.MP4", 300, 60),
                created("d/GX020042.MP4", 0, 60),
                created("d/GX020043.MP4", 300, 20),
                created("d/GX030042.MP4", 1, 5),
            ]
        };
        let expected = "d/GX010042.MP4@0 d/GX020042.MP4+ d/GX030042.MP4+ d/GX010043.MP4@300 d/GX020043.MP4+";
        assert_eq!(planned(gopro(), None), expected);
        let mut backwards = gopro();
        backwards.reverse();
        assert_eq!(planned(backwards, None), expected);
        assert_eq!(
            planned(gopro(), Some(time(-10))),
            "d/GX010042.MP4@-10 d/GX020042.MP4+ d/GX030042.MP4+ d/GX010043.MP4+ d/GX020043.MP4+"
        );
        assert_eq!(
            planned(
                vec![created("GP010007.MP4", 0, 9), created("GOPR0007.MP4", 0, 9), created("GP020007.MP4", 0, 9)],
                None
            ),
            "GOPR0007.MP4@0 GP010007.MP4+ GP020007.MP4+"
        );
        assert_eq!(
            planned(vec![created("DJI_0010.MP4", 0, 9), created("DJI_0009.MP4", 0, 9)], None),
            "DJI_0009.MP4@0 DJI_0010.MP4+"
        );
        // Each file has a time of its own, and the order follows the times.
        assert_eq!(planned(vec![created("b.mp4", 60, 50), created("a.mp4", 0, 50)], None), "a.mp4@0 b.mp4@60");
        assert_eq!(planned(vec![created("b.mp4", 60, 50), created("a.mp4", 0, 50)], Some(time(5))), "b.mp4@5 a.mp4+");
        assert_eq!(planned(vec![created("a.mp4", 0, 50)], None), "a.mp4@0");
    }

    #[test]
    fn times_in_whole_seconds_are_no_overlap() {
        let seconds = |says, names: [&str; 3]| {
            names.iter().zip(0..).map(|(name, n)| file(name, says, 60 * n, 60_040)).collect::<Vec<_>>()
        };
        assert_eq!(planned(seconds(Witness::Created, ["a", "b", "c"]), None), "a@0 b+ c+");
        assert_eq!(planned(seconds(Witness::Modified, ["a", "b", "c"]), None), "a@0 b+ c+");
    }

    #[test]
    fn what_overlaps_is_refused_with_the_words_that_help() {
        let picture = |mut file: Candidate, picture| {
            file.survey.picture = picture;
            file
        };
        let copied = |path, from_s| file(path, Witness::Modified, from_s, 60_000);
        for (files, words) in [
            (vec![created("GX010042.MP4", 0, 60), picture(created("GL010042.LRV", 0, 60), SMALL)], "small copy"),
            (vec![created("DJI_0001.MP4", 0, 60), created("DJI_0003.MP4", 0, 50)], "missing"),
            (vec![created("GX010042.MP4", 0, 60), created("GX030042.MP4", 0, 60)], "chapter 3"),
            (
                vec![created("a/GX010042.MP4", 0, 60), created("b/GX010042.MP4", 0, 60)],
                "same recording, or two cameras",
            ),
            (vec![created("a/GX010042.MP4", 0, 60), created("b/GX020042.MP4", 0, 30)], "chapter 2"),
            (vec![created("0001F.MP4", 0, 60), created("0001R.MP4", 0, 60)], "two cameras"),
            (vec![created("x.mp4", 0, 60), created("y.mp4", 0, 30)], "clock was not set"),
            (
                vec![created("x.mp4", 0, 62), created("y.mp4", 60, 62), created("z.mp4", 120, 62)],
                "one command for each file",
            ),
            // The overlap is hidden by a longer file in between.
            (vec![created("x.mp4", 0, 600), created("y.mp4", 60, 10), created("z.mp4", 120, 10)], "overlap"),
            (vec![copied("x.mp4", 0), copied("y.mp4", 3)], "that of a copy"),
            (vec![created("GX020042.MP4", 0, 60)], "chapter 2"),
            (vec![created("GP010042.MP4", 0, 60)], "chapter 2"),
        ] {
            let names: Vec<_> = files.iter().map(|file| file.path.display().to_string()).collect();
            let said = planned(files.clone(), None);
            assert!(said.contains(words), "{names:?}: {said}");
            assert!(said.contains(&names[0]) || words.starts_with("chapter"), "{said}");
            // A start time given by the operator always applies.
            assert!(planned(files, Some(time(0))).contains('@'));
        }
        let said = planned(vec![created("x.mp4", 0, 60), created("y.mp4", 30, 60)], None);
        for expected in
            ["x.mp4", "y.mp4", "10:00:00Z to 2026-03-01T10:01:00Z", "10:00:30Z to 2026-03-01T10:01:30Z", "--camera"]
        {
            assert!(said.contains(expected), "{said}");
        }
    }

    #[test]
    fn nothing_is_recorded_twice_or_without_a_time() {
        let one = created("a.mp4", 0, 60);
        let link = Candidate { path: "link.mp4".into(), ..one.clone() };
        let mut copy = link.clone();
        copy.survey.identity.inode = (2, 2);
        copy.path = "copy.mp4".into();
        for given in [None, Some(time(0))] {
            assert!(planned(vec![one.clone(), link.clone()], given).contains("the same file"));
            assert!(planned(vec![one.clone(), copy.clone()], given).contains("the same content"));
        }
        let mut unknown = one;
        unknown.survey.began = None;
        assert!(planned(vec![unknown.clone()], None).contains("give --start"));
        assert_eq!(planned(vec![unknown], Some(time(3))), "a.mp4@3");
    }
}
