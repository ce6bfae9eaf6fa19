//! Assembles RTP packets of H.264 (RFC 6184) and H.265 (RFC 7798) to access units.
//!
//! A picture with a missing packet is dropped; the pictures around it, and complete parameter sets, are passed
//! on. An access unit ends at the marker, or where the timestamp changes. Some cameras also set the marker, or
//! change the timestamp, between parameter sets or SEI and their picture. Since these come before the picture
//! (H.264 §7.4.1.2.3), an access unit without a slice is continued.
//!
//! Some cameras send a byte stream with start codes (H.264 annex B) in place of one NAL unit. A NAL unit cannot
//! contain a start code, so the data is split there.

use super::limits::{ACCESS_UNIT_MAX, Excess, SET_MAX, UNITS_MAX};
use super::rtp::Packet;
use crate::camera::nal;
use crate::media::VideoCodec;

/// A complete access unit.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Picture {
    /// Its RTP time on the stream's timeline.
    pub(super) time: i64,
    /// NAL units with 4-byte lengths, without parameter sets.
    pub(super) data: Vec<u8>,
    /// The parameter sets that arrived with it, in order.
    pub(super) sets: Vec<Vec<u8>>,
    /// Number of NAL units, including parameter sets.
    pub(super) units: usize,
    /// Number of packets missing since the picture before.
    pub(super) lost: u64,
}

/// Assembles one stream's packets.
#[derive(Debug)]
pub(super) struct Assembler {
    codec: VideoCodec,
    /// The access unit in progress.
    picture: Picture,
    state: State,
    /// Offset in the picture's data of the NAL unit whose fragments are arriving.
    fragment: Option<usize>,
    /// Whether the picture has a slice.
    slices: Slices,
    /// Number of missing packets that no picture has reported yet.
    lost: u64,
    /// NAL units since they were asked for.
    units: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The last access unit is complete; the next packet begins another.
    Between,
    /// The packets of `picture.time` are arriving.
    Within,
    /// A packet of the access unit with this time is missing, so the rest of it is dropped.
    Damaged(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slices {
    None,
    Some,
}

/// The position of a packet in its stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its time on the stream's timeline.
    pub(super) time: i64,
    /// Number of packets missing before it.
    pub(super) missing: u64,
}

/// Bytes of an access unit that is a large one.
const LARGE: usize = 512 << 10;
/// Room for the largest one; more than 32 MiB, above which the C library's allocator never puts one allocation beside others.
const ROOM: usize = 2 * ACCESS_UNIT_MAX + (1 << 20);

impl Assembler {
    /// Creates an assembler for a stream of this codec.
    pub(super) fn new(codec: VideoCodec) -> Self {
        Self {
            codec,
            picture: Picture::default(),
            state: State::Between,
            fragment: None,
            slices: Slices::None,
            lost: 0,
            units: 0,
        }
    }

    /// The bytes of the access unit that is being put together.
    pub(super) fn bytes(&self) -> usize {
        self.picture.data.len()
    }

    /// How many NAL units came since the last time that this was asked, those of pictures that are left out included.
    pub(super) fn take_units(&mut self) -> u32 {
        std::mem::take(&mut self.units)
    }

    /// Takes the next packet. Adds the access units that it completes, at most two, to `out`.
    pub(super) fn push(&mut self, packet: &Packet<'_>, place: Place, out: &mut Vec<Picture>) -> Result<(), Excess> {
        if place.missing > 0 {
            self.lost += place.missing;
            match self.state {
                State::Within => {
                    let is_same = self.picture.time == place.time;
                    self.discard();
                    // The end of the last access unit is missing, the beginning of this one, or both. The first
                    // slice tells whether the beginning is missing: see `end`.
                    self.state = if is_same { State::Damaged(place.time) } else { State::Between };
                }
                State::Between | State::Damaged(_) => {}
            }
        }
        match self.state {
            State::Damaged(time) if time == place.time => {
                if packet.marker {
                    self.state = State::Between;
                }
                return Ok(());
            }
            State::Within if self.picture.time != place.time => self.time_changes(place.time, out),
            State::Within => {}
            State::Between | State::Damaged(_) => self.begin(place.time),
        }
        if !self.payload(packet.payload)? {
            self.lost += u64::from(place.missing == 0);
            self.discard();
            self.state = if packet.marker { State::Between } else { State::Damaged(place.time) };
            return Ok(());
        }
        self.check()?;
        if packet.marker && self.fragment.is_none() && self.slices == Slices::Some {
            self.finish(out);
        }
        Ok(())
    }

    fn begin(&mut self, time: i64) {
        self.state = State::Within;
        self.picture.time = time;
    }

    fn time_changes(&mut self, time: i64, out: &mut Vec<Picture>) {
        if self.fragment.is_some() {
            // The sender aborted a NAL unit.
            self.lost += 1;
            self.discard();
        } else if self.slices == Slices::Some {
            self.finish(out);
        }
        self.begin(time);
    }

    fn finish(&mut self, out: &mut Vec<Picture>) {
        let mut picture = std::mem::take(&mut self.picture);
        picture.lost = std::mem::take(&mut self.lost);
        out.push(picture);
        self.reset();
    }

    /// Drops a damaged access unit except its complete parameter sets, which the next ones need.
    fn discard(&mut self) {
        self.picture.data.clear();
        self.picture.units = self.picture.sets.len();
        self.reset();
    }

    fn reset(&mut self) {
        self.state = State::Between;
        self.fragment = None;
        self.slices = Slices::None;
    }

    fn check(&self) -> Result<(), Excess> {
        if self.picture.data.len() > ACCESS_UNIT_MAX {
            return Err(Excess::AccessUnit);
        }
        if self.picture.units > UNITS_MAX {
            return Err(Excess::Units);
        }
        Ok(())
    }

    /// Depacketizes a payload. Returns `false` if it is invalid here.
    fn payload(&mut self, payload: &[u8]) -> Result<bool, Excess> {
        let sense = match (self.codec, payload) {
            (_, []) => return Ok(true),
            (VideoCodec::H264, [first, rest @ ..]) => match first & 0x1f {
                // STAP-A, and STAP-B with a decoding order number: RFC 6184 §5.7.1.
                24 => self.aggregate(rest)?,
                25 => self.aggregate(rest.get(2..).unwrap_or_default())?,
                // FU-A, and FU-B whose first fragment has a decoding order number: RFC 6184 §5.8.
                kind @ (28 | 29) => match rest {
                    [fu, body @ ..] => {
                        let body = if kind == 29 { body.get(2..).unwrap_or_default() } else { body };
                        self.fragment(*fu, &[(first & 0xe0) | (fu & 0x1f)], body)
                    }
                    [] => false,
                },
                // MTAP16 and MTAP24 belong to the interleaved mode, which was not requested;
                // 30 and 31 are reserved.
                26 | 27 | 30 | 31 => true,
                _ => self.whole(payload),
            },
            (VideoCodec::H265, [first, second, rest @ ..]) => match (first >> 1) & 0x3f {
                // Aggregation and fragmentation: RFC 7798 §4.4.2 and §4.4.3. PACI
                // carries nothing that is recorded.
                48 => self.aggregate(rest)?,
                49 => match rest {
                    [fu, body @ ..] => self.fragment(*fu, &[(first & 0x81) | ((fu & 0x3f) << 1), *second], body),
                    [] => false,
                },
                50 => true,
                _ => self.whole(payload),
            },
            (VideoCodec::H265, [_]) => false,
        };
        Ok(sense)
    }

    fn aggregate(&mut self, mut rest: &[u8]) -> Result<bool, Excess> {
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let Some((unit, after)) = after.split_at_checked(u16::from_be_bytes(*length).into()) else {
                return Ok(false);
            };
            if !self.whole(unit) {
                return Ok(false);
            }
            self.check()?;
            rest = after;
        }
        Ok(true)
    }

    /// Handles a NAL unit in a single packet.
    fn whole(&mut self, unit: &[u8]) -> bool {
        if self.fragment.is_some() {
            return false;
        }
        let at = self.open();
        self.make_room(unit.len());
        self.picture.data.extend_from_slice(unit);
        self.close(at)
    }

    /// Makes room for so many bytes more. A large access unit gets all the room that one may have at once: a vector that
    /// doubles leaves its smaller selves to the allocator, which keeps as much again. What of this is not written to takes
    /// no memory, and all of it is given back with the frame, because an allocation of this size is a mapping of its own.
    fn make_room(&mut self, bytes: usize) {
        let data = &mut self.picture.data;
        let needed = data.len() + bytes;
        if needed > data.capacity() && needed > LARGE {
            data.reserve_exact(ROOM.max(needed) - data.len());
        }
    }

    /// Handles a fragment of a NAL unit. `header` is the unit's header; `fu` has the start bit (0x80)
    /// and the end bit (0x40).
    fn fragment(&mut self, fu: u8, header: &[u8], body: &[u8]) -> bool {
        let at = match (self.fragment, fu & 0x80 != 0) {
            (None, true) => {
                let at = self.open();
                self.picture.data.extend_from_slice(header);
                at
            }
            (Some(at), false) => at,
            // Its beginning, or the end of another unit, is missing.
            (None, false) | (Some(_), true) => return false,
        };
        self.make_room(body.len());
        self.picture.data.extend_from_slice(body);
        self.fragment = Some(at);
        if fu & 0x40 == 0 {
            return true;
        }
        self.fragment = None;
        self.close(at)
    }

    /// Reserves space for a NAL unit's length and returns its offset.
    fn open(&mut self) -> usize {
        let at = self.picture.data.len();
        self.picture.data.extend_from_slice(&[0; 4]);
        at
    }

    /// Ends the NAL unit, or the byte stream in its place, whose length is at `at`.
    fn close(&mut self, at: usize) -> bool {
        const START_CODE: &[u8] = &[0, 0, 1];
        let bytes = &self.picture.data[at + 4..];
        if memchr::memmem::find(bytes, START_CODE).is_none() {
            return self.end(at);
        }
        let stream = self.picture.data.split_off(at + 4);
        self.picture.data.truncate(at);
        let mut rest = &stream[..];
        loop {
            let end = memchr::memmem::find(rest, START_CODE);
            let unit = &rest[..end.unwrap_or(rest.len())];
            if unit.iter().any(|byte| *byte != 0) {
                let at = self.open();
                self.picture.data.extend_from_slice(unit);
                if !self.end(at) {
                    return false;
                }
            }
            let Some(end) = end else { return true };
            rest = &rest[end + START_CODE.len()..];
        }
    }

    /// Ends one NAL unit: writes its length, or moves it to the parameter sets. Returns `false` if it shows
    /// that the beginning of the picture is missing.
    fn end(&mut self, at: usize) -> bool {
        let data = &mut self.picture.data;
        // H.264 §7.4.1: "The last byte of the NAL unit shall not be equal to 0x00."
        while data.len() > at + 4 && data.last() == Some(&0) {
            data.pop();
        }
        let unit = &data[at + 4..];
        let Some(kind) = nal::kind(self.codec, unit) else {
            data.truncate(at);
            return true;
        };
        self.picture.units += 1;
        self.units = self.units.saturating_add(1);
        match (self.codec, kind) {
            (VideoCodec::H264, 7 | 8) | (VideoCodec::H265, 32..=34) => {
                if unit.len() <= SET_MAX {
                    self.picture.sets.push(unit.to_vec());
                }
                data.truncate(at);
                return true;
            }
            (VideoCodec::H264, 1..=5) | (VideoCodec::H265, 0..=31) => {
                if self.slices == Slices::None && self.lost > 0 && !is_first_slice(self.codec, unit) {
                    return false;
                }
                self.slices = Slices::Some;
            }
            _ => {}
        }
        let Ok(length) = u32::try_from(unit.len()) else { return false };
        data[at..at + 4].copy_from_slice(&length.to_be_bytes());
        true
    }
}

/// Returns whether a slice is the first of a picture: `first_mb_in_slice` is 0 (H.264 §7.3.3, one bit in
/// Exp-Golomb code), or `first_slice_segment_in_pic_flag` is set (H.265 §7.3.6.1).
fn is_first_slice(codec: VideoCodec, unit: &[u8]) -> bool {
    let header = match codec {
        VideoCodec::H264 => 1,
        VideoCodec::H265 => 2,
    };
    unit.get(header).is_some_and(|byte| byte & 0x80 != 0)
}

#[cfg(test)]
mod tests;
