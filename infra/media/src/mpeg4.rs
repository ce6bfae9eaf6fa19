//! `esds` (ISO/IEC 14496-14), and the codec strings of MPEG-4 audio and visual.

use crate::aac;
use crate::be::u8_at;
use crate::rfc6381::Coded;

/// The decoder information in an elementary stream descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Esds<'a> {
    /// `objectTypeIndication`: 0x40 is MPEG-4 audio, 0x20 MPEG-4 visual.
    pub object_type: u8,
    /// The body of `DecoderSpecificInfo`, if there is one.
    pub specific: Option<&'a [u8]>,
}

impl<'a> Esds<'a> {
    /// Returns the AudioSpecificConfig if the codec is AAC: 0x40 is MPEG-4 audio; 0x66 to 0x68 are MPEG-2
    /// AAC, with the same frames.
    pub fn aac_config(self) -> Option<&'a [u8]> {
        self.specific.filter(|_| matches!(self.object_type, 0x40 | 0x66..=0x68))
    }

    /// Parses the body of `esds` after its version and flags: an ES_Descriptor (ISO/IEC 14496-1 §7.2.6.5), whose flags say
    /// which optional fields precede the DecoderConfigDescriptor (§7.2.6.6).
    pub fn parse(body: &'a [u8]) -> Option<Self> {
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

/// Returns tag and body of a descriptor, and what follows it. Its length has seven bits in each byte, and the highest bit says
/// that another byte follows (ISO/IEC 14496-1 §8.3.3).
fn descriptor(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let tag = u8_at(bytes, 0)?;
    let mut len = 0_usize;
    let mut at = 1;
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
pub fn mpeg_audio(esds: Esds<'_>) -> String {
    match (esds.object_type, esds.specific.and_then(aac::object_type)) {
        (0x40, Some(aac)) => format!("mp4a.40.{aac}"),
        (other, _) => format!("mp4a.{other:02x}"),
    }
}

/// Returns `mp4v.20.…` with the VisualObjectSequence's profile and level.
pub fn mpeg4_visual(specific: Option<&[u8]>) -> Coded {
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
        assert_eq!(mpeg4_visual(Some(&[0, 0, 1, 0xb0, 9])).codec, "mp4v.20.9");
    }
}
