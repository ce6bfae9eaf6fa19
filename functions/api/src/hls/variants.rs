//! Multivariant playlists (RFC 8216 §4.3.4): one footage as all frames, and as key frames alone for scrubbing.

use super::seconds;
use framepost_ports::catalog::ChunkBrief;
use std::collections::BTreeSet;

/// Where the playlists are that a multivariant playlist names.
pub(crate) struct Variants<'a> {
    /// The chunks as they are, to be played.
    pub(crate) all: &'a str,
    /// Only random access frames, by byte ranges of the same chunks, to be scrubbed.
    pub(crate) keyframes: &'a str,
    /// Of how many seconds there is a key frame.
    pub(crate) every_s: i64,
}

/// Writes the playlist that names both, for these playable chunks.
///
/// `BANDWIDTH` is the peak bit rate of a segment (§4.3.4.2). Where key frames lie is not known yet; one has fewer bytes than its chunk.
pub(crate) fn variants(of: &Variants<'_>, chunks: &[&ChunkBrief]) -> String {
    let peak = |seconds: &dyn Fn(&ChunkBrief) -> f64| {
        let rates = chunks.iter().map(|chunk| chunk.size_bytes as f64 * 8.0 / seconds(chunk));
        rates.fold(1.0, f64::max).ceil()
    };
    let pictures: BTreeSet<&str> = chunks.iter().map(|chunk| chunk.codec.as_str()).collect();
    let sounds: BTreeSet<&str> = chunks.iter().filter_map(|chunk| chunk.audio_codec.as_deref()).collect();
    let list = |codecs: &mut dyn Iterator<Item = &&str>| codecs.copied().collect::<Vec<_>>().join(",");
    let all = list(&mut pictures.iter().chain(&sounds));
    let of_pictures = list(&mut pictures.iter());
    let Variants { all: all_path, keyframes, every_s } = of;
    let rate = peak(&seconds);
    let picture_rate = peak(&|_| *every_s as f64);
    format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH={rate},CODECS=\"{all}\"\n{all_path}\n\
         #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={picture_rate},CODECS=\"{of_pictures}\",URI=\"{keyframes}\"\n"
    )
}
