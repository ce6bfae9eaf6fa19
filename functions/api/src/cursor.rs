//! Cursors, which say where a list continues: an opaque text for the caller, a place in the order here.
//!
//! A cursor is no secret and gives no right. It only says after which place to continue; what the caller may see is checked for
//! each page.

use crate::export::Id;
use crate::problem::Problem;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use framepost_ports::catalog::{CameraName, ChunkPlace, HoldPlace, SightingPlace};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The longest cursor in bytes, more than any made here: a key has at most 1024 bytes.
const LONGEST: usize = 4096;

fn write(place: &impl Serialize) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

fn read<T: DeserializeOwned>(cursor: &str) -> Result<T, Problem> {
    let read = || {
        let bytes = (cursor.len() <= LONGEST).then(|| BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()).flatten()?;
        serde_json::from_slice(&bytes).ok()
    };
    read().ok_or_else(|| Problem::parameter("cursor", "take it as `next` of the page before has it"))
}

#[derive(Serialize, Deserialize)]
struct Chunk(Timestamp, String);

pub(crate) fn of_chunk(place: ChunkPlace) -> String {
    write(&Chunk(place.from, place.key))
}

pub(crate) fn chunk(cursor: &str) -> Result<ChunkPlace, Problem> {
    read(cursor).map(|Chunk(from, key)| ChunkPlace { from, key })
}

#[derive(Serialize, Deserialize)]
struct Sighting(Timestamp, String, String, String, String);

pub(crate) fn of_sighting(place: SightingPlace) -> String {
    let SightingPlace { from, camera: CameraName { site, camera }, label, series } = place;
    write(&Sighting(from, site.to_string(), camera.to_string(), label, series))
}

pub(crate) fn sighting(cursor: &str) -> Result<SightingPlace, Problem> {
    let Sighting(from, site, camera, label, series) = read(cursor)?;
    let names = site.parse().ok().zip(camera.parse().ok());
    let (site, camera) = names.ok_or_else(|| Problem::parameter("cursor", "take it as `next` has it"))?;
    Ok(SightingPlace { from, camera: CameraName { site, camera }, label, series })
}

#[derive(Serialize, Deserialize)]
struct Held(Timestamp, String);

pub(crate) fn of_hold(place: HoldPlace) -> String {
    write(&Held(place.created, place.id))
}

pub(crate) fn hold(cursor: &str) -> Result<HoldPlace, Problem> {
    read(cursor).map(|Held(created, id)| HoldPlace { created, id })
}

#[derive(Serialize, Deserialize)]
struct Export(Id);

pub(crate) fn of_export(id: Id) -> String {
    write(&Export(id))
}

pub(crate) fn export(cursor: &str) -> Result<Id, Problem> {
    read(cursor).map(|Export(id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written_and_anything_else_refused() {
        let place = ChunkPlace { from: Timestamp::UNIX_EPOCH, key: "a/ä.mp4".to_owned() };
        assert_eq!(chunk(&of_chunk(place.clone())).unwrap(), place);
        for bad in ["", "x", "AAAA", "../../etc/passwd", "' OR 1=1 --", &"A".repeat(1 << 20), &of_chunk(place)[1..]] {
            assert!(chunk(bad).is_err() && sighting(bad).is_err(), "{bad}");
        }
    }
}
