//! What the client gets to hear of a put, and what is true.

use std::time::Duration;

/// Whether the bytes of a put become an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// As S3 would.
    AsAsked,
    /// They never do.
    Nothing,
}

/// What the client gets to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// What became of it: 200, 412, or 400 `BadDigest`.
    Truth,
    /// The store's own error document.
    Error(u16, &'static str),
    /// The same, cut in its middle. The length in the head is that of what comes.
    TruncatedError(u16, &'static str),
    /// A page for people, as proxies and portals give: any status, 200 and 412 too.
    Page(u16),
    /// A redirect to another path here, whose requests are kept for [`strayed`](super::LyingBucket::strayed).
    Redirect(u16),
    /// "Created", without the checksum that the bucket would answer.
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
    /// An error whose body does not end: so many bytes, as fast as they are taken.
    HugeError(u16, u64),
    /// A head that does not end: header after header.
    EndlessHead,
    /// One byte of the answer's head at a time.
    SlowHead(Duration),
    /// Nothing at all, for so long.
    Silence(Duration),
    /// The body is taken a byte at a time, with pauses of so long.
    SlowReading(Duration),
}

/// How a put is answered, and what is true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lie {
    /// Whether it is stored.
    pub keeps: Keeps,
    /// What is said.
    pub heard: Heard,
}

impl Lie {
    /// None.
    pub const TRUTH: Self = Self { keeps: Keeps::AsAsked, heard: Heard::Truth };

    /// The bytes are thrown away, and `heard` is said.
    pub const fn nothing_kept(heard: Heard) -> Self {
        Self { keeps: Keeps::Nothing, heard }
    }

    /// S3 takes the put as it should, and `heard` is what arrives.
    pub const fn kept(heard: Heard) -> Self {
        Self { keeps: Keeps::AsAsked, heard }
    }

    /// The store's own refusal.
    pub const fn refused(status: u16, code: &'static str) -> Self {
        Self::nothing_kept(Heard::Error(status, code))
    }

    /// The lie of a name, as shell scripts give it.
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
