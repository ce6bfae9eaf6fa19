//! Limits on what one camera may make this program store and do.
//!
//! A camera is a computer on the network that an attacker may control. Everything it sends is bounded: a
//! session that exceeds one of these limits is ended ([`Excess`]), and the camera is connected again after a
//! pause that grows each time ([`CameraError::Excessive`](crate::camera::CameraError::Excessive)).
//!
//! Together they bound what a camera costs: its access units take at most [`HELD_MAX`], those that are on their way to the disk
//! and the one that is being put together, behind a receive buffer of [`BUFFER_MAX`], and what is read is bounded in bytes a second by `bandwidth_per_second` of its configuration
//! and in pictures, NAL units, messages, reports, packets of little use and single reads a second by [`WORK_A_SECOND`], from
//! the first byte of a connection on.

/// Bytes in one line of an RTSP message's head. Real lines are shorter
/// than 1 KiB (`RTP-Info`, `WWW-Authenticate`).
pub(super) const LINE_MAX: usize = 8 << 10;
/// Lines in an RTSP message's head.
pub(super) const LINES_MAX: usize = 64;
/// Bytes in an RTSP message's head.
pub(super) const HEAD_MAX: usize = 32 << 10;
/// Bytes in an RTSP message's body. Session descriptions are the longest.
pub(super) const BODY_MAX: usize = 64 << 10;
/// Consecutive bytes outside of any message or packet, before the connection counts as broken.
pub(super) const GARBAGE_MAX: usize = 256 << 10;
/// Streams of one session description that are examined.
pub(super) const STREAMS_MAX: usize = 32;
/// Bytes in one access unit. An 8K picture has less than 8 MiB at the highest quality of cameras.
pub(super) const ACCESS_UNIT_MAX: usize = 16 << 20;
/// Bytes of all access units that are not recorded yet. At the most that is read of a camera unless it is told otherwise, this is
/// six seconds; with fewer than 4 MiB in each, the queue to the recorder holds less.
pub(super) const HELD_MAX: usize = 48 << 20;
/// NAL units in one access unit: slices, parameter sets and SEI.
pub(super) const UNITS_MAX: usize = 4096;
/// Parameter sets in use in a stream. The codecs allow 32 sequence and 256 picture parameter sets.
pub(super) const SETS_MAX: usize = 64;
/// Bytes in one parameter set.
pub(super) const SET_MAX: usize = 4 << 10;
/// Bytes in all parameter sets in use in a stream; real ones have less than 100 bytes each. Sets may be
/// inserted before each picture, which at the largest picture rate is 8 MB per second.
pub(super) const SETS_BYTES_MAX: usize = 16 << 10;
/// Bytes in one audio frame. The 13-bit length in RFC 3640 §3.3.6 allows at most 8191.
pub(super) const SOUND_MAX: usize = 8 << 10;
/// Bytes in the receive buffer, which starts smaller. It must hold one message or one packet.
pub(super) const BUFFER_MAX: usize = 128 << 10;
/// Bytes waiting to be sent to a camera that does not read.
pub(super) const UNSENT_MAX: usize = 16 << 10;
/// Bytes of media that are kept until the response to `PLAY` arrives.
pub(super) const EARLY_MAX: usize = 1 << 20;
/// Redirections that are followed for one connection.
pub(super) const REDIRECTIONS_MAX: usize = 5;
/// How often one request is sent with new credentials.
pub(super) const CHALLENGES_MAX: usize = 3;
/// Work units of a picture, in addition to 1 for each of its NAL units. An audio frame, RTSP message or
/// RTCP packet counts the same.
pub(super) const WORK_A_PICTURE: u32 = 32;
/// What a packet counts that is no stream's, comes too late or has less than [`TELLING_PAYLOAD`]. The others make pictures or
/// sound, and those count.
pub(super) const WORK_A_PACKET: u32 = 1;
/// Bytes of a packet's payload. With fewer, the packet costs more than what is in it.
pub(super) const TELLING_PAYLOAD: usize = 64;
/// What each read from the connection counts, and each step over bytes that mean nothing.
pub(super) const WORK_A_READ: u32 = 1;
/// Work units per second: 500 pictures, or about 240 pictures of 34 slices.
pub(super) const WORK_A_SECOND: u32 = 500 * (WORK_A_PICTURE + 1);
/// Work units that may be used at once, after the network held back a camera's pictures: 3 s at 500 pictures
/// per second, or 25 s at 60.
pub(super) const WORK_AT_ONCE: u32 = 3 * WORK_A_SECOND;

/// A limit that a camera exceeded.
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
    #[error("{} MiB of pictures before the first of them could be recorded", HELD_MAX >> 20)]
    Held,
    #[error("an access unit of more than {UNITS_MAX} NAL units")]
    Units,
    #[error("more pictures, NAL units, messages, reports or small packets than {} pictures a second need", WORK_A_SECOND / (WORK_A_PICTURE + 1))]
    Work,
    #[error("requests without reading the responses")]
    Unsent,
}
