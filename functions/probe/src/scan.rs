//! From bytes to what they hold, without I/O: [`Scanner`] says which range it wants next, or that it is done.
//!
//! The budget of DESIGN is kept here and nowhere else: at most [`MAX_REQUESTS`] ranges and [`MAX_BYTES`] bytes of any
//! object, the first of them the [`HEAD_BYTES`] of its head. What is not found within it is left out where the record may
//! leave it out (frame rate, sound, duration), otherwise the object is rejected as too complex.

use crate::shown::Shown;
use crate::window::{Need, Rejection, Stop, Window};
use crate::{matroska, mp4};
use bytes::Bytes;
use framepost_events::record::{Audio, Container, RejectReason};
use framepost_ports::ByteRange;
use jiff::Timestamp;

/// The first range of every object. Our own chunks need no other.
pub const HEAD_BYTES: u64 = 16 * 1024;
/// The most requests that one object costs.
pub const MAX_REQUESTS: u32 = 3;
/// The most bytes that are read of one object.
pub const MAX_BYTES: u64 = 128 * 1024;

/// The picture of a video track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// RFC 6381.
    pub(crate) codec: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) channels: u8,
    pub(crate) shown: Shown,
}

/// What a container says of itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Media {
    pub(crate) container: Container,
    pub(crate) picture: Picture,
    pub(crate) frame_rate: Option<f64>,
    pub(crate) audio: Option<Audio>,
    pub(crate) seconds: Option<f64>,
    /// The container's creation time, as it stands there.
    pub(crate) created: Option<Timestamp>,
}

/// Whether requests should be spent on a duration that the container's head does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duration {
    /// The object's metadata says it.
    Known,
    /// Only the object's end may say it.
    Wanted,
}

/// What the bytes so far say. `need` with `media`: more could be said with more bytes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scan {
    pub(crate) media: Option<Media>,
    pub(crate) need: Option<Need>,
}

/// What to do next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Read this range and hand it to [`Scanner::feed`].
    Fetch(ByteRange),
    /// There is nothing more to read.
    Done(Result<Media, Rejection>),
}

/// The scan of one object.
pub(crate) struct Scanner {
    window: Window,
    duration: Duration,
    requests_left: u32,
    bytes_left: u64,
}

impl Scanner {
    /// The range to begin with.
    pub(crate) const HEAD: ByteRange = ByteRange { start: 0, len: HEAD_BYTES };

    /// `head` is what came for [`Self::HEAD`].
    pub(crate) fn new(size: u64, head: Bytes, duration: Duration) -> Self {
        Self {
            window: Window::new(size, head),
            duration,
            requests_left: MAX_REQUESTS - 1,
            bytes_left: MAX_BYTES - HEAD_BYTES,
        }
    }

    /// What the bytes so far make of it.
    pub(crate) fn next(&mut self) -> Next {
        match scan(&self.window, self.duration) {
            Err(rejection) => Next::Done(Err(rejection)),
            Ok(Scan { media: Some(media), need: None }) => Next::Done(Ok(media)),
            Ok(Scan { media: None, need: None }) => {
                Next::Done(Err(Rejection::new(RejectReason::NoVideo, "no video track")))
            }
            Ok(Scan { media, need: Some(need) }) => match self.grant(need) {
                Some(range) => Next::Fetch(range),
                None => Next::Done(media.ok_or_else(|| {
                    let detail = format!("{need:?} is beyond {MAX_REQUESTS} requests and {MAX_BYTES} bytes");
                    Rejection::new(RejectReason::TooComplex, detail)
                })),
            },
        }
    }

    /// What came for the range that [`Self::next`] asked for.
    pub(crate) fn feed(&mut self, range: ByteRange, bytes: Bytes) {
        self.window.add(range.start, bytes);
    }

    /// An even share of what is left, but at least what is needed.
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

/// One pass over the known bytes.
fn scan(window: &Window, duration: Duration) -> Result<Scan, Rejection> {
    let head = window.visible(0, 16);
    let scan = if matroska::begins(head) {
        matroska::scan(window, duration)
    } else if mp4::begins(head) {
        mp4::scan(window, duration)
    } else {
        return Err(Rejection::new(RejectReason::NotMedia, "begins neither like MP4 nor like Matroska"));
    };
    match scan {
        Ok(scan) => Ok(scan),
        Err(Stop::Need(need)) => Ok(Scan { media: None, need: Some(need) }),
        Err(Stop::Reject(rejection)) => Err(rejection),
    }
}
