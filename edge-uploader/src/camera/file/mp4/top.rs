//! The boxes that a file consists of: found by their headers, read whole only where they are structure.

use super::super::demux::Fault;
use super::boxes;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};

/// The largest `moov` and `moof` that are read: the tables of some eight million frames.
const STRUCTURE_LIMIT_BYTES: u64 = 64 << 20;

/// A top-level box of the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: [u8; 4],
    pub(super) end: u64,
}

/// The header of the box at `at`; `None` at the end of the file.
pub(super) fn box_header(file: &mut BufReader<File>, at: u64, size: u64) -> Result<Option<Header>, Fault> {
    if at >= size {
        return Ok(None);
    }
    let failed = |error| Fault::because(format!("the box at byte {at} cannot be read"), error);
    seek_to(file, at).map_err(failed)?;
    let mut bytes = Vec::with_capacity(16);
    file.by_ref().take(16).read_to_end(&mut bytes).map_err(failed)?;
    let cut = || Fault::new(format!("the file is cut short: the box at byte {at} has no whole header"));
    let (length, header_bytes) = boxes::size(&bytes).ok_or_else(cut)?;
    let kind = *bytes.get(4..).and_then(|rest| rest.first_chunk::<4>()).ok_or_else(cut)?;
    let length = if length == 0 { size - at } else { length };
    if length < header_bytes as u64 {
        return Err(Fault::new(format!("the box at byte {at} has an impossible size")));
    }
    Ok(Some(Header { kind, end: at.saturating_add(length) }))
}

/// Like `seek`, but what was read ahead stays: boxes may be small, and many.
fn seek_to(file: &mut BufReader<File>, at: u64) -> std::io::Result<()> {
    let here = file.stream_position()?;
    match i64::try_from(i128::from(at) - i128::from(here)) {
        Ok(step) => file.seek_relative(step),
        Err(_) => file.seek(SeekFrom::Start(at)).map(drop),
    }
}

/// A whole box, header included.
pub(super) fn read_box(file: &mut BufReader<File>, at: u64, header: Header) -> Result<Vec<u8>, Fault> {
    let length = header.end - at;
    let name = boxes::name(header.kind);
    if length > STRUCTURE_LIMIT_BYTES {
        return Err(Fault::new(format!("the {name} box at byte {at} claims {length} bytes; that is too much")));
    }
    let failed = |error| Fault::because(format!("the {name} box at byte {at} cannot be read"), error);
    seek_to(file, at).map_err(failed)?;
    let mut bytes = Vec::new();
    file.by_ref().take(length).read_to_end(&mut bytes).map_err(failed)?;
    if (bytes.len() as u64) < length {
        return Err(Fault::new(format!("the file is cut short within the {name} box at byte {at}")));
    }
    Ok(bytes)
}
