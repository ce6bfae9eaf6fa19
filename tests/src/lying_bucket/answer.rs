//! What the bucket does with a put, and what it answers.

use std::time::Duration;

/// Whether the bytes of a put become an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// The object is stored as S3 would.
    AsAsked,
    /// The object is not stored.
    Nothing,
}

/// What the client receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The true result: 200, 412, or 400 `BadDigest`.
    Truth,
    /// The store's own error document.
    Error(u16, &'static str),
    /// The error document cut in the middle. The length in the head is that of the part that is sent.
    TruncatedError(u16, &'static str),
    /// An HTML page, as from a proxy or a portal, with any status, including 200 and 412.
    Page(u16),
    /// A redirect to another path of this server. Requests to it
    /// are kept for [`strayed`](super::LyingBucket::strayed).
    Redirect(u16),
    /// "Created" without the bucket's checksum.
    BareSuccess,
    /// "Created", with the checksum of other bytes.
    WrongChecksum,
    /// "Created", with an error document as its body.
    ErrorAsSuccess,
    /// The connection is reset after the whole request.
    Reset,
    /// The connection is reset before the body.
    EarlyReset,
    /// The connection ends in the middle of the answer's head.
    CutHead,
    /// Bytes that are not HTTP.
    Garbage,
    /// An error with a body of this many bytes, sent as fast as the client takes them.
    HugeError(u16, u64),
    /// A head that never ends: header after header.
    EndlessHead,
    /// The response's head, one byte at a time with this pause.
    SlowHead(Duration),
    /// Nothing is sent for this long.
    Silence(Duration),
    /// The request body is read one byte at a time with this pause.
    SlowReading(Duration),
}

/// What happens to a put, and what is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lie {
    /// Whether it is stored.
    pub keeps: Keeps,
    pub heard: Heard,
}

impl Lie {
    pub const TRUTH: Self = Self { keeps: Keeps::AsAsked, heard: Heard::Truth };

    /// Discards the bytes and answers with `heard`.
    pub const fn nothing_kept(heard: Heard) -> Self {
        Self { keeps: Keeps::Nothing, heard }
    }

    /// Handles the put like S3 and answers with `heard`.
    pub const fn kept(heard: Heard) -> Self {
        Self { keeps: Keeps::AsAsked, heard }
    }

    /// Refuses the put with the store's own error document.
    pub const fn refused(status: u16, code: &'static str) -> Self {
        Self::nothing_kept(Heard::Error(status, code))
    }

    /// Parses the name of a lie, as shell scripts use it.
    pub fn named(name: &str) -> Option<Self> {
        let refused = |status, code| Some(Self::refused(status, code));
        let nothing = |heard| Some(Self::nothing_kept(heard));
        let kept = |heard| Some(Self::kept(heard));
        match name {
            "ok" => Some(Self::TRUTH),
            "400" => refused(400, "InvalidArgument"),
            "400t" => refused(400, "RequestTimeout"),
            "403" => refused(403, "AccessDenied"),
            "404" => refused(404, "NoSuchBucket"),
            "409" => refused(409, "ConditionalRequestConflict"),
            "500" => refused(500, "InternalError"),
            "501" => refused(501, "NotImplemented"),
            "503" => refused(503, "SlowDown"),
            "lost" => kept(Heard::Reset),
            "nobody" => kept(Heard::CutHead),
            "kept500" => kept(Heard::Error(500, "InternalError")),
            "badchecksum" => kept(Heard::WrongChecksum),
            "502" => kept(Heard::Page(502)),
            "504" => kept(Heard::Page(504)),
            "reset" => nothing(Heard::Reset),
            "early" => nothing(Heard::EarlyReset),
            "redirect" => nothing(Heard::Redirect(307)),
            "r301" => nothing(Heard::Redirect(301)),
            "html-proxy" => nothing(Heard::Page(403)),
            "portal" => nothing(Heard::Page(200)),
            "fake200" => nothing(Heard::BareSuccess),
            "err200" => nothing(Heard::ErrorAsSuccess),
            "truncated-xml" => nothing(Heard::TruncatedError(400, "InvalidArgument")),
            "garbage" => nothing(Heard::Garbage),
            "hugeerr" => nothing(Heard::HugeError(500, 1 << 33)),
            "endlesshead" => nothing(Heard::EndlessHead),
            "slowhead" => nothing(Heard::SlowHead(Duration::from_secs(1))),
            "drip" => nothing(Heard::SlowReading(Duration::from_secs(1))),
            "hang" => nothing(Heard::Silence(Duration::from_mins(10))),
            _ => None,
        }
    }
}
