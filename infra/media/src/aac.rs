//! AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).

use crate::be::u16_at;

/// The contents of an AudioSpecificConfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AacConfig {
    /// The codec string of RFC 6381, such as `mp4a.40.2`.
    pub rfc6381: String,
    /// Number of channels; 0 if the configuration leaves it to the stream.
    pub channels: u16,
    /// The audio object type: 2 is AAC-LC.
    pub object_type: u8,
    /// Samples per second in each channel.
    pub sample_rate: u32,
}

/// Returns the audio object type of an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1), or `None` if it
/// is shorter than two bytes.
pub fn object_type(config: &[u8]) -> Option<u8> {
    let bits = u16_at(config, 0)?;
    let short = bits >> 11;
    // 31 is an escape value for 32 plus the next six bits.
    let object_type = if short == 31 { 32 + (bits >> 5 & 0x3f) } else { short };
    u8::try_from(object_type).ok()
}

/// Reads an AudioSpecificConfig. Returns `None` if it is too short or its sampling frequency is reserved.
pub fn aac(config: &[u8]) -> Option<AacConfig> {
    const RATES: [u32; 13] =
        [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
    let mut bits = Bits { bytes: config, position: 0 };
    let object_type = object_type(config)?;
    bits.take(if object_type < 31 { 5 } else { 11 })?;
    let sample_rate = match bits.take(4)? {
        15 => bits.take(24)?,
        index => *RATES.get(usize::try_from(index).ok()?)?,
    };
    let channels = match bits.take(4)? {
        7 => 8,
        configuration @ 0..7 => u16::try_from(configuration).ok()?,
        _ => 0,
    };
    (sample_rate > 0 && object_type > 0).then(|| AacConfig {
        rfc6381: format!("mp4a.40.{object_type}"),
        object_type,
        channels,
        sample_rate,
    })
}

/// Returns the number of channels in an AudioSpecificConfig, if it has one. In MP4 sample entries it is
/// often 2 in any case.
pub fn channels(config: &[u8]) -> Option<u16> {
    const PARAMETRIC_STEREO: u8 = 29;
    let config = aac(config).filter(|config| config.object_type != PARAMETRIC_STEREO)?;
    Some(config.channels).filter(|channels| *channels > 0)
}

struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.position / 8)?;
            value = (value << 1) | u32::from((byte >> (7 - self.position % 8)) & 1);
            self.position += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn aac_is_read() {
        let facts = |config: &[u8]| aac(config).map(|c| (c.rfc6381, c.channels, c.sample_rate));
        assert_eq!(facts(&[0x11, 0x90]), Some(("mp4a.40.2".to_owned(), 2, 48_000)));
        assert_eq!(facts(&[0x12, 0x08]), Some(("mp4a.40.2".to_owned(), 1, 44_100)));
        assert_eq!(facts(&[0x2b, 0x92, 0x08, 0x00]), Some(("mp4a.40.5".to_owned(), 2, 22_050)));
        assert_eq!(facts(&[0x11]), None);
        assert_eq!(facts(&[]), None);
        assert_eq!(object_type(&[0xf9, 0x40]), Some(42));
        assert_eq!(channels(&[0x12, 0x10]), Some(2));
        assert_eq!(channels(&[0x11, 0x88]), Some(1));
        assert_eq!(channels(&[0xf9]), None);
        assert_eq!(channels(&[0xeb, 0x09]), None, "parametric stereo");
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let _ = (aac(&bytes), channels(&bytes));
        }
    }
}
