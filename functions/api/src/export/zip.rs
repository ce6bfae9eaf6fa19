//! An export as a ZIP archive that exists only while it is read.
//!
//! Entries are stored, not compressed: video does not get smaller, and so the archive's length and every position in it follow from
//! the entries' lengths. Digests are known, too, so that nothing is written behind an entry. What is larger than 4 GiB, or lies behind
//! them, has the fields of ZIP64 (APPNOTE 6.3.10, §4.5.3).

use super::Exports;
use super::state::{Entry, State};
use bytes::Bytes;
use framepost_ports::{ByteRange, Error};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// Bytes of an entry that are read at a time.
const PIECE_BYTES: u64 = 256 * 1024;
/// Fields of 32 bits say this where the value is in a field of ZIP64.
const ELSEWHERE: u32 = u32::MAX;
/// Names are UTF-8 (§4.4.4, bit 11).
const UTF8: u16 = 1 << 11;

/// The archive of an export.
#[derive(Clone)]
pub(crate) struct Archive {
    parts: Arc<Vec<Part>>,
    size: u64,
}

/// What stands from `start` on.
struct Part {
    start: u64,
    what: What,
}

enum What {
    Bytes(Bytes),
    Object { key: String, bytes: u64 },
}

impl What {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Object { bytes, .. } => *bytes,
        }
    }
}

/// A date and a time of MS-DOS (§4.4.6): in UTC, to two seconds.
fn dos(time: Timestamp) -> [u8; 4] {
    let at = time.to_zoned(TimeZone::UTC);
    let part = |value: i8| u16::from(u8::try_from(value).unwrap_or_default());
    let year = u16::try_from(at.year() - 1980).unwrap_or_default().min(127);
    let date = (year << 9) | (part(at.month()) << 5) | part(at.day());
    let time = (part(at.hour()) << 11) | (part(at.minute()) << 5) | (part(at.second()) / 2);
    let time = time.to_le_bytes();
    let date = date.to_le_bytes();
    [time[0], time[1], date[0], date[1]]
}

/// A value of 32 bits, or that it is elsewhere.
fn short(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(ELSEWHERE)
}

/// Whether a value of 32 bits cannot say it.
fn is_large(value: u64) -> bool {
    value >= u64::from(ELSEWHERE)
}

/// The extra field of ZIP64 with these values; nothing without any.
fn extra(values: &[u64]) -> Vec<u8> {
    if values.is_empty() {
        return vec![];
    }
    let len = u16::try_from(values.len() * 8).unwrap_or_default();
    let mut field = [1_u16.to_le_bytes(), len.to_le_bytes()].concat();
    for value in values {
        field.extend(value.to_le_bytes());
    }
    field
}

fn len16(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes()
}

/// What the local header and the one in the directory have in common (§4.3.7, §4.3.12): from the version on up to the lengths.
fn common(entry: &Entry, stamp: [u8; 4], version: u16) -> Vec<u8> {
    let size = if is_large(entry.bytes) { ELSEWHERE } else { short(entry.bytes) }.to_le_bytes();
    let stored = 0_u16.to_le_bytes();
    [&version.to_le_bytes()[..], &UTF8.to_le_bytes(), &stored, &stamp, &entry.crc32.to_le_bytes(), &size, &size]
        .concat()
}

fn local_header(entry: &Entry, name: &str, stamp: [u8; 4]) -> Vec<u8> {
    let extra = if is_large(entry.bytes) { extra(&[entry.bytes, entry.bytes]) } else { vec![] };
    let version = if extra.is_empty() { 10 } else { 45 };
    let common = common(entry, stamp, version);
    [&b"PK\x03\x04"[..], &common, &len16(name.as_bytes()), &len16(&extra), name.as_bytes(), &extra].concat()
}

fn directory_header(entry: &Entry, name: &str, stamp: [u8; 4], at: u64) -> Vec<u8> {
    let mut values = if is_large(entry.bytes) { vec![entry.bytes, entry.bytes] } else { vec![] };
    let place = if is_large(at) {
        values.push(at);
        ELSEWHERE
    } else {
        short(at)
    };
    let extra = extra(&values);
    let version = if extra.is_empty() { 10 } else { 45 };
    // Made by UNIX (3), whose attributes are those of a file that everybody may read.
    let made_by = 0x0300_u16 | version;
    let attributes = (0o100_644_u32 << 16).to_le_bytes();
    let none = [0; 6];
    let common = common(entry, stamp, version);
    [
        &b"PK\x01\x02"[..],
        &made_by.to_le_bytes(),
        &common,
        &len16(name.as_bytes()),
        &len16(&extra),
        // No comment, the first disk, no text.
        &none,
        &attributes,
        &place.to_le_bytes(),
        name.as_bytes(),
        &extra,
    ]
    .concat()
}

/// The end of the directory (§4.3.14 to §4.3.16).
fn end(entries: u64, directory_at: u64, directory_bytes: u64) -> Vec<u8> {
    let mut end = Vec::new();
    if is_large(directory_at) || is_large(directory_bytes) || entries >= u64::from(u16::MAX) {
        end.extend(b"PK\x06\x06");
        end.extend(44_u64.to_le_bytes());
        end.extend(0x032d_u16.to_le_bytes());
        end.extend(45_u16.to_le_bytes());
        end.extend([0; 8]);
        for value in [entries, entries, directory_bytes, directory_at] {
            end.extend(value.to_le_bytes());
        }
        end.extend(b"PK\x06\x07");
        end.extend([0; 4]);
        end.extend((directory_at + directory_bytes).to_le_bytes());
        end.extend(1_u32.to_le_bytes());
    }
    let count = u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes();
    end.extend(b"PK\x05\x06");
    end.extend([0; 4]);
    end.extend(count);
    end.extend(count);
    end.extend(short(directory_bytes).to_le_bytes());
    end.extend(short(directory_at).to_le_bytes());
    end.extend([0; 2]);
    end
}

impl Archive {
    /// The archive of an export that is complete.
    pub(crate) fn of(state: &State) -> Self {
        let id = &state.request.id;
        let folder = format!("export-{}", id.as_str());
        Self::made_of(&folder, &state.entries(), state.request.created_at, |name| id.file_key(name))
    }

    fn made_of(folder: &str, entries: &[Entry], time: Timestamp, key: impl Fn(&str) -> String) -> Self {
        let stamp = dos(time);
        let mut parts = Vec::new();
        let mut at = 0;
        let mut directory = Vec::new();
        let mut add = |at: &mut u64, what: What| {
            let start = *at;
            *at += what.len();
            parts.push(Part { start, what });
        };
        for entry in entries {
            let name = format!("{folder}/{}", entry.name);
            directory.extend(directory_header(entry, &name, stamp, at));
            add(&mut at, What::Bytes(local_header(entry, &name, stamp).into()));
            add(&mut at, What::Object { key: key(&entry.name), bytes: entry.bytes });
        }
        let end = end(entries.len() as u64, at, directory.len() as u64);
        directory.extend(end);
        add(&mut at, What::Bytes(directory.into()));
        Self { parts: Arc::new(parts), size: at }
    }

    /// Its length in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The next bytes from `start` on, some of those before `end`.
    pub(crate) async fn read(&self, exports: &Exports, start: u64, end: u64) -> Result<Bytes, Error> {
        let behind = self.parts.partition_point(|part| part.start + part.what.len() <= start);
        let Some(part) = self.parts.get(behind) else { return Ok(Bytes::new()) };
        let offset = start - part.start;
        let len = (part.what.len() - offset).min(end - start);
        match &part.what {
            What::Bytes(bytes) => {
                let at = |position: u64| usize::try_from(position).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(at(offset)..at(offset + len)))
            }
            What::Object { key, .. } => exports.read(key, offset, len.min(PIECE_BYTES)).await,
        }
    }
}

impl Exports {
    /// Bytes of an object of an export.
    async fn read(&self, key: &str, start: u64, len: u64) -> Result<Bytes, Error> {
        let parts = &self.inner.parts;
        let range = ByteRange { start, len };
        Ok(parts.source.read(&parts.bucket.name, key, None, range).await?.bytes)
    }

    /// Bytes of a file of an export.
    pub(crate) async fn read_file(&self, state: &State, name: &str, start: u64, end: u64) -> Result<Bytes, Error> {
        self.read(&state.request.id.file_key(name), start, (end - start).min(PIECE_BYTES)).await
    }
}
