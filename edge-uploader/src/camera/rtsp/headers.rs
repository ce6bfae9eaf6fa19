//! Parses the headers for setting up a session leniently: `Session`,
//! `Transport`, `RTP-Info`, `Public` and `Content-Base`.

use super::message::leading_number;
use std::net::IpAddr;
use std::time::Duration;
use url::Url;

/// The default session timeout (RFC 2326 §12.37). Longer timeouts are treated alike.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Parses `Session`: the identifier, and how long the camera keeps a session without a sign of life, 1 to 60 s.
pub(super) fn session(value: &str) -> (String, Duration) {
    let mut parts = value.split(';').map(str::trim);
    let id = parts.next().unwrap_or_default().to_owned();
    let timeout = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))
        .and_then(|(_, value)| leading_number(value))
        .filter(|seconds| *seconds > 0)
        .map_or(TIMEOUT, |seconds| Duration::from_secs(seconds).min(TIMEOUT));
    (id, timeout)
}

/// The parts of a response's `Transport` header. A part that is missing or cannot be parsed is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TransportAnswer {
    /// The interleaved channel of RTP packets; RTCP has the next one.
    pub(super) channel: Option<u8>,
    /// The camera's port for RTP packets; RTCP has the next one.
    pub(super) server_port: Option<u16>,
    /// The address from which the camera sends its packets, as it says.
    pub(super) source: Option<IpAddr>,
}

/// Parses a `Transport` header (RFC 2326 §12.39). Uses the first of several transports.
pub(super) fn transport(value: &str) -> TransportAnswer {
    let mut answer = TransportAnswer::default();
    for part in value.split(',').next().unwrap_or_default().split(';') {
        let Some((name, value)) = part.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "interleaved" => answer.channel = leading_number(value).and_then(|channel| channel.try_into().ok()),
            "server_port" => {
                answer.server_port =
                    leading_number(value).and_then(|port| port.try_into().ok()).filter(|port| *port > 0);
            }
            "source" => answer.source = value.parse().ok(),
            _ => {}
        }
    }
    answer
}

/// One stream of `RTP-Info` (RFC 2326 §12.33).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RtpInfo {
    pub(super) url: String,
    /// The RTP timestamp that corresponds to the start of `PLAY`.
    pub(super) time: Option<u32>,
}

/// Parses `RTP-Info`. Leaves out streams that cannot be parsed.
pub(super) fn rtp_info(value: &str) -> Vec<RtpInfo> {
    // A comma may be part of a URL: the text after it belongs to the URL unless it begins with `url=`.
    let mut streams: Vec<String> = Vec::new();
    for part in value.split(',') {
        match streams.last_mut() {
            Some(last) if !part.trim_start().to_ascii_lowercase().starts_with("url=") => {
                last.push(',');
                last.push_str(part);
            }
            _ => streams.push(part.to_owned()),
        }
    }
    let parameter = |stream: &str, name: &str| {
        stream.split(';').filter_map(|part| part.split_once('=')).find_map(|(found, value)| {
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    streams
        .iter()
        .filter_map(|stream| {
            let url = parameter(stream, "url")?;
            let time = parameter(stream, "rtptime").and_then(|time| time.parse().ok());
            Some(RtpInfo { url, time })
        })
        .collect()
}

/// Returns whether `Public` lists a method.
pub(super) fn offers(public: &str, method: &str) -> bool {
    public.split([',', ' ']).any(|word| word.trim().eq_ignore_ascii_case(method))
}

/// Returns the base of relative control URLs: `Content-Base`, `Content-Location` or the requested URL (RFC 2326
/// appendix C.1.1). Some cameras leave out the scheme, send only a path, or send text that is not an address.
/// Values that cannot be parsed are ignored.
pub(super) fn base<'a>(asked: &str, said: impl IntoIterator<Item = &'a str>) -> String {
    let asked_url = Url::parse(asked).ok();
    let understood = |value: &str| {
        let value = value.trim();
        let scheme = value.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match (scheme.as_deref(), &asked_url) {
            (Some("rtsp" | "rtsps"), _) => Url::parse(value).ok().filter(Url::has_host).map(|_| value.to_owned()),
            (None, Some(asked)) if value.starts_with('/') => asked.join(value).ok().map(String::from),
            // Matches `10.0.0.7/live/` or `10.0.0.7:554/live/`.
            (None, Some(asked)) if value.contains(['/', '.', ':']) => {
                let whole = format!("{}://{value}", asked.scheme());
                Url::parse(&whole).ok().filter(Url::has_host).map(|_| whole)
            }
            _ => None,
        }
    };
    said.into_iter().find_map(understood).unwrap_or_else(|| asked.to_owned())
}

/// Returns the URL of a stream or session as live555 and ffmpeg build it, which cameras expect: the control URL
/// is appended to the base, and does not replace its last segment.
pub(super) fn control(base: &str, control: Option<&str>) -> String {
    match control.map(str::trim) {
        None | Some("" | "*") => base.to_owned(),
        Some(absolute) if absolute.contains("://") => absolute.to_owned(),
        Some(relative) if base.ends_with('/') || relative.starts_with('?') => format!("{base}{relative}"),
        Some(relative) => format!("{base}/{}", relative.trim_start_matches('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_read() {
        for (text, id, seconds) in [
            ("1234", "1234", 60),
            ("1234;timeout=30", "1234", 30),
            ("1234; Timeout = 30 ", "1234", 30),
            ("1234;timeout=0", "1234", 60),
            ("1234;timeout=4294967295", "1234", 60),
            ("1234;timeout=-1", "1234", 60),
            ("1234;timeout=soon", "1234", 60),
            ("1234;timeout=60;mode=x", "1234", 60),
            ("1234;x;timeout=5s", "1234", 5),
            ("", "", 60),
        ] {
            assert_eq!(session(text), (id.to_owned(), Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn transports_are_read() {
        let of = |text: &str| {
            let answer = transport(text);
            (answer.channel, answer.server_port, answer.source.map(|source| source.to_string()))
        };
        for (text, expected) in [
            ("RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=1", (Some(0), None, None)),
            ("RTP/AVP/TCP;unicast; Interleaved = 4-5", (Some(4), None, None)),
            ("RTP/AVP/TCP;interleaved=2", (Some(2), None, None)),
            ("RTP/AVP/TCP;interleaved=2-7", (Some(2), None, None)),
            ("RTP/AVP/TCP;interleaved=900-901", (None, None, None)),
            (
                "RTP/AVP;unicast;client_port=5-6;server_port=6970-6971;source=10.0.0.7",
                (None, Some(6970), Some("10.0.0.7")),
            ),
            ("RTP/AVP;server_port=6970;source=camera.local", (None, Some(6970), None)),
            ("RTP/AVP;server_port=0-1", (None, None, None)),
            ("", (None, None, None)),
            (";;=;interleaved", (None, None, None)),
        ] {
            assert_eq!(of(text), (expected.0, expected.1, expected.2.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn rtp_info_is_read() {
        let of = |text: &str| rtp_info(text).into_iter().map(|info| (info.url, info.time)).collect::<Vec<_>>();
        assert_eq!(
            of("url=rtsp://h/a,b/t1;seq=1;rtptime=7, URL=t2 ; rtptime = 4294967295 ;seq=x"),
            [("rtsp://h/a,b/t1".to_owned(), Some(7)), ("t2".to_owned(), Some(u32::MAX))]
        );
        assert_eq!(of("url=t1;seq=1;rtptime=99999999999"), [("t1".to_owned(), None)]);
        assert_eq!(of("seq=1;rtptime=3"), []);
        assert_eq!(of(""), []);
        assert!(offers("OPTIONS, DESCRIBE,get_parameter", "GET_PARAMETER") && !offers("OPTIONS", "SET_PARAMETER"));
    }

    #[test]
    fn addresses_are_put_together_as_cameras_expect() {
        let asked = "rtsp://10.0.0.7:554/live?channel=1";
        for (said, expected) in [
            (vec![], asked),
            (vec!["rtsp://10.0.0.7/live/"], "rtsp://10.0.0.7/live/"),
            (vec![" rtsp://10.0.0.7/live/ "], "rtsp://10.0.0.7/live/"),
            (vec!["10.0.0.7/live/"], "rtsp://10.0.0.7/live/"),
            (vec!["/live/"], "rtsp://10.0.0.7:554/live/"),
            (vec!["*"], asked),
            (vec![""], asked),
            (vec!["http://10.0.0.7/"], asked),
            (vec!["rtsp://"], asked),
            (vec!["", "rtsp://10.0.0.7/location/"], "rtsp://10.0.0.7/location/"),
        ] {
            assert_eq!(base(asked, said.iter().copied()), expected, "{said:?}");
        }
        for (base, relative, expected) in [
            ("rtsp://h/live", Some("track1"), "rtsp://h/live/track1"),
            ("rtsp://h/live/", Some("track1"), "rtsp://h/live/track1"),
            ("rtsp://h/live", Some("/track1"), "rtsp://h/live/track1"),
            ("rtsp://h/live?a=1", Some("track1"), "rtsp://h/live?a=1/track1"),
            ("rtsp://h/live", Some("rtsp://x/track1"), "rtsp://x/track1"),
            ("rtsp://h/live", Some("*"), "rtsp://h/live"),
            ("rtsp://h/live", Some(""), "rtsp://h/live"),
            ("rtsp://h/live", None, "rtsp://h/live"),
        ] {
            assert_eq!(control(base, relative), expected, "{base} {relative:?}");
        }
    }
}
