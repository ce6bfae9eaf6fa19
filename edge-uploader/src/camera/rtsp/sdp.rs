//! Session descriptions (SDP, RFC 8866), parsed leniently and only as far as needed for recording.
//!
//! A strict parser refuses descriptions without `v=`, with an incomplete `o=` or `c=`, without `s=` and `t=`,
//! or with unknown lines. ffmpeg and VLC play such cameras. This parser needs only the `m=` lines and four
//! attributes. A stream that cannot be parsed does not affect the others.

use super::limits::STREAMS_MAX;
use super::message::leading_number;

/// A session's streams and control URLs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Description {
    /// The `a=control` of the session.
    pub(super) control: Option<String>,
    pub(super) streams: Vec<Stream>,
}

/// One `m=` section, with the format that is most likely to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stream {
    /// Media type in lower case: `video`, `audio`, `application`.
    pub(super) media: String,
    /// RTP payload type, 7 bits.
    pub(super) payload_type: u8,
    /// Encoding name in lower case, such as `h264`; empty if the description has none.
    pub(super) encoding: String,
    /// Clock rate in Hertz.
    pub(super) clock_rate: u32,
    /// Number of audio channels, if the description gives it.
    pub(super) channels: Option<u16>,
    /// The value of `a=fmtp`, without the payload type.
    pub(super) parameters: String,
    /// The value of `a=control`.
    pub(super) control: Option<String>,
}

impl Stream {
    /// Returns a parameter of `a=fmtp` by its name in lower case.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.split(';').find_map(|pair| {
            let (found, value) = pair.split_once('=')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// The lines of a section, before one of its formats is chosen.
#[derive(Default)]
struct Section {
    media: String,
    formats: Vec<u8>,
    maps: Vec<(u8, String)>,
    parameters: Vec<(u8, String)>,
    control: Option<String>,
}

/// Parses a description. Ignores what cannot be parsed.
pub(super) fn parse(text: &[u8]) -> Description {
    let text = String::from_utf8_lossy(text);
    let mut description = Description::default();
    let mut section: Option<Section> = None;
    for line in text.split(['\n', '\r']).map(|line| line.trim().trim_start_matches('\u{feff}')) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        match (kind.trim(), value.trim()) {
            ("m", value) => {
                description.streams.extend(section.take().and_then(Section::stream));
                if description.streams.len() == STREAMS_MAX {
                    return description;
                }
                section = Some(begin(value));
            }
            ("a", value) => attribute(value, &mut description.control, section.as_mut()),
            _ => {}
        }
    }
    description.streams.extend(section.and_then(Section::stream));
    description
}

/// Parses `m=<media> <port> <proto> <fmt> …`. The port is ignored, because `SETUP` negotiates it.
fn begin(value: &str) -> Section {
    let mut words = value.split_ascii_whitespace();
    let media = words.next().unwrap_or_default().to_ascii_lowercase();
    let formats = words.skip(2).filter_map(payload_type).collect();
    Section { media, formats, ..Section::default() }
}

fn payload_type(word: &str) -> Option<u8> {
    word.parse().ok().filter(|number| *number < 128)
}

fn attribute(value: &str, session_control: &mut Option<String>, section: Option<&mut Section>) {
    let Some((name, value)) = value.split_once(':') else { return };
    let name = name.trim();
    let value = value.trim();
    let Some(section) = section else {
        if name.eq_ignore_ascii_case("control") {
            *session_control = Some(value.to_owned());
        }
        return;
    };
    let of_format = || {
        let (number, rest) = value.split_once([' ', '\t'])?;
        Some((payload_type(number)?, rest.trim().to_owned()))
    };
    match name.to_ascii_lowercase().as_str() {
        "control" => section.control = Some(value.to_owned()),
        "rtpmap" => section.maps.extend(of_format()),
        "fmtp" => section.parameters.extend(of_format()),
        _ => {}
    }
}

impl Section {
    fn stream(self) -> Option<Stream> {
        let candidates: Vec<Stream> = self.formats.iter().map(|format| self.format(*format)).collect();
        let best = candidates
            .iter()
            .find(|stream| matches!(stream.encoding.as_str(), "h264" | "h265" | "mpeg4-generic"))
            .or(candidates.first())?;
        Some(best.clone())
    }

    fn format(&self, payload_type: u8) -> Stream {
        let of = |list: &[(u8, String)]| {
            list.iter().find(|(found, _)| *found == payload_type).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let map = of(&self.maps);
        let mut parts = map.split('/').map(str::trim);
        let mut stream = Stream {
            media: self.media.clone(),
            payload_type,
            encoding: parts
                .next()
                .filter(|name| !name.is_empty())
                .map_or_else(|| assigned(payload_type).to_owned(), str::to_ascii_lowercase),
            clock_rate: parts.next().and_then(leading_number).and_then(|rate| rate.try_into().ok()).unwrap_or(0),
            channels: parts.next().and_then(leading_number).and_then(|channels| channels.try_into().ok()),
            parameters: of(&self.parameters),
            control: self.control.clone(),
        };
        if stream.media == "video" {
            // Some cameras identify the format only by its parameters, or by a name of their own.
            let named = match stream.encoding.as_str() {
                "h264" | "avc" | "avc1" => Some("h264"),
                "h265" | "hevc" | "hvc1" => Some("h265"),
                "" if stream.parameter("sprop-parameter-sets").is_some() => Some("h264"),
                "" if stream.parameter("packetization-mode").is_some() => Some("h264"),
                "" if stream.parameter("sprop-sps").is_some() => Some("h265"),
                _ => None,
            };
            if let Some(name) = named {
                name.clone_into(&mut stream.encoding);
                // The clock rate is 90000 for both codecs (RFC 6184 §8.2.1, RFC 7798 §7.1).
                stream.clock_rate = if stream.clock_rate == 0 { 90_000 } else { stream.clock_rate };
            }
        }
        stream
    }
}

/// Returns the encodings of static payload types (RFC 3551 §6) that cameras use without `a=rtpmap`.
fn assigned(payload_type: u8) -> &'static str {
    match payload_type {
        0 => "pcmu",
        8 => "pcma",
        14 => "mpa",
        26 => "jpeg",
        33 => "mp2t",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VIDEO: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1; \
                         sprop-parameter-sets=Z0LAHg==,aMuM\r\na=control:track1\r\n";

    fn stream(media: &str, payload_type: u8, encoding: &str, clock_rate: u32) -> Stream {
        let media = media.to_owned();
        let encoding = encoding.to_owned();
        Stream { media, payload_type, encoding, clock_rate, channels: None, parameters: String::new(), control: None }
    }

    #[test]
    fn a_description_is_read_whatever_surrounds_its_streams() {
        let expected = parse(VIDEO.as_bytes());
        assert_eq!(expected.streams.len(), 1);
        assert_eq!(expected.streams[0].parameter("sprop-parameter-sets"), Some("Z0LAHg==,aMuM"));
        assert_eq!(expected.streams[0].control.as_deref(), Some("track1"));
        for text in [
            format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n{VIDEO}"),
            format!("o=- 1001 1 IN\r\ns=IPC stream\r\n{VIDEO}c=IN\r\n"),
            format!("o=\r\nc=\r\nt=\r\nu\r\n{VIDEO}"),
            VIDEO.replace("\r\n", "\n"),
            VIDEO.replace("\r\n", "\r"),
            VIDEO.replace("\r\n", "\r\n\r\n"),
            VIDEO.replace("\r\n", " \r\n"),
            VIDEO.replace("m=video 0", "m=video 49170/2"),
            VIDEO.replace("m=video", "m=Video").replace("RTP/AVP", "rtp/avpf"),
            VIDEO.replace("H264", "h264").replace("a=rtpmap", "a=RTPMAP"),
            VIDEO.replace("/90000", ""),
            format!("\u{feff}v=0\r\n{VIDEO}"),
            format!("{VIDEO}a=x-unknown\r\na=:\r\nb=AS:4000\r\na=rtpmap:97\r\na=fmtp:96\r\nzz\r\n=\r\n"),
            format!("{VIDEO}\0\0"),
            VIDEO.replace("RTP/AVP 96", "RTP/AVP 26 96 x 300"),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn every_stream_is_told_by_what_it_says() {
        let description = parse(
            b"a=control:rtsp://h/all\r\nm=audio 0 RTP/AVP 0\r\nm=audio 0 RTP/AVP 97\r\na=rtpmap:97 MPEG4-GENERIC/16000/2\r\n\
              m=video 0 RTP/AVP 98\r\na=rtpmap:98 HEVC/90000\r\nm=video\r\nm=\r\nm=video 0 RTP/AVP 99\r\na=fmtp:99 sprop-sps=AA\r\n\
              m=application/TP-LINK 0 RTP/AVP smart/1/90000\r\na=rtpmap:95 TP-LINK/90000\r\na=control:track3\r\n",
        );
        assert_eq!(description.control.as_deref(), Some("rtsp://h/all"));
        let expected = [
            stream("audio", 0, "pcmu", 0),
            Stream { channels: Some(2), ..stream("audio", 97, "mpeg4-generic", 16_000) },
            stream("video", 98, "h265", 90_000),
            Stream { parameters: "sprop-sps=AA".to_owned(), ..stream("video", 99, "h265", 90_000) },
        ];
        assert_eq!(description.streams, expected);
    }

    #[test]
    fn countless_streams_are_not_looked_at() {
        assert_eq!(parse("m=audio 0 RTP/AVP 0\n".repeat(1000).as_bytes()).streams.len(), STREAMS_MAX);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0..200_usize) {
            parse(&bytes);
            let mut text = VIDEO.as_bytes().to_vec();
            text.splice(at.min(text.len())..at.min(text.len()), bytes);
            parse(&text);
        }
    }
}
