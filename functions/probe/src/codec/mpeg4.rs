//! `esds` (ISO/IEC 14496-14), and the codec strings of MPEG-4 audio and visual.

use super::Coded;
use crate::be::{u8_at, u16_at};

/// The decoder information in an elementary stream descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Esds<'a> {
    /// The field `objectTypeIndication`.
    pub(crate) object_type: u8,
    /// The contents of `DecoderSpecificInfo`.
    pub(crate) specific: Option<&'a [u8]>,
}

impl<'a> Esds<'a> {
    /// Parses the body of `esds` after its version and flags.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let (3, stream, _) = descriptor(body)? else { return None };
        let flags = u8_at(stream, 2)?;
        let mut at = 3;
        if flags & 0x80 != 0 {
            at += 2;
        }
        if flags & 0x40 != 0 {
            at += 1 + usize::from(u8_at(stream, at)?);
        }
        if flags & 0x20 != 0 {
            at += 2;
        }
        let mut rest = stream.get(at..)?;
        loop {
            let (tag, decoder, after) = descriptor(rest)?;
            if tag == 4 {
                let object_type = u8_at(decoder, 0)?;
                let specific = decoder.get(13..).and_then(descriptor).filter(|(tag, ..)| *tag == 5);
                return Some(Self { object_type, specific: specific.map(|(_, body, _)| body) });
            }
            rest = after;
        }
    }
}

/// Returns tag and body of a descriptor, and what follows it.
fn descriptor(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let tag = u8_at(bytes, 0)?;
    let (mut len, mut at) = (0_usize, 1);
    loop {
        let byte = u8_at(bytes, at)?;
        len = len << 7 | usize::from(byte & 0x7f);
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
        if at > 4 {
            return None;
        }
    }
    // Some writers store a length that is too large. The bytes that exist are sufficient.
    let end = (at + len).min(bytes.len());
    Some((tag, &bytes[at..end], &bytes[end..]))
}

/// Returns `mp4a.…` according to the object type.
pub(crate) fn mpeg_audio(esds: Esds<'_>) -> String {
    match (esds.object_type, esds.specific.and_then(aac_object_type)) {
        (0x40, Some(aac)) => format!("mp4a.40.{aac}"),
        (other, _) => format!("mp4a.{other:02x}"),
    }
}

/// Returns the audio object type of an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
fn aac_object_type(config: &[u8]) -> Option<u8> {
    let bits = u16_at(config, 0)?;
    let short = bits >> 11;
    // 31 is an escape value for 32 plus the next six bits.
    let object_type = if short == 31 { 32 + (bits >> 5 & 0x3f) } else { short };
    u8::try_from(object_type).ok()
}

/// Returns the number of channels in an AudioSpecificConfig, if it has one. In MP4 sample entries it is
/// often 2 in any case.
pub(crate) fn aac_channels(config: &[u8]) -> Option<u16> {
    const EXPLICIT_FREQUENCY: u64 = 15;
    const PARAMETRIC_STEREO: u8 = 29;
    let object_type = aac_object_type(config)?;
    let mut head = [0; 8];
    let known = config.len().min(8);
    head[..known].copy_from_slice(&config[..known]);
    let bits = |at: u32, len: u32| u64::from_be_bytes(head) << at >> (64 - len);
    let frequency_at = if object_type < 31 { 5 } else { 11 };
    let explicit = bits(frequency_at, 4) == EXPLICIT_FREQUENCY;
    let channels_at = frequency_at + if explicit { 28 } else { 4 };
    match bits(channels_at, 4) {
        _ if object_type == PARAMETRIC_STEREO => None,
        channels @ 1..=6 => u16::try_from(channels).ok(),
        7 => Some(8),
        _ => None,
    }
}

/// Returns `mp4v.20.…` with the VisualObjectSequence's profile and level.
pub(crate) fn mpeg4_visual(specific: Option<&[u8]>) -> Coded {
    const SEQUENCE_START: [u8; 4] = [0, 0, 1, 0xb0];
    let profile = specific.and_then(|bytes| {
        let at = bytes.windows(4).position(|code| code == SEQUENCE_START)?;
        u8_at(bytes, at + 4)
    });
    Coded::colour(profile.map_or_else(|| "mp4v.20".to_owned(), |profile| format!("mp4v.20.{profile}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_encoders_write() {
        // Written by ffmpeg, with lengths of four bytes.
        let esds = [
            3, 0x80, 0x80, 0x80, 0x25, 0, 1, 0, 4, 0x80, 0x80, 0x80, 0x17, 0x40, 0x15, 0, 0, 0, 0, 1, 0xf4, 0, 0, 1,
            0xf4, 0, 5, 0x80, 0x80, 0x80, 5, 0x12, 0x10, 0x56, 0xe5, 0, 6, 0x80, 0x80, 0x80, 1, 2,
        ];
        let parsed = Esds::parse(&esds).unwrap();
        assert_eq!(mpeg_audio(parsed), "mp4a.40.2");
        for cut in 0..esds.len() {
            let _ = Esds::parse(&esds[..cut]);
        }
        assert_eq!(mpeg_audio(Esds { object_type: 0x6b, specific: None }), "mp4a.6b");
        assert_eq!(aac_object_type(&[0xf9, 0x40]), Some(42));
        assert_eq!(aac_channels(&[0x12, 0x10]), Some(2));
        assert_eq!(aac_channels(&[0x11, 0x88]), Some(1));
        assert_eq!(aac_channels(&[0xf9]), None);
        assert_eq!(mpeg4_visual(Some(&[0, 0, 1, 0xb0, 9])).codec, "mp4v.20.9");
    }
}
