//! What one camera may make this program hold and do.
//!
//! A camera is a computer on the network that anybody may have taken over. Nothing it sends is kept without a bound: a
//! session that goes beyond one of these limits is ended ([`Excess`]), and the camera is asked again after a pause
//! that grows each time ([`CameraError::Excessive`](crate::camera::CameraError::Excessive)).
//!
//! Together they bound what a camera costs: at most one access unit of [`ACCESS_UNIT_MAX`] is being put together, behind a
//! receive buffer of [`BUFFER_MAX`], and what is read is bounded in bytes a second by `bandwidth_per_second` of its configuration
//! and in pictures, NAL units, messages, reports and packets without use a second by [`WORK_A_SECOND`].

/// Bytes of one line of an RTSP message's head. Real ones are shorter than 1 KiB (`RTP-Info`, `WWW-Authenticate`).
pub(super) const LINE_MAX: usize = 8 << 10;
/// Lines of an RTSP message's head.
pub(super) const LINES_MAX: usize = 64;
/// Bytes of an RTSP message's head.
pub(super) const HEAD_MAX: usize = 32 << 10;
/// Bytes of an RTSP message's body; session descriptions are the longest.
pub(super) const BODY_MAX: usize = 64 << 10;
/// Bytes in a row that are no part of any message or packet, before the connection is taken for something else.
pub(super) const GARBAGE_MAX: usize = 256 << 10;
/// Streams of one session description that are looked at.
pub(super) const STREAMS_MAX: usize = 32;
/// Bytes of one access unit. A picture of 8K is below 8 MiB at the best quality that cameras have.
pub(super) const ACCESS_UNIT_MAX: usize = 16 << 20;
/// NAL units of one access unit: slices, parameter sets and messages.
pub(super) const UNITS_MAX: usize = 4096;
/// Parameter sets that a stream may have in use at once. The codecs allow 32 sequence and 256 picture parameter sets.
pub(super) const SETS_MAX: usize = 64;
/// Bytes of one parameter set.
pub(super) const SET_MAX: usize = 4 << 10;
/// Bytes of the parameter sets that a stream has in use at once; real ones have less than 100 bytes each. Sets may be put before
/// each picture, so with as many pictures as a camera may send this is 8 MB a second.
pub(super) const SETS_BYTES_MAX: usize = 16 << 10;
/// Bytes of one sound frame; 13 bits of length in RFC 3640 §3.3.6 say at most 8191.
pub(super) const SOUND_MAX: usize = 8 << 10;
/// Bytes of the receive buffer, which begins smaller: one message or one packet fits.
pub(super) const BUFFER_MAX: usize = 128 << 10;
/// Bytes that wait to be sent to a camera that does not read.
pub(super) const UNSENT_MAX: usize = 16 << 10;
/// Bytes of media that came before the answer to `PLAY` and are kept until then.
pub(super) const EARLY_MAX: usize = 1 << 20;
/// Redirections that are followed for one connection.
pub(super) const REDIRECTIONS_MAX: usize = 5;
/// How often one request is sent with other credentials.
pub(super) const CHALLENGES_MAX: usize = 3;
/// What each picture counts against [`WORK_A_SECOND`], beside 1 for each of its NAL units, and what each sound frame, RTSP message
/// and RTCP packet does.
pub(super) const WORK_A_PICTURE: u32 = 32;
/// What a packet counts that is no stream's, comes too late or is empty. The others make pictures or sound, and those count.
pub(super) const WORK_A_PACKET: u32 = 1;
/// Work that may be done each second: 500 pictures, or 240 pictures of 34 slices.
pub(super) const WORK_A_SECOND: u32 = 500 * (WORK_A_PICTURE + 1);
/// Work that may be done at once, after the network held a camera's pictures back: 3 s of 500 pictures a second, or 25 s of 60.
pub(super) const WORK_AT_ONCE: u32 = 3 * WORK_A_SECOND;

/// A limit that a camera went beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Excess {
    #[error("a line of more than {} KiB in the head of a message", LINE_MAX >> 10)]
    Line,
    #[error("the head of a message with more than {LINES_MAX} lines or {} KiB", HEAD_MAX >> 10)]
    Head,
    #[error("a message body of more than {} KiB", BODY_MAX >> 10)]
    Body,
    #[error("{} KiB that are neither a message nor a packet", GARBAGE_MAX >> 10)]
    Garbage,
    #[error("an access unit of more than {} MiB", ACCESS_UNIT_MAX >> 20)]
    AccessUnit,
    #[error("an access unit of more than {UNITS_MAX} NAL units")]
    Units,
    #[error("more pictures, NAL units, messages or reports than {} pictures a second make", WORK_A_SECOND / (WORK_A_PICTURE + 1))]
    Work,
    #[error("questions without reading the answers")]
    Unsent,
}
