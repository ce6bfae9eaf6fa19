//! Finds the first movie of a file and its damage.

use super::super::bytes::FileBytes;
use super::super::demux::Fault;
use super::boxes::{Box4, boxes, name, whole};
use super::entry::Configuration;
use super::leaves::find_movie;
use super::movie::Movie;
use super::rebuilt::rebuilt;
use super::table::Table;
use super::top::{self, Header, Next, Search, next_box, read_box};
use crate::camera::{FaultCost, SourceFault};
use framepost_events::gap::SourceBytes;

/// A movie and its position.
pub(super) struct Found {
    pub(super) movie: Movie,
    /// The `moov` box, or what is left of it.
    pub(super) at: Header,
    /// The first `moof` before the movie.
    pub(super) first_moof: Option<u64>,
    /// Faults up to the end of the movie.
    pub(super) faults: Vec<SourceFault>,
}

/// Finds the first movie of a file.
pub(super) fn first(file: &mut FileBytes) -> Result<Found, Fault> {
    let mut at = 0;
    let mut first_moof = None;
    let mut faults = Vec::new();
    loop {
        let header = match next_box(file, at, Search::Behind) {
            Next::Box(header) => header,
            Next::Damage { from, next } => {
                if let Some(found) = left_of(file, (from, next.start), first_moof) {
                    return Ok(found);
                }
                let bytes = SourceBytes { start: from, end: next.start };
                let detail = format!("bytes {} to {} are damaged", bytes.start, bytes.end);
                if faults.is_empty() {
                    faults.push(no_picture(detail, Some(bytes)));
                }
                next
            }
            Next::End | Next::Lost { .. } => {
                let size = file.size();
                return left_of(file, (0, size), first_moof).ok_or_else(|| without_movie(size));
            }
        };
        match &header.kind {
            b"moov" => {
                let (movie, more) = read(file, header)?;
                faults.extend(more);
                return Ok(Found { movie, at: header, first_moof, faults });
            }
            b"moof" if first_moof.is_none() => first_moof = Some(at),
            _ => {}
        }
        at = header.end;
    }
}

/// Reads the movie in a `moov` box. If parts are damaged, also rebuilds the movie from the remaining boxes, and
/// uses the one with more information.
pub(super) fn read(file: &mut FileBytes, found: Header) -> Result<(Movie, Vec<SourceFault>), Fault> {
    let size = file.size();
    let bytes = read_box(file, found)?;
    let moov = whole(&bytes).ok_or_else(|| Fault::new("the moov box is damaged"))?;
    let told = Movie::read(moov, size);
    let mut faults = Vec::new();
    if &moov.kind != b"moov" {
        let detail = format!("the type of the moov box at byte {} is damaged", found.start);
        faults.push(no_picture(detail, None));
    }
    let is_whole = top::is_whole(*b"moov", moov.body());
    let has_stranger = stranger(moov).is_some();
    let told = match told {
        Ok(movie) if is_whole && !has_stranger => {
            faults.extend(damage_of(&movie));
            return Ok((movie, faults));
        }
        told => told,
    };
    let again = rebuilt(moov.body()).and_then(|again| Movie::read(whole(&again)?, size).ok());
    let movie = match (told, again) {
        (Ok(told), Some(again)) if tells(&again) > tells(&told) => again,
        (Ok(told), _) => {
            if is_whole {
                faults.extend(damage_of(&told));
                return Ok((told, faults));
            }
            told
        }
        (Err(_), Some(again)) => again,
        (Err(fault), None) => return Err(fault),
    };
    let detail = format!("the moov box at byte {} is damaged in parts", found.start);
    faults.push(no_picture(detail, Some(SourceBytes { start: found.start, end: found.end })));
    faults.extend(damage_of(&movie));
    Ok((movie, faults))
}

/// Returns an unknown box type within the containers of a movie. It may be a vendor's own, or a damaged type.
fn stranger(container: Box4<'_>) -> Option<[u8; 4]> {
    const KNOWN: [&[u8; 4]; 24] = [
        b"mvhd", b"trak", b"mvex", b"udta", b"iods", b"meta", b"free", b"skip", b"uuid", b"tkhd", b"edts", b"mdia",
        b"tref", b"tapt", b"mdhd", b"hdlr", b"minf", b"elng", b"vmhd", b"smhd", b"dinf", b"stbl", b"gmhd", b"load",
    ];
    if !matches!(&container.kind, b"moov" | b"trak" | b"mdia" | b"minf") {
        return None;
    }
    boxes(container.body()).find_map(|b| if KNOWN.contains(&&b.kind) { stranger(b) } else { Some(b.kind) })
}

/// Rebuilds a movie without an intact `moov` from these bytes.
fn left_of(file: &mut FileBytes, (from, until): (u64, u64), first_moof: Option<u64>) -> Option<Found> {
    let (start, end) = find_movie(file, from, until)?;
    let bytes = file.read(start, end - start).ok()?;
    let movie = Movie::read(whole(&rebuilt(&bytes)?)?, file.size()).ok()?;
    let detail = format!("the {} box around byte {start} is damaged", name(*b"moov"));
    let mut faults = vec![no_picture(detail, Some(SourceBytes { start, end }))];
    faults.extend(damage_of(&movie));
    Some(Found { movie, at: Header { kind: *b"moov", start, end }, first_moof, faults })
}

/// Returns whether a file whose start is damaged contains a movie.
pub(super) fn is_within(file: &mut FileBytes) -> bool {
    let size = file.size();
    top::find_anywhere(file).is_some() || find_movie(file, 0, size).is_some()
}

/// Returns how much information a movie has: whether its frames can be decoded, frames in tables, tracks.
fn tells(movie: &Movie) -> (bool, u32, usize) {
    let frames = movie.tracks.first().and_then(|track| track.table.as_ref()).map_or(0, Table::len);
    let is_described = movie.entries.iter().all(|entry| entry.configuration != Configuration::Lost);
    (is_described, frames, movie.tracks.len())
}

fn damage_of(movie: &Movie) -> Vec<SourceFault> {
    let mut faults = Vec::new();
    if movie.tracks.iter().any(|track| track.table.as_ref().is_some_and(Table::is_damaged)) {
        faults.push(no_picture("the sample tables are damaged".to_owned(), None));
    }
    if movie.entries.iter().any(|entry| entry.configuration == Configuration::Found) {
        faults.push(no_picture("the sample description is damaged".to_owned(), None));
    }
    faults
}

fn no_picture(detail: String, bytes: Option<SourceBytes>) -> SourceFault {
    SourceFault { cost: FaultCost::NoPicture, detail, bytes }
}

/// The error for a file without `moov`, which describes the frames.
fn without_movie(size: u64) -> Fault {
    Fault::new(format!(
        "there is no moov box in its {size} bytes: the recording was not finished, or the file is cut short. Without it \
         nobody can tell the frames; tools such as untrunc can, given a whole file of the same camera and settings"
    ))
}
