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
//!
//! A [`Timeline::Continuous`] is for players that follow RFC 8216 to the letter, or ignore discontinuities. The URL of each
//! segment says where in the playlist it begins, and the same bytes are sent with their decode times moved there. Only where
//! the span or the parameters change is there a discontinuity.

mod scrub;
mod variants;

pub(crate) use scrub::pictures;
pub(crate) use variants::{Variants, variants};

use framepost_ports::catalog::ChunkBrief;
use jiff::Timestamp;
use std::fmt::Write as _;

/// The kind of a playlist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// All chunks of an interval.
    Whole,
    /// The newest chunks. The first `gone` chunks were in the playlist before and no longer are.
    Live { gone: usize },
}

/// Where the times of segments begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeline {
    /// Each at 0, as in its object.
    OfChunks,
    /// Each where the one before it ends.
    Continuous,
}

/// Returns the URL of the bytes of a key, as they are or with their times moved to these microseconds.
pub(crate) type MediaUrl<'a> = dyn Fn(&str, Option<u64>) -> String + 'a;

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

/// Writes the playlist of these chunks, which follow each other.
pub(crate) fn playlist(kind: Kind, timeline: Timeline, media: &MediaUrl<'_>, chunks: &[ChunkBrief]) -> String {
    let playable: Vec<&ChunkBrief> = chunks.iter().filter(|chunk| is_playable(chunk)).collect();
    let gone = match kind {
        Kind::Whole => 0,
        Kind::Live { gone } => gone,
    };
    let listed = playable.get(gone..).unwrap_or_default();
    let mut segments = String::new();
    let mut discontinuities_gone = 0;
    let mut before_s = 0.0;
    let mut before: Option<&ChunkBrief> = None;
    for (n, chunk) in playable.iter().enumerate() {
        let (Some(start), Some(end)) = (chunk.init_bytes, chunk.media_end) else { continue };
        let goes_on = before.is_some_and(|before| chunk.continues(before));
        let is_unbroken = match timeline {
            Timeline::OfChunks => goes_on && chunk.starts_with_random_access == Some(false),
            Timeline::Continuous => goes_on,
        };
        let is_discontinuity = before.is_some() && !is_unbroken;
        // A tag before the first segment goes with the segment before it.
        if n <= gone {
            discontinuities_gone += usize::from(is_discontinuity);
        } else if is_discontinuity {
            segments.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if n >= gone {
            if !goes_on || n == gone {
                let path = media(&chunk.object.key, None);
                let _ = writeln!(segments, "#EXT-X-MAP:URI=\"{path}\",BYTERANGE=\"{start}@0\"");
            }
            let start_us = (timeline == Timeline::Continuous).then_some(microseconds(before_s));
            let path = media(&chunk.object.key, start_us);
            let _ = writeln!(segments, "#EXT-X-PROGRAM-DATE-TIME:{}", date_time(chunk.from));
            let _ =
                writeln!(segments, "#EXTINF:{:.6},\n#EXT-X-BYTERANGE:{}@{start}\n{path}", seconds(chunk), end - start);
        }
        before_s += seconds(chunk);
        before = Some(chunk);
    }
    let longest = listed.iter().map(|chunk| seconds(chunk)).fold(1.0, f64::max);
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n", longest.round());
    match kind {
        Kind::Whole => text.push_str("#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n"),
        Kind::Live { .. } => {
            let _ =
                writeln!(text, "#EXT-X-MEDIA-SEQUENCE:{gone}\n#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities_gone}");
        }
    }
    if listed.iter().all(|chunk| chunk.starts_with_random_access != Some(false)) {
        text.push_str("#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    text.push_str(&segments);
    if kind == Kind::Whole {
        text.push_str("#EXT-X-ENDLIST\n");
    }
    text
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a playlist is far shorter than 2^64 µs")]
fn microseconds(seconds: f64) -> u64 {
    (seconds * 1e6).round().max(0.0) as u64
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

    fn url(key: &str, start_us: Option<u64>) -> String {
        let begins = start_us.map(|us| format!("?start={us}")).unwrap_or_default();
        format!("../../media/{key}{begins}")
    }

    #[test]
    fn a_continuous_timeline_only_breaks_where_the_span_ends() {
        let mut chunks = chunks();
        chunks[1].seconds = Some(3.000_011);
        chunks[2].starts_with_random_access = Some(false);
        let text = playlist(Kind::Whole, Timeline::Continuous, &url, &chunks);
        let starts: Vec<&str> =
            text.lines().filter_map(|line| line.split_once("?start=")).map(|split| split.1).collect();
        assert_eq!(starts, ["0", "3000000", "6000011", "9000011"], "{text}");
        let (before, after) = text.split_once("#EXT-X-DISCONTINUITY\n").expect("the span ends once");
        assert!(
            before.contains("23/58-06Z") && after.starts_with("#EXT-X-MAP") && !after.contains("DISCONTINUITY"),
            "{text}"
        );
        assert_eq!(text.matches("#EXT-X-MAP").count(), 2, "{text}");
        assert_eq!(text.matches("#EXT-X-PROGRAM-DATE-TIME").count(), 4, "{text}");
    }

    #[test]
    fn a_live_playlist_counts_what_is_gone_of_segments_and_of_discontinuities() {
        let chunks = chunks();
        for (timeline, gone, discontinuities, start) in [
            (Timeline::OfChunks, 0, 0, None),
            (Timeline::OfChunks, 2, 2, None),
            (Timeline::OfChunks, 3, 3, None),
            (Timeline::Continuous, 0, 0, Some("0")),
            (Timeline::Continuous, 2, 0, Some("6000000")),
            (Timeline::Continuous, 3, 1, Some("9000000")),
        ] {
            let text = playlist(Kind::Live { gone }, timeline, &url, &chunks);
            let counts = format!("#EXT-X-MEDIA-SEQUENCE:{gone}\n#EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}\n");
            assert!(text.contains(&counts), "{timeline:?} {gone}: {text}");
            assert_eq!(text.matches("#EXTINF").count(), 4 - gone);
            // Each segment is in the same run of discontinuities in every playlist.
            let all = discontinuities + text.matches("#EXT-X-DISCONTINUITY\n").count();
            assert_eq!(all, if timeline == Timeline::OfChunks { 3 } else { 1 }, "{timeline:?} {gone}: {text}");
            let first = text.split_once("?start=").and_then(|(_, rest)| rest.lines().next());
            assert_eq!(first, start);
            assert!(text.find("#EXT-X-MAP").unwrap() < text.find("#EXTINF").unwrap());
        }
    }

    #[test]
    fn a_map_stands_at_the_borders_of_spans_and_a_date_at_each_segment() {
        let chunks = chunks();
        let text = playlist(Kind::Whole, Timeline::OfChunks, &url, &chunks);
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
        let text = playlist(Kind::Live { gone: 0 }, Timeline::OfChunks, &url, &chunks);
        let second = text.split("#EXTINF").nth(1).unwrap();
        assert!(!second.contains("#EXT-X-DISCONTINUITY") && second.contains("PROGRAM-DATE-TIME"), "{text}");
        assert!(
            !text.contains("INDEPENDENT") && !text.contains("ENDLIST") && text.contains("#EXT-X-MEDIA-SEQUENCE:0\n")
        );
        assert_eq!(text.matches("#EXTINF").count(), 3, "one cannot be played");
    }
}
