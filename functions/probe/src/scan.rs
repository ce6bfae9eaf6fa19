//! Finds out what an object contains, without I/O: [`Scanner`] returns the range that it
//! needs next, or the result.
//!
//! The budget is enforced only here: at most [`MAX_REQUESTS`] ranges and [`MAX_BYTES`] bytes of any
//! object, starting with the [`HEAD_BYTES`] of its head. Optional information that is not found within
//! the budget is left out (frame rate, audio, duration). If required information is missing, the object
//! is rejected as too complex.

use crate::headers::{DurationSearch, Headers, Media};
use crate::window::{Need, Rejection, Stop, Window};
use crate::{matroska, mp4};
use bytes::Bytes;
use framepost_events::record::RejectReason;
use framepost_ports::ByteRange;

/// The first range of every object. Our own chunks need no other.
pub const HEAD_BYTES: u64 = 16 * 1024;
/// The most requests for one object.
pub const MAX_REQUESTS: u32 = 3;
/// The most bytes that are read of one object.
pub const MAX_BYTES: u64 = 128 * 1024;

/// The next step of a scan.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there are at most three of them for an object")]
pub(crate) enum Next {
    /// Read this range and pass it to [`Scanner::feed`].
    Fetch(ByteRange),
    /// Nothing more must be read.
    Done(Result<Media, Rejection>),
}

/// The scan of one object.
pub(crate) struct Scanner {
    window: Window,
    duration: DurationSearch,
    requests_left: u32,
    bytes_left: u64,
}

impl Scanner {
    /// The range to read first.
    pub(crate) const HEAD: ByteRange = ByteRange { start: 0, len: HEAD_BYTES };

    /// Creates a scanner. `head` has the bytes for [`Self::HEAD`].
    pub(crate) fn new(size: u64, head: Bytes, duration: DurationSearch) -> Self {
        Self {
            window: Window::new(size, head),
            duration,
            requests_left: MAX_REQUESTS - 1,
            bytes_left: MAX_BYTES - HEAD_BYTES,
        }
    }

    /// Returns the next step, based on the bytes so far.
    pub(crate) fn next(&mut self) -> Next {
        match scan(&self.window, self.duration) {
            Err(rejection) => Next::Done(Err(rejection)),
            Ok(Headers { media: Some(media), need: None }) => Next::Done(Ok(media)),
            Ok(Headers { media: None, need: None }) => {
                Next::Done(Err(Rejection::new(RejectReason::NoVideo, "no video track")))
            }
            Ok(Headers { media, need: Some(need) }) => match self.grant(need) {
                Some(range) => Next::Fetch(range),
                None => Next::Done(media.ok_or_else(|| {
                    let detail = format!("{need:?} is beyond {MAX_REQUESTS} requests and {MAX_BYTES} bytes");
                    Rejection::new(RejectReason::TooComplex, detail)
                })),
            },
        }
    }

    /// Takes the bytes of the range that [`Self::next`] requested.
    pub(crate) fn feed(&mut self, range: ByteRange, bytes: Bytes) {
        self.window.add(range.start, bytes);
    }

    /// Returns an even share of the remaining budget, but at least the required bytes.
    fn grant(&mut self, need: Need) -> Option<ByteRange> {
        if self.requests_left == 0 {
            return None;
        }
        let size = self.window.size();
        let range = match need {
            Need::From { at, len } => {
                let share = self.bytes_left / u64::from(self.requests_left);
                ByteRange { start: at, len: share.max(len).min(size.saturating_sub(at)) }
            }
            Need::Tail { most } => {
                let len = most.min(self.bytes_left).min(size);
                ByteRange { start: size - len, len }
            }
        };
        if range.len == 0 || range.len > self.bytes_left {
            return None;
        }
        self.requests_left -= 1;
        self.bytes_left -= range.len;
        Some(range)
    }
}

/// Parses the known bytes once.
fn scan(window: &Window, duration: DurationSearch) -> Result<Headers, Rejection> {
    let head = window.visible(0, 16);
    let scan = if matroska::begins(head) {
        matroska::scan(window, duration)
    } else if framepost_media::boxes::begins_file(head) {
        mp4::scan(window, duration)
    } else {
        return Err(Rejection::new(RejectReason::NotMedia, "begins neither like MP4 nor like Matroska"));
    };
    match scan {
        Ok(scan) => Ok(scan),
        Err(Stop::Need(need)) => Ok(Headers { media: None, need: Some(need) }),
        Err(Stop::Reject(rejection)) => Err(rejection),
    }
}
