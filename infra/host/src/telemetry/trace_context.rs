//! Determines the trace of a request from its headers.
//!
//! W3C Trace Context (`traceparent`) is read first, then Google's older header (`X-Cloud-Trace-Context:
//! TRACE_ID/SPAN_ID;o=OPTIONS`). Invalid headers are ignored: a trace is only a convenience, and no
//! reason to refuse an event.

use std::fmt::Write as _;

/// The position of a request in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TraceContext {
    /// 32 hexadecimal digits, not all zero.
    pub(crate) trace_id: String,
    /// 16 hexadecimal digits, if the sender provides them.
    pub(crate) span_id: Option<String>,
    /// Whether the trace is recorded.
    pub(crate) sampling: Sampling,
}

/// Whether a trace is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sampling {
    Sampled,
    /// The trace is not recorded, or it is unknown.
    #[default]
    NotSampled,
}

impl TraceContext {
    /// Reads the trace from a request. `header` returns the value of the header with the given lower-case name.
    pub(crate) fn of_request<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let w3c = header("traceparent").and_then(Self::from_traceparent);
        w3c.or_else(|| header("x-cloud-trace-context").and_then(Self::from_google))
    }

    /// Parses `00-TRACE_ID-SPAN_ID-FLAGS`. Later versions may append fields.
    fn from_traceparent(value: &str) -> Option<Self> {
        let mut parts = value.trim().split('-');
        let version = parts.next()?;
        let trace_id = parts.next()?;
        let span_id = parts.next()?;
        let flags = parts.next()?;
        let has_more = parts.next().is_some();
        if !is_hex(version, 2) || version == "ff" || (version == "00" && has_more) || !is_hex(flags, 2) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self {
            trace_id: id(trace_id, 32)?,
            span_id: Some(id(span_id, 16)?),
            sampling: if flags & 1 == 1 { Sampling::Sampled } else { Sampling::NotSampled },
        })
    }

    /// Parses Google's header, where the span id is decimal, and everything after the trace id is optional.
    fn from_google(value: &str) -> Option<Self> {
        let (value, options) = value.trim().split_once(';').unwrap_or((value.trim(), ""));
        let (trace_id, span_id) = value.split_once('/').unwrap_or((value, ""));
        let span_id = span_id.parse::<u64>().ok().filter(|id| *id != 0).map(|id| {
            let mut digits = String::with_capacity(16);
            // Writing to a `String` cannot fail.
            let _ = write!(digits, "{id:016x}");
            digits
        });
        let sampling = if options.trim() == "o=1" { Sampling::Sampled } else { Sampling::NotSampled };
        Some(Self { trace_id: id(trace_id, 32)?, span_id, sampling })
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn id(text: &str, digits: usize) -> Option<String> {
    (is_hex(text, digits) && text.bytes().any(|byte| byte != b'0')).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn context(span_id: Option<&str>, sampling: Sampling) -> TraceContext {
        TraceContext { trace_id: TRACE.to_owned(), span_id: span_id.map(str::to_owned), sampling }
    }

    #[test]
    fn both_headers_say_the_same() {
        let span = Some("00f067aa0ba902b7");
        for (name, value, expected) in [
            ("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"), context(span, Sampling::Sampled)),
            ("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-00"), context(span, Sampling::NotSampled)),
            ("traceparent", format!("cc-{TRACE}-00f067aa0ba902b7-01-new"), context(span, Sampling::Sampled)),
            ("x-cloud-trace-context", format!("{TRACE}/67667974448284343;o=1"), context(span, Sampling::Sampled)),
            ("x-cloud-trace-context", format!("{TRACE}/67667974448284343"), context(span, Sampling::NotSampled)),
            ("x-cloud-trace-context", TRACE.to_uppercase(), context(None, Sampling::NotSampled)),
            ("x-cloud-trace-context", format!("{TRACE}/0;o=0"), context(None, Sampling::NotSampled)),
        ] {
            let read = TraceContext::of_request(|asked| (asked == name).then_some(value.as_str()));
            assert_eq!(read, Some(expected), "{name}: {value}");
        }
    }

    #[test]
    fn what_is_wrong_is_not_there() {
        for value in [
            String::new(),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}x-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(TraceContext::from_traceparent(&value), None, "{value}");
        }
        assert_eq!(TraceContext::from_google("not-a-trace/1;o=1"), None);
    }
}
