//! One error for every cloud: a kind that tells the caller what to do, the operation, and the
//! cloud's error as its source.

/// The kind of an error, which tells the caller what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No such object, version or bucket. Not worth repeating.
    NotFound,
    /// The credential may not do this. Not worth repeating soon.
    Denied,
    /// The cloud refuses the request permanently: a bad name, too large an object.
    Invalid,
    /// The bytes that arrived differ from those that were sent. Worth repeating.
    Corrupt,
    /// The cloud asks for fewer requests or is out of order (429, 503, 5xx). Worth repeating later.
    Busy,
    /// No response: name resolution, connection, time limit, a body cut short. Worth repeating without limit.
    /// It says nothing about the object, so it never counts against a retry budget.
    Transport,
    /// A response that is not the cloud's own: a captive portal, a proxy, a redirect, an error without the
    /// service's error document. Like [`Transport`](Self::Transport), it says nothing about the object and
    /// is worth repeating without limit.
    Intercepted,
    /// The cloud rejects the request's signature because this machine's clock is wrong. Worth repeating once
    /// the clock is set. Like [`Transport`](Self::Transport), it says nothing about the object.
    ClockSkew,
    /// An error of this machine: a file that cannot be read, a full disk.
    Io,
}

impl ErrorKind {
    /// Returns whether the same request may succeed later.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Corrupt | Self::Busy | Self::Transport | Self::Intercepted | Self::ClockSkew)
    }
}

/// Whether a failed request may have had its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The request was refused, or was not sent completely.
    None,
    /// There was no response, or one that does not tell.
    Unknown,
}

impl Effect {
    /// Derives the effect from an HTTP status. Redirects, client errors, 501 (no such method) and 503
    /// (unavailable) mean that the request was refused. 500, 502 and 504 can be returned for a
    /// request that was carried out.
    pub fn of_status(status: u16) -> Self {
        match status {
            300..=499 | 501 | 503 => Self::None,
            _ => Self::Unknown,
        }
    }
}

/// A request to a cloud that failed: what was asked of what, which kind of failure, and what effect it may have had.
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
    /// Creates the error of `operation` (`"put"`, `"get"`, `"publish"`) on `what` (a key, a topic). Its effect
    /// follows from `kind`; use [`with_effect`](Self::with_effect) if more is known.
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

    /// Replaces the effect that was derived from the kind.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// Sets the source, normally the cloud's own error.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind, which tells the caller what to do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns whether the request may have had its effect.
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
            Self::Intercepted => "the answer did not come from the service",
            Self::ClockSkew => "this machine's clock is too far off",
            Self::Io => "local input or output failed",
        })
    }
}

/// Formats an error with all its sources on one line, for logs.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        // Some libraries repeat the text of their source.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}
