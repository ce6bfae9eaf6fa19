//! Checks one camera's objects together: every span counts from 0, has no hole and is closed.

use framepost_events::{KeyKind, ObjectKey};
use jiff::Timestamp;

/// One object of a camera, with its times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: ObjectKey,
    /// Wall-clock time of the first sample, or of a gap's start.
    pub from: Timestamp,
    /// Wall-clock time of the end of the last sample, or of a gap's end; equal to `from` for a span end.
    pub to: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    /// The end of the last one.
    pub to: Timestamp,
    pub chunks: u64,
}

/// Checks the objects of one camera in key order, and returns the spans or all faults.
pub fn check_spans(entries: &[Entry]) -> Result<Vec<Span>, Vec<String>> {
    let mut spans: Vec<Span> = Vec::new();
    let mut faults = Vec::new();
    let mut open: Option<Span> = None;
    let mut sorted: Vec<&Entry> = entries.iter().filter(|entry| entry.key.kind != KeyKind::Gap).collect();
    // A chunk of a new span may start at the moment at which the span before it ends.
    sorted.sort_by_key(|entry| (entry.from, entry.key.kind != KeyKind::SpanEnd, entry.key.counter));
    for Entry { key, from, to } in sorted {
        if key.start != *from {
            faults.push(format!("{key}: the key's time is not {from}"));
        }
        match (key.kind, &mut open) {
            (KeyKind::SpanEnd, Some(span)) => {
                if key.counter != span.chunks || *from != span.to {
                    faults.push(format!("{key}: the span's {} chunks end at {}", span.chunks, span.to));
                }
                spans.extend(open.take());
            }
            (KeyKind::SpanEnd, None) => faults.push(format!("{key}: it ends no span")),
            (_, Some(span)) if key.counter == span.chunks && *from == span.to => {
                span.to = *to;
                span.chunks += 1;
            }
            (_, Some(span)) if key.counter == span.chunks => {
                faults.push(format!("{key}: the chunk before it ends at {}", span.to));
                span.to = *to;
                span.chunks += 1;
            }
            (_, before) => {
                if let Some(span) = before {
                    faults.push(format!("{key}: the span before it, from {}, is not closed", span.from));
                }
                if key.counter != 0 {
                    faults.push(format!("{key}: the chunk before it is missing"));
                }
                if let Some(last) = spans.last().filter(|last| last.to > *from) {
                    faults.push(format!("{key}: the span before it lasts until {}", last.to));
                }
                *before = Some(Span { from: *from, to: *to, chunks: key.counter + 1 });
            }
        }
    }
    if let Some(span) = open {
        faults.push(format!("the last span, from {}, is not closed", span.from));
    }
    if faults.is_empty() { Ok(spans) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `"20 23 0 mp4"`: from, to, counter, extension.
    fn entries(text: &[&str]) -> Vec<Entry> {
        let time = |seconds: &str| format!("2026-11-20T15:08:{seconds}Z").parse().unwrap();
        let entry = |line: &&str| {
            let parts: Vec<&str> = line.split(' ').collect();
            let key = format!("s/2026-11-20/c/15/08-{}Z.{}.{}", parts[0], parts[2], parts[3]).parse().unwrap();
            Entry { key, from: time(parts[0]), to: time(parts[1]) }
        };
        text.iter().map(entry).collect()
    }

    #[test]
    fn closed_spans_without_holes_pass() {
        let two = entries(&[
            "20 23 0 mp4",
            "23 26 1 mp4",
            "26 26 2 mp4_end",
            "26 28 0 mp4_gap",
            "28 30 0 mp4",
            "30 30 1 mp4_end",
            "30 31 0 mp4",
            "31 31 1 mp4_end",
        ]);
        let chunks: Vec<u64> = check_spans(&two).unwrap().iter().map(|span| span.chunks).collect();
        assert_eq!(chunks, [2, 1, 1]);
    }

    #[test]
    fn everything_else_is_named() {
        for (text, expected) in [
            (&["20 23 0 mp4"][..], "not closed"),
            (&["20 23 0 mp4", "26 29 2 mp4", "29 29 3 mp4_end"], "missing"),
            (&["20 23 0 mp4", "24 26 1 mp4", "26 26 2 mp4_end"], "ends at"),
            (&["20 23 0 mp4", "22 26 1 mp4", "26 26 2 mp4_end"], "ends at"),
            (&["20 23 0 mp4", "24 24 1 mp4_end"], "end at"),
            (&["20 23 0 mp4", "23 23 2 mp4_end"], "end at"),
            (&["20 20 0 mp4_end"], "ends no span"),
            (&["20 23 0 mp4", "23 25 0 mp4", "25 25 1 mp4_end"], "is not closed"),
            (&["20 23 1 mp4", "23 23 2 mp4_end"], "missing"),
            (&["20 23 0 mp4", "20 23 0 mp4", "23 23 1 mp4_end"], "is not closed"),
        ] {
            let faults = check_spans(&entries(text)).unwrap_err().join("\n");
            assert!(faults.contains(expected), "{text:?}: {faults}");
        }
    }
}
