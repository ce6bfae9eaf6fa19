//! Playlists of single pictures (RFC 8216 §4.3.3.6, `EXT-X-I-FRAMES-ONLY`), for a quick look through long stretches.
//!
//! A segment is a byte range of a chunk: the beginning of a fragment, and its first picture. It ends before the fragment does, so the
//! `mdat` in it is longer than the segment, as in the playlists that Apple's segmenter writes. A segment lasts until the next picture,
//! or the end of what was recorded before a gap.

use super::{MediaUrl, date_time};
use crate::keyframes::Picture;
use framepost_ports::catalog::ChunkBrief;
use jiff::{SignedDuration, Timestamp};
use std::fmt::Write as _;

/// Chunks that are closer than this follow each other.
const TOUCHING: SignedDuration = SignedDuration::from_millis(500);

/// Returns for each chunk the end of the recording that goes on from it without a gap.
fn ends(chunks: &[&ChunkBrief]) -> Vec<Timestamp> {
    let mut ends: Vec<Timestamp> = chunks.iter().map(|chunk| chunk.to).collect();
    for n in (1..chunks.len()).rev() {
        if chunks[n].from.duration_since(chunks[n - 1].to) <= TOUCHING {
            ends[n - 1] = ends[n].max(ends[n - 1]);
        }
    }
    ends
}

/// Returns whether a chunk can be played with the initialization segment of another one, whatever lies between them.
fn has_same_head(chunk: &ChunkBrief, other: &ChunkBrief) -> bool {
    chunk.sample_entry_digest.is_some()
        && (chunk.sample_entry_digest, chunk.timescale) == (other.sample_entry_digest, other.timescale)
}

/// Writes the playlist of these pictures of these chunks.
pub(crate) fn pictures(media: &MediaUrl<'_>, chunks: &[&ChunkBrief], pictures: &[Picture]) -> String {
    let ends = ends(chunks);
    let next = pictures.iter().skip(1).map(|next| Some(next.at)).chain([None]);
    let lasts = |(picture, next): (&Picture, Option<Timestamp>)| {
        let until = next.map_or(ends[picture.chunk], |next| next.min(ends[picture.chunk]));
        until.duration_since(picture.at).as_secs_f64().max(0.001)
    };
    let seconds: Vec<f64> = pictures.iter().zip(next).map(lasts).collect();
    let longest = seconds.iter().copied().fold(1.0, f64::max).round();
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{longest}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-I-FRAMES-ONLY\n"
    );
    let mut before: Option<&ChunkBrief> = None;
    for (picture, seconds) in pictures.iter().zip(seconds) {
        let chunk = chunks[picture.chunk];
        let path = media(&chunk.object.key, None);
        let is_same = before.is_some_and(|before| before.object == chunk.object);
        if before.is_some() && !is_same {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if !is_same && !before.is_some_and(|before| has_same_head(chunk, before)) {
            let _ =
                writeln!(text, "#EXT-X-MAP:URI=\"{path}\",BYTERANGE=\"{}@0\"", chunk.init_bytes.unwrap_or_default());
        }
        let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(picture.at));
        let bytes = picture.bytes.end - picture.bytes.start;
        let _ = writeln!(text, "#EXTINF:{seconds:.6},\n#EXT-X-BYTERANGE:{bytes}@{}\n{path}", picture.bytes.start);
        before = Some(chunk);
    }
    text.push_str("#EXT-X-ENDLIST\n");
    text
}
