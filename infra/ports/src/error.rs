//! One error for every cloud: a kind that the caller can act on, the operation, and the cloud's own words as source.

/// What the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No such object, version or bucket. Not worth repeating.
    NotFound,
    /// The credential may not do this. Not worth repeating soon.
    Denied,
    /// The cloud refuses the request as it is, for good: a bad name, too large.
    Invalid,
    /// The bytes that arrived are not the ones that were sent. Worth repeating.
    Corrupt,
    /// The cloud asks for fewer requests, or is out of order (429, 503, 5xx). Worth repeating, later.
    Busy,
    /// No answer: name resolution, connection, time limit, a body cut short. Worth repeating, for ever; it says nothing of
    /// the object, so it never spends a retry budget.
    Transport,
    /// An answer that is not the cloud's own: a captive portal, a proxy, a redirect, an error without the service's error
    /// document. Like [`Transport`](Self::Transport) it says nothing of the object, and is worth repeating for ever.
    Intercepted,
    /// The cloud does not believe this machine's clock, so it believes no signature. Worth repeating once the clock is
    /// set; like [`Transport`](Self::Transport) it says nothing of the object.
    ClockSkew,
    /// This machine: a file that cannot be read, a full disk.
    Io,
}

impl ErrorKind {
    /// Whether the same request may succeed later.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Corrupt | Self::Busy | Self::Transport | Self::Intercepted | Self::ClockSkew)
    }
}

/// Whether a request that failed may have had its effect all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It was refused, or never left this machine whole.
    None,
    /// There was no answer, or one that does not tell.
    Unknown,
}

impl Effect {
    /// What an answer's HTTP status tells. A redirect and a client's error refuse, and so do 501 (no such method) and
    /// 503 (come again); 500, 502 and 504 can be said of a request that was carried out.
    pub fn of_status(status: u16) -> Self {
        match status {
            300..=499 | 501 | 503 => Self::None,
            _ => Self::Unknown,
        }
    }
}

/// A request that failed.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {what}: {kind}")]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    what: String,
    effect: Effect,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The result of a request.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// `operation` (`"put"`, `"get"`, `"publish"`) on `what` (a key, a topic) failed. Its effect is what `kind` lets
    /// suppose, unless [`with_effect`](Self::with_effect) says more.
    pub fn new(kind: ErrorKind, operation: &'static str, what: impl Into<String>) -> Self {
        let effect = match kind {
            ErrorKind::Busy | ErrorKind::Transport | ErrorKind::Intercepted | ErrorKind::Io => Effect::Unknown,
            ErrorKind::NotFound
            | ErrorKind::Denied
            | ErrorKind::Invalid
            | ErrorKind::Corrupt
            | ErrorKind::ClockSkew => Effect::None,
        };
        Self { kind, operation, what: what.into(), effect, source: None }
    }

    /// Where more is known of the effect than the kind says.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Keeps the cloud's own words.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the request may have had its effect.
    pub fn effect(&self) -> Effect {
        self.effect
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::Denied => "permission denied",
            Self::Invalid => "refused as invalid",
            Self::Corrupt => "arrived corrupt",
            Self::Busy => "the service is busy",
            Self::Transport => "no answer",
            Self::Intercepted => "something else than the service answered",
            Self::ClockSkew => "this machine's clock is too far off",
            Self::Io => "local input or output failed",
        })
    }
}

/// An error with all its sources on one line, for logs.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        // Some libraries repeat their source in their own words.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}
