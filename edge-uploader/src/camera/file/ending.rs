//! Determines whether a file is complete or will get longer.
//!
//! The last piece of a file that is still being written, or of an incomplete copy, must not be closed as if it
//! were the end: it would take the key of the longer piece that follows later. The rules are:
//!
//! | the container | and | then |
//! |---|---|---|
//! | says where it ends, and does there: no fragments; a last `mfra`; a segment of known size; `Cues` at the end | | it has ended |
//! | ends between two of its parts, and has no mark of an end (`-movflags skip_trailer`, other makers' fragments, Matroska from a pipe) | nothing was written to it for [`QUIET`]; waited for, if need be | it has ended |
//! | ends inside of a box, cluster or block | all the same it was read to its end: a size is damaged | as between two parts |
//! | | it was not touched for [`SETTLED`] | it has ended; the end is damaged |
//! | | it was | it is unfinished |
//! | any | it was modified while it was being read | it is unfinished |
//!
//! [`Ends::Final`] means that whoever plays the file says that it is complete.

use super::demux::Fault;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// How to determine whether a file will get longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ends {
    /// By the rules of this module.
    Judged,
    /// The file will not get longer.
    #[default]
    Final,
}

/// A file without an end mark is complete when nothing was written to it for this long. Recorders write each
/// group of pictures, which takes seconds.
const QUIET: Duration = Duration::from_secs(10);

/// A truncated file is complete when it was not touched for this long. Copies resume sooner.
const SETTLED: Duration = Duration::from_mins(10);

/// How often a file is checked for changes.
const LOOK: Duration = Duration::from_millis(250);

/// The state of a file's end according to the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The file has an end mark.
    Marked,
    /// The file ends between two elements without an end mark.
    Open,
    /// The element at this offset extends beyond the file's end.
    CutShort(u64),
}

/// The size and times of a file at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    bytes: u64,
    pub(super) modified: Option<SystemTime>,
}

impl Seen {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self { bytes: metadata.len(), modified: metadata.modified().ok() })
    }
}

/// Judges the end of one file.
pub(super) struct Judge<'a> {
    pub(super) path: &'a Path,
    pub(super) ends: Ends,
    /// State of the file when it was opened.
    pub(super) opened: Option<Seen>,
}

impl Judge<'_> {
    /// Judges the end after reading ended with `read`. Waits for at most a little longer than [`QUIET`],
    /// while `is_wanted` returns true.
    pub(super) fn judge(&self, read: Result<(), Fault>, is_wanted: impl Fn() -> bool) -> Result<(), Fault> {
        if self.ends == Ends::Final {
            return read;
        }
        let (Some(opened), Some(now)) = (self.opened, Seen::of(self.path)) else { return read };
        if opened != now {
            return Err(Fault::unfinished("it was modified while it was being read"));
        }
        let ending = match Ending::of(self.path) {
            // Elements after the one that is too long show that its size is damaged.
            Ok(Ending::CutShort(_)) if read.is_ok() => Ok(Ending::Open),
            ending => ending,
        };
        match ending {
            Ok(Ending::CutShort(at)) if !self.is_settled() => Err(Fault::unfinished(format!(
                "it is still being written or was cut short: the element at byte {at} extends past the end of the file"
            ))),
            Ok(Ending::Open) => match self.goes_on(now, is_wanted) {
                Goes::On => Err(Fault::unfinished("it is still being written")),
                Goes::NotOn => read,
            },
            Ok(Ending::Marked | Ending::CutShort(_)) | Err(_) => read,
        }
    }

    /// Returns whether the file is probably unfinished, without waiting for [`judge`](Self::judge).
    pub(super) fn is_unfinished(&self) -> bool {
        let judged = self.ends == Ends::Judged;
        judged && matches!(Ending::of(self.path), Ok(Ending::CutShort(_))) && !self.is_settled()
    }

    /// Returns whether the file was not written, renamed or copied for [`SETTLED`]. A copy with a preserved
    /// modification time still has a recent change time. Times in the future prove nothing.
    fn is_settled(&self) -> bool {
        let Ok(metadata) = std::fs::metadata(self.path) else { return false };
        let now = SystemTime::now();
        let changed = u64::try_from(metadata.ctime()).ok().map(|s| SystemTime::UNIX_EPOCH + Duration::from_secs(s));
        let times = [metadata.modified().ok(), changed];
        let latest = times.into_iter().flatten().filter(|time| *time <= now).max();
        latest.and_then(|latest| now.duration_since(latest).ok()).is_some_and(|age| age >= SETTLED)
    }

    fn goes_on(&self, seen: Seen, is_wanted: impl Fn() -> bool) -> Goes {
        let age = seen.modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
        let Some(left) = QUIET.checked_sub(age.unwrap_or_default()) else { return Goes::NotOn };
        let file = self.path.display();
        tracing::info!(%file, wait_s = left.as_secs_f32(), "the file has no end marker, waiting in case it still grows");
        let until = Instant::now() + left;
        while Instant::now() < until && is_wanted() {
            std::thread::sleep(LOOK);
            if Seen::of(self.path).is_some_and(|now| now != seen) {
                return Goes::On;
            }
        }
        Goes::NotOn
    }
}

enum Goes {
    On,
    NotOn,
}

impl Ending {
    /// Determines the state from the headers of the file's structure.
    pub(super) fn of(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut head = [0; 4];
        let head = read_at(&file, 0, &mut head)?;
        Ok(if head == [0x1a, 0x45, 0xdf, 0xa3] { matroska(&file, size)? } else { mp4(&file, size)? })
    }
}

/// Reads into `buffer` as many bytes as exist.
fn read_at<'b>(file: &File, at: u64, buffer: &'b mut [u8]) -> std::io::Result<&'b [u8]> {
    let mut read = 0;
    while read < buffer.len() {
        match file.read_at(&mut buffer[read..], at + read as u64)? {
            0 => break,
            count => read += count,
        }
    }
    Ok(&buffer[..read])
}

fn mp4(file: &File, size: u64) -> std::io::Result<Ending> {
    // The last box of a finished fragmented file is `mfra`, whose last is `mfro` with its size (ISO/IEC 14496-12 §8.8.11);
    // whatever is damaged before it, the file has ended.
    let mut tail = [0; 16];
    let tail = read_at(file, size.saturating_sub(16), &mut tail)?;
    if tail.len() == 16 && tail.starts_with(&[0, 0, 0, 16]) && &tail[4..8] == b"mfro" {
        return Ok(Ending::Marked);
    }
    let mut at = 0;
    let mut fragmented = false;
    let mut last = *b"free";
    while at < size {
        let mut header = [0; 16];
        let header = read_at(file, at, &mut header)?;
        let Some((head, rest)) = header.split_first_chunk::<8>() else { return Ok(Ending::CutShort(at)) };
        let [s0, s1, s2, s3, kind @ ..] = *head;
        let length = match (u32::from_be_bytes([s0, s1, s2, s3]), rest.first_chunk::<8>()) {
            (0, _) => size - at,
            (1, Some(large)) => u64::from_be_bytes(*large),
            (1, None) => return Ok(Ending::CutShort(at)),
            (length, _) => length.into(),
        };
        if length < 8 || !kind.iter().all(|byte| matches!(byte, b' '..=b'~' | 0xa9)) {
            // The box is damaged, so the position of the next one is unknown.
            return Ok(Ending::Open);
        }
        let Some(end) = at.checked_add(length).filter(|end| *end <= size) else { return Ok(Ending::CutShort(at)) };
        fragmented |= &kind == b"moof";
        last = kind;
        if &kind == b"moof" && end == size {
            return Ok(Ending::CutShort(at));
        }
        at = end;
    }
    Ok(if fragmented && &last != b"mfra" { Ending::Open } else { Ending::Marked })
}

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const CUES: u32 = 0x1c53_bb6b;

fn matroska(file: &File, size: u64) -> std::io::Result<Ending> {
    let mut at = 0;
    let mut clusters = false;
    let mut marked = false;
    while at < size {
        let mut header = [0; 12];
        let header = read_at(file, at, &mut header)?;
        let (id, header_bytes, length) = match element(header) {
            Element::Whole { id, header_bytes, length } => (id, header_bytes, length),
            Element::Short if at + 12 > size => return Ok(Ending::CutShort(at)),
            Element::Short | Element::Damaged => return Ok(Ending::Open),
        };
        let body = at + header_bytes as u64;
        let end = length.map(|length| body.saturating_add(length));
        at = match (id, end) {
            (SEGMENT, Some(end)) => return Ok(if end > size { Ending::CutShort(at) } else { Ending::Marked }),
            // Continue inside elements of unknown size (RFC 8794 §6.2).
            (SEGMENT | CLUSTER, None) => body,
            (_, None) => return Ok(Ending::Open),
            (_, Some(end)) if end > size => return Ok(Ending::CutShort(at)),
            (EBML, Some(_)) if at > 0 => return Ok(Ending::Open),
            (_, Some(end)) => end,
        };
        clusters |= id == CLUSTER;
        marked |= clusters && id == CUES;
    }
    Ok(if marked { Ending::Marked } else { Ending::Open })
}

/// The header of an EBML element (RFC 8794 §4 and §5).
enum Element {
    Whole {
        id: u32,
        header_bytes: usize,
        length: Option<u64>,
    },
    /// The header does not fit into these bytes.
    Short,
    Damaged,
}

fn element(bytes: &[u8]) -> Element {
    let Some(first) = bytes.first() else { return Element::Short };
    let id_bytes = first.leading_zeros() as usize + 1;
    if id_bytes > 4 {
        return Element::Damaged;
    }
    let Some((id, rest)) = bytes.split_at_checked(id_bytes) else { return Element::Short };
    let Some(first) = rest.first() else { return Element::Short };
    let size_bytes = first.leading_zeros() as usize + 1;
    if size_bytes > 8 {
        return Element::Damaged;
    }
    let Some(length) = rest.get(..size_bytes) else { return Element::Short };
    let unknown = (1_u64 << (7 * size_bytes)) - 1;
    let length = length.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte)) & unknown;
    Element::Whole {
        id: id.iter().fold(0, |value, byte| (value << 8) | u32::from(*byte)),
        header_bytes: id_bytes + size_bytes,
        length: (length != unknown).then_some(length),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_media::boxes::boxed;
    use std::io::Write as _;

    fn ending(bytes: &[u8]) -> Ending {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        Ending::of(file.path()).unwrap()
    }

    #[test]
    fn the_ends_of_mp4_files() {
        let head = [boxed(*b"ftyp", &[b"isom"]), boxed(*b"moov", &[b"tables"])].concat();
        let fragment = [boxed(*b"moof", &[b"runs"]), boxed(*b"mdat", &[b"pictures"])].concat();
        let mfro = [&[0, 0, 0, 16][..], b"mfro", &[0, 0, 0, 0, 0, 0, 0, 24]].concat();
        let with = |parts: &[&[u8]]| ending(&parts.concat());
        assert_eq!(with(&[&head, &boxed(*b"mdat", &[b"all"])]), Ending::Marked);
        assert_eq!(with(&[&head, &[0, 0, 0, 0], b"mdat", b"up to the end"]), Ending::Marked);
        assert_eq!(with(&[&head, &fragment, &fragment]), Ending::Open);
        assert_eq!(with(&[&head, &fragment, &boxed(*b"mfra", &[&mfro])]), Ending::Marked);
        assert_eq!(
            with(&[&head, &fragment, &[0; 64], &boxed(*b"mfra", &[&mfro])]),
            Ending::Marked,
            "damaged, and ended"
        );
        assert_eq!(with(&[&head, &fragment, &[0; 64]]), Ending::Open);
        let start = (head.len() + fragment.len()) as u64;
        assert_eq!(
            with(&[&head, &fragment, &boxed(*b"moof", &[b"runs"])]),
            Ending::CutShort(start),
            "its data is to come"
        );
        for cut in 1..fragment.len() {
            let found = with(&[&head, &fragment, &fragment[..cut]]);
            assert!(matches!(found, Ending::CutShort(_)), "{cut}: {found:?}");
        }
        for cut in 1..head.len() {
            let found = ending(&head[..cut]);
            assert!(found != Ending::Open, "{cut}");
        }
    }

    #[test]
    fn the_ends_of_matroska_files() {
        const HEAD: &[u8] = &[0x1a, 0x45, 0xdf, 0xa3, 0x82, 1, 2];
        const UNKNOWN: &[u8] = &[0x18, 0x53, 0x80, 0x67, 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        const CLUSTER: &[u8] = &[0x1f, 0x43, 0xb6, 0x75, 0x88, 0xe7, 0x81, 5, 0xa3, 0x83, 1, 2, 3];
        const OPEN_CLUSTER: &[u8] = &[0x1f, 0x43, 0xb6, 0x75, 0xff, 0xe7, 0x81, 5, 0xa3, 0x83, 1, 2, 3];
        const CUES: &[u8] = &[0x1c, 0x53, 0xbb, 0x6b, 0x81, 0];
        let with = |parts: &[&[u8]]| ending(&parts.concat());
        let known = |bytes: u8| [&[0x18, 0x53, 0x80, 0x67][..], &[0x80 | bytes]].concat();
        assert_eq!(with(&[HEAD, &known(13), CLUSTER]), Ending::Marked);
        assert!(matches!(with(&[HEAD, &known(26), CLUSTER]), Ending::CutShort(7)));
        assert_eq!(with(&[HEAD, UNKNOWN, CLUSTER, CLUSTER]), Ending::Open);
        assert_eq!(with(&[HEAD, UNKNOWN, CLUSTER, CUES]), Ending::Marked);
        assert_eq!(with(&[HEAD, UNKNOWN, CUES, CLUSTER]), Ending::Open, "an index in front says nothing of the end");
        assert_eq!(with(&[HEAD, UNKNOWN, OPEN_CLUSTER, OPEN_CLUSTER]), Ending::Open);
        assert_eq!(with(&[HEAD, UNKNOWN, CLUSTER, &[0; 40], CLUSTER]), Ending::Open, "damaged");
        for cut in 1..CLUSTER.len() {
            let found = with(&[HEAD, UNKNOWN, CLUSTER, &CLUSTER[..cut]]);
            assert!(matches!(found, Ending::CutShort(_)), "{cut}: {found:?}");
        }
    }

    #[test]
    fn what_was_touched_lately_is_not_settled_and_the_operator_may_say_otherwise() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[boxed(*b"moof", &[b"runs"]), vec![0, 0, 0, 99, b'm', b'd', b'a', b't']].concat()).unwrap();
        // A copy with a preserved modification time is still recent.
        let hour_ago = SystemTime::now() - Duration::from_hours(1);
        file.as_file().set_modified(hour_ago).unwrap();
        let judge = |ends| Judge { path: file.path(), ends, opened: Seen::of(file.path()) };
        assert!(judge(Ends::Judged).is_unfinished() && !judge(Ends::Final).is_unfinished());
        let cut = || Err(Fault::new("the file is cut short"));
        assert!(judge(Ends::Judged).judge(cut(), || true).unwrap_err().is_unfinished());
        assert!(!judge(Ends::Final).judge(cut(), || true).unwrap_err().is_unfinished());
        // It was read to its end, so a size in it is damaged.
        assert!(judge(Ends::Judged).judge(Ok(()), || true).is_ok());
        let before = judge(Ends::Judged);
        file.as_file().set_modified(hour_ago + Duration::from_secs(1)).unwrap();
        assert!(before.judge(Ok(()), || true).unwrap_err().is_unfinished(), "written to while it was read");
    }

    #[test]
    fn a_file_without_a_mark_is_watched() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let fragment = [boxed(*b"moof", &[b"runs"]), boxed(*b"mdat", &[b"pictures"])].concat();
        file.write_all(&fragment).unwrap();
        let judge = Judge { path: file.path(), ends: Ends::Judged, opened: Seen::of(file.path()) };
        // The file grows as soon as the judge waits.
        let grows = || file.reopen().and_then(|file| file.write_all_at(&fragment, 28)).is_ok();
        assert!(judge.judge(Ok(()), grows).unwrap_err().is_unfinished());
        file.as_file().set_modified(SystemTime::now() - QUIET).unwrap();
        let judge = Judge { path: file.path(), ends: Ends::Judged, opened: Seen::of(file.path()) };
        assert!(judge.judge(Ok(()), || panic!("there is nothing to wait for")).is_ok());
    }
}
