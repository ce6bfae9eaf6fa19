//! Playlists (RFC 8216) of chunks as they are in the bucket.
//!
//! A chunk is `ftyp moov (moof mdat)+ mfra`. A segment is its middle, from the end of the initialization segment to the `mfra`,
//! as a byte range. The map is a byte range, too, of the first chunk that it fits. A playlist is therefore made of the
//! catalogue's rows alone, and players get the bytes that the gateway wrote and signed.
//!
//! - Each chunk's times begin at 0, so each segment is a discontinuity, with its wall-clock time in `EXT-X-PROGRAM-DATE-TIME`.
//! - A chunk that does not start with a random access frame continues the one before it, without a discontinuity and without a map.
//! - A map is written where the parameters or the span change: [`ChunkBrief::continues`].
//! - A gap is left out, and the date jumps. `EXT-X-GAP` would stop players.

mod scrub;

pub(crate) use scrub::pictures;

use framepost_ports::catalog::ChunkBrief;
use jiff::Timestamp;
use std::fmt::Write as _;

/// The kind of a playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All chunks of an interval.
    Whole,
    /// The newest chunks. `gone` chunks were in the playlist before and no longer are.
    Live { gone: u64 },
}

/// Returns whether the chunk can be in a playlist.
pub(crate) fn is_playable(chunk: &ChunkBrief) -> bool {
    matches!((chunk.init_bytes, chunk.media_end), (Some(start), Some(end)) if start < end && end <= chunk.size_bytes)
}

/// Returns the seconds for which a chunk is played.
fn seconds(chunk: &ChunkBrief) -> f64 {
    let by_clock = chunk.to.duration_since(chunk.from).as_secs_f64();
    chunk.seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0).unwrap_or(by_clock).max(0.001)
}

/// Formats a time as in RFC 8216 §4.3.2.6, in whole milliseconds.
fn date_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Writes the playlist of these chunks, which follow each other. `media` returns the URL of the bytes of a key.
pub(crate) fn playlist<'a>(
    kind: Kind,
    media: &dyn Fn(&str) -> String,
    chunks: impl Iterator<Item = &'a ChunkBrief> + Clone,
) -> String {
    let playable = chunks.filter(|chunk| is_playable(chunk));
    let longest = playable.clone().map(seconds).fold(1.0, f64::max);
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n", longest.round());
    match kind {
        Kind::Whole => text.push_str("#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"),
        Kind::Live { gone } => {
            let _ = writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{gone}\n#EXT-X-DISCONTINUITY-SEQUENCE:{gone}");
        }
    }
    text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    if playable.clone().any(|chunk| chunk.starts_with_random_access == Some(false)) {
        text = text.replace("#EXT-X-INDEPENDENT-SEGMENTS\n", "");
    }
    let mut before: Option<&ChunkBrief> = None;
    for chunk in playable {
        let (Some(start), Some(end)) = (chunk.init_bytes, chunk.media_end) else { continue };
        let path = media(&chunk.object.key);
        let goes_on = before.is_some_and(|before| chunk.continues(before));
        let is_rest = goes_on && chunk.starts_with_random_access == Some(false);
        if before.is_some() && !is_rest {
            text.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if !goes_on {
            let _ = writeln!(text, "#EXT-X-MAP:URI=\"{path}\",BYTERANGE=\"{start}@0\"");
        }
        let _ = writeln!(text, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(chunk.from));
        let _ = writeln!(text, "#EXTINF:{:.6},\n#EXT-X-BYTERANGE:{}@{start}\n{path}", seconds(chunk), end - start);
        before = Some(chunk);
    }
    if kind == Kind::Whole {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_events::record::Data;
    use framepost_ports::catalog::ChunkRow;
    use framepost_ports::contract::Footage;

    fn chunks() -> Vec<ChunkBrief> {
        let mut footage = Footage::new(3);
        let camera = Footage::camera(0);
        let mut made = Vec::new();
        for (ms, counter) in [(0, 0), (3_000, 1), (6_000, 2), (60_000, 0)] {
            let records = footage.chunk(&camera, ms, counter, "1");
            for record in records {
                if let Data::ChunkProbed(chunk) = record.data {
                    made.extend(ChunkRow::new(record.time, *chunk).map(|row| row.brief()));
                }
            }
        }
        made
    }

    #[test]
    fn a_map_stands_at_the_borders_of_spans_and_a_date_at_each_segment() {
        let chunks = chunks();
        let text = playlist(Kind::Whole, &|key| format!("../../media/{key}"), chunks.iter());
        let count = |tag: &str| text.lines().filter(|line| line.starts_with(tag)).count();
        assert_eq!(count("#EXT-X-MAP"), 2, "{text}");
        assert_eq!(count("#EXT-X-PROGRAM-DATE-TIME"), 4);
        assert_eq!(count("#EXT-X-DISCONTINUITY"), 3);
        assert!(text.contains("#EXT-X-PROGRAM-DATE-TIME:2026-11-20T23:58:03.000Z\n"), "{text}");
        assert!(text.contains("../../media/site-0/2026-11-20/cam-0/23/58-03Z.1.mp4\n"), "{text}");
        assert!(text.starts_with("#EXTM3U\n") && text.ends_with("#EXT-X-ENDLIST\n"));
    }

    #[test]
    fn a_chunk_without_a_random_access_frame_is_the_rest_of_the_one_before() {
        let mut chunks = chunks();
        chunks[1].starts_with_random_access = Some(false);
        chunks[2].media_end = None;
        let text = playlist(Kind::Live { gone: 7 }, &str::to_owned, chunks.iter());
        let second = text.split("#EXTINF").nth(1).unwrap();
        assert!(!second.contains("#EXT-X-DISCONTINUITY") && second.contains("PROGRAM-DATE-TIME"), "{text}");
        assert!(!text.contains("INDEPENDENT") && !text.contains("ENDLIST") && text.contains("SEQUENCE:7\n"));
        assert_eq!(text.matches("#EXTINF").count(), 3, "one cannot be played");
    }
}
