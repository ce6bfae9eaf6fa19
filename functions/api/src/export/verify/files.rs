//! The files of an export that lies on this machine: in a directory, or in a ZIP archive as the API makes it.
//!
//! An archive that was packed by something else may have compressed entries. Those are not read: the archive is to be unpacked, and
//! its directory checked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// The longest directory of an archive.
const DIRECTORY_BYTES_MAX: u64 = 1 << 20;
/// The end of a directory and the longest comment behind it (APPNOTE 6.3.10, §4.3.16).
const END_BYTES_MAX: u64 = 22 + 65_535;
/// The largest file that is read at once.
const WHOLE_BYTES_MAX: u64 = 512 << 20;

/// An export to be checked: a directory, or a zip archive.
#[derive(Debug)]
pub(super) enum Files {
    Directory(PathBuf),
    Archive { file: File, entries: BTreeMap<String, Stretch> },
}

/// Where a member lies in the archive: offset and length in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    start: u64,
    len: u64,
}

/// A file that is open.
#[derive(Debug)]
pub(super) struct Open {
    file: File,
    stretch: Stretch,
}

fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// A name that leads nowhere else.
fn plain(name: &str) -> io::Result<&str> {
    let is_plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0', ':']);
    if is_plain { Ok(name) } else { Err(damaged(format!("{name:?} cannot be the name of a file in an export"))) }
}

impl Files {
    pub(super) fn open(at: &Path) -> io::Result<Self> {
        if std::fs::metadata(at)?.is_dir() {
            return Ok(Self::Directory(at.to_owned()));
        }
        let file = File::open(at)?;
        let entries = directory(&file)?;
        Ok(Self::Archive { file, entries })
    }

    /// Opens the file with this name. Fails if there is none, or if the name leads elsewhere.
    pub(super) fn file(&self, name: &str) -> io::Result<Open> {
        let name = plain(name)?;
        match self {
            Self::Directory(directory) => {
                let at = directory.join(name);
                // What a link leads to is not a part of the export.
                if !std::fs::symlink_metadata(&at)?.is_file() {
                    return Err(damaged("it is no file"));
                }
                let file = File::open(at)?;
                let len = file.metadata()?.len();
                Ok(Open { file, stretch: Stretch { start: 0, len } })
            }
            Self::Archive { file, entries } => {
                let stretch = entries.get(name).copied().ok_or(io::ErrorKind::NotFound)?;
                Ok(Open { file: file.try_clone()?, stretch })
            }
        }
    }

    /// The names of all files.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        match self {
            Self::Directory(directory) => {
                let entries = std::fs::read_dir(directory)?;
                entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
            }
            Self::Archive { entries, .. } => Ok(entries.keys().cloned().collect()),
        }
    }
}

impl Open {
    pub(super) fn len(&self) -> u64 {
        self.stretch.len
    }

    /// Reads `len` bytes from `start`. Fails if the file is shorter, or `len` is too large for memory.
    pub(super) fn read(&self, start: u64, len: u64) -> io::Result<Vec<u8>> {
        let is_there = start.checked_add(len).is_some_and(|end| end <= self.stretch.len);
        if !is_there || len > WHOLE_BYTES_MAX {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| io::ErrorKind::UnexpectedEof)?];
        self.file.read_exact_at(&mut bytes, self.stretch.start + start)?;
        Ok(bytes)
    }

    pub(super) fn whole(&self) -> io::Result<Vec<u8>> {
        self.read(0, self.stretch.len)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> io::Result<u64> {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok()).map(u16::from_le_bytes);
    two.map(u64::from).ok_or_else(|| damaged("the archive's directory is cut off"))
}

fn u32_at(bytes: &[u8], at: usize) -> io::Result<u64> {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes);
    four.map(u64::from).ok_or_else(|| damaged("the archive's directory is cut off"))
}

fn u64_at(bytes: &[u8], at: usize) -> io::Result<u64> {
    let eight = bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).map(u64::from_le_bytes);
    eight.ok_or_else(|| damaged("the archive's directory is cut off"))
}

/// The entries of an archive by their names, without the folder.
fn directory(file: &File) -> io::Result<BTreeMap<String, Stretch>> {
    let size = file.metadata()?.len();
    let tail_at = size.saturating_sub(END_BYTES_MAX);
    let archive = Open { file: file.try_clone()?, stretch: Stretch { start: 0, len: size } };
    let tail = archive.read(tail_at, size - tail_at)?;
    let no_archive = || damaged("it is neither a directory nor a ZIP archive");
    let end = tail.windows(4).rposition(|four| four == b"PK\x05\x06").ok_or_else(no_archive)?;
    let mut len = u32_at(&tail, end + 12)?;
    let mut at = u32_at(&tail, end + 16)?;
    if let Some(locator) = end.checked_sub(20).filter(|locator| tail[*locator..].starts_with(b"PK\x06\x07")) {
        let record = archive.read(u64_at(&tail, locator + 8)?, 56)?;
        (len, at) = (u64_at(&record, 40)?, u64_at(&record, 48)?);
    }
    if len > DIRECTORY_BYTES_MAX {
        return Err(damaged("the archive has more files than an export"));
    }
    let bytes = archive.read(at, len)?;
    let mut entries = BTreeMap::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at..].starts_with(b"PK\x01\x02") {
            return Err(damaged("the archive's directory is damaged"));
        }
        let (name_len, extra_len, comment_len) =
            (u16_at(&bytes, at + 28)?, u16_at(&bytes, at + 30)?, u16_at(&bytes, at + 32)?);
        let [name_len, extra_len, comment_len] =
            [name_len, extra_len, comment_len].map(|len| usize::try_from(len).unwrap_or_default());
        let name = bytes.get(at + 46..at + 46 + name_len).ok_or_else(no_archive)?;
        let name = std::str::from_utf8(name).map_err(|_| damaged("a name in the archive is not UTF-8"))?;
        let extra = bytes.get(at + 46 + name_len..at + 46 + name_len + extra_len).ok_or_else(no_archive)?;
        if !name.ends_with('/') {
            if u16_at(&bytes, at + 10)? != 0 {
                return Err(damaged("the archive is compressed: unpack it, and check the directory"));
            }
            let stretch = stretch(&archive, &bytes[at..], extra)?;
            let bare = name.rsplit('/').next().unwrap_or(name).to_owned();
            if entries.insert(bare, stretch).is_some() {
                return Err(damaged(format!("{name:?} is in the archive twice")));
            }
        }
        at += 46 + name_len + extra_len + comment_len;
    }
    Ok(entries)
}

/// Where an entry's bytes are. `header` is the one in the directory.
fn stretch(archive: &Open, header: &[u8], extra: &[u8]) -> io::Result<Stretch> {
    let mut len = u32_at(header, 24)?;
    let mut at = u32_at(header, 42)?;
    let packed = u32_at(header, 20)?;
    let mut field = 0;
    while field + 4 <= extra.len() {
        let field_len = usize::try_from(u16_at(extra, field + 2)?).unwrap_or_default();
        if u16_at(extra, field)? == 1 {
            let mut next = field + 4;
            let mut take = |short: u64| {
                if short < u64::from(u32::MAX) {
                    return Ok(short);
                }
                next += 8;
                u64_at(extra, next - 8)
            };
            len = take(len)?;
            take(packed)?;
            at = take(at)?;
        }
        field += 4 + field_len;
    }
    let local = archive.read(at, 30)?;
    let start = at + 30 + u16_at(&local, 26)? + u16_at(&local, 28)?;
    Ok(Stretch { start, len })
}

/// The digest of a file, read in pieces.
pub(super) fn digest(open: &Open) -> io::Result<framepost_events::Sha256> {
    let mut hasher = framepost_events::Sha256Hasher::new();
    let mut at = 0;
    let mut piece = Vec::new();
    while at < open.len() {
        let len = (open.len() - at).min(1 << 20);
        piece.clear();
        piece.extend(open.read(at, len)?);
        hasher.update(&piece);
        at += len;
    }
    Ok(hasher.finish())
}
