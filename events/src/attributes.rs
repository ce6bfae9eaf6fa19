//! The metadata of an object: ONVIF's names, and additional ones of Framepost.
//!
//! Invariants: [`Attributes::to_metadata`] and [`Attributes::from_metadata`] are inverse to each other. All
//! entries together (names and values, UTF-8) stay below [`METADATA_LIMIT_BYTES`], which is S3's limit. Parsing
//! ignores the letter case of names (GCS returns them in lower case on a ranged read) and unknown entries.

use crate::activity::Activity;
use crate::{Error, Sha256};
use jiff::{SignedDuration, Timestamp};
use std::str::FromStr;

/// Most bytes of names and values in one object's metadata: S3's limit, the smallest of all clouds.
pub const METADATA_LIMIT_BYTES: usize = 2048;

/// The version of the recording format in ONVIF's `Version`.
pub const FORMAT_VERSION: &str = "1.0";

/// The source of a chunk's wall-clock times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClockSource {
    /// The gateway's own clock, reported as synchronised.
    Gateway,
    /// The gateway's own clock, not (yet) synchronised: the times may be far off.
    GatewayUnsynchronized,
    /// The camera's clock by RTCP sender reports, which the operator trusts.
    Camera,
    /// The file's own creation time.
    File,
    /// A start time given by the operator.
    Given,
}

/// The source of a chunk's times and their maximum error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClockInfo {
    /// The clock that the times come from.
    pub source: ClockSource,
    /// The camera's clock minus the clock that was used, in µs, by the last RTCP sender
    /// report; absent without a report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_us: Option<i64>,
    /// The estimated error in µs; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty_us: Option<u64>,
    /// Number of frames with implausible times, which were replaced by times derived from
    /// their arrival; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced: Option<u64>,
    /// The rate of the camera's media clock relative to the wall clock in ppm; absent if it was not corrected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_ppm: Option<u64>,
}

impl std::fmt::Display for ClockInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let source = match self.source {
            ClockSource::Gateway => "gateway",
            ClockSource::GatewayUnsynchronized => "gateway-unsynchronized",
            ClockSource::Camera => "camera",
            ClockSource::File => "file",
            ClockSource::Given => "given",
        };
        f.write_str(source)?;
        if let Some(offset) = self.offset_us {
            write!(f, "; offset={offset}us")?;
        }
        if let Some(uncertainty) = self.uncertainty_us {
            write!(f, "; uncertainty={uncertainty}us")?;
        }
        if let Some(replaced) = self.replaced {
            write!(f, "; replaced={replaced}")?;
        }
        if let Some(rate) = self.rate_ppm {
            write!(f, "; rate={rate}ppm")?;
        }
        Ok(())
    }
}

impl FromStr for ClockInfo {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::Attribute {
            name: "Clock",
            value: text.to_owned(),
            expected: "a clock source, then offset=…us, uncertainty=…us, replaced=… and rate=…ppm",
        };
        let mut parts = text.split(';').map(str::trim);
        let source = match parts.next() {
            Some("gateway") => ClockSource::Gateway,
            Some("gateway-unsynchronized") => ClockSource::GatewayUnsynchronized,
            Some("camera") => ClockSource::Camera,
            Some("file") => ClockSource::File,
            Some("given") => ClockSource::Given,
            _ => return Err(bad()),
        };
        let mut clock = Self { source, offset_us: None, uncertainty_us: None, replaced: None, rate_ppm: None };
        for part in parts {
            let (name, value) = part.split_once('=').ok_or_else(bad)?;
            let of = |unit| value.strip_suffix(unit).ok_or_else(bad);
            match name {
                "offset" => clock.offset_us = Some(of("us")?.parse().map_err(|_| bad())?),
                "uncertainty" => clock.uncertainty_us = Some(of("us")?.parse().map_err(|_| bad())?),
                "replaced" => clock.replaced = Some(value.parse().map_err(|_| bad())?),
                "rate" => clock.rate_ppm = Some(of("ppm")?.parse().map_err(|_| bad())?),
                _ => {}
            }
        }
        Ok(clock)
    }
}

/// The video track: ONVIF's `Video…` entries.
#[derive(Debug, Clone, PartialEq)]
pub struct VideoAttributes {
    /// `VideoWidth` in pixels, after cropping.
    pub width: u32,
    /// `VideoHeight` in pixels, after cropping.
    pub height: u32,
    /// `VideoFramerate` in frames per second.
    pub framerate: f64,
    /// `VideoBitrate` in kilobits per second over this chunk.
    pub bitrate_kbps: u64,
}

/// The audio track: ONVIF's `Audio…` entries.
#[derive(Debug, Clone, PartialEq)]
pub struct AudioAttributes {
    /// `AudioChannels`, an entry of Framepost; ONVIF has none.
    pub channels: u16,
    /// `AudioSampleRate` in whole kHz, as in ONVIF; the file has the exact value.
    pub sample_rate_khz: u32,
    /// `AudioBitrate` in kilobits per second over this chunk.
    pub bitrate_kbps: u64,
}

/// How a chunk starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChunkStart {
    /// With a random access frame: the chunk plays on its own.
    #[default]
    RandomAccess,
    /// With a frame between two random access frames, because the camera sent none for longer than the longest
    /// chunk, or recording began there. A player needs the chunk before it, if there is one, or begins at the
    /// first random access frame in the chunk.
    Between,
}

/// The metadata of an object of Framepost: chunk, span end or gap.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes {
    /// `Source`: the camera's stream, without credentials.
    pub source: Option<String>,
    /// `From`: wall-clock time of the first sample.
    pub from: Option<Timestamp>,
    /// `To`: wall-clock time of the end of the last sample.
    pub to: Option<Timestamp>,
    /// `Duration`: the media's own duration, which may differ from that of a slewed wall clock.
    pub duration: Option<SignedDuration>,
    /// `FullContentType`: media type with the `codecs` parameter of RFC 6381.
    pub full_content_type: Option<String>,
    /// The `Video…` entries; `None` without a video track.
    pub video: Option<VideoAttributes>,
    /// The `Audio…` entries; `None` without an audio track.
    pub audio: Option<AudioAttributes>,
    /// `Timescale`: units per second of the movie and of every track.
    pub timescale: Option<u32>,
    /// `MediaEnd`: the offset behind the last fragment, where the file's own `mfra` begins.
    pub media_end: Option<u64>,
    /// `Activity`: how much happens; absent where it is not known, or means nothing.
    pub activity: Option<Activity>,
    /// `SeekTable`: an `mfra` with at most 20 entries.
    pub seek_table: Option<Vec<u8>>,
    /// `StartsWithRandomAccess`: `false` for [`ChunkStart::Between`], otherwise omitted.
    pub start: ChunkStart,
    /// `Clock`: the source of the times and their error.
    pub clock: Option<ClockInfo>,
    /// `Sha256` of the object's bytes.
    pub sha256: Option<Sha256>,
    /// `Previous`: the digest of the manifest before this one in the span; absent on the first.
    pub previous: Option<Sha256>,
    /// `KeyId`: identifies the public key that verifies `Signature`.
    pub key_id: Option<String>,
    /// `Signature`: Ed25519 over the manifest's canonical text.
    pub signature: Option<[u8; 64]>,
}

/// One object's metadata. Names are in the letter case in which they are written.
pub type Metadata = Vec<(String, String)>;

/// Returns the size of names and values together, as the clouds count it.
pub fn metadata_bytes(metadata: &[(String, String)]) -> usize {
    metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
}

impl Attributes {
    /// Formats the metadata for the object's put.
    ///
    /// Fails with [`Error::MetadataTooLarge`] if it is too large and with [`Error::Attribute`] if a text cannot
    /// be sent in a header (it has characters other than visible ASCII and space).
    pub fn to_metadata(&self) -> Result<Metadata, Error> {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let mut metadata: Metadata = vec![("Version".to_owned(), FORMAT_VERSION.to_owned())];
        let mut entry = |name: &'static str, value: Option<String>| -> Result<(), Error> {
            let Some(value) = value else { return Ok(()) };
            if !value.bytes().all(|b| (0x20..0x7f).contains(&b)) {
                return Err(Error::Attribute { name, value, expected: "visible ASCII" });
            }
            metadata.push((name.to_owned(), value));
            Ok(())
        };
        let video = self.video.as_ref();
        let audio = self.audio.as_ref();
        entry("Source", self.source.clone())?;
        entry("From", self.from.map(rfc3339_micros))?;
        entry("To", self.to.map(rfc3339_micros))?;
        entry("Duration", self.duration.map(|duration| duration.to_string()))?;
        entry("FullContentType", self.full_content_type.clone())?;
        entry("VideoWidth", video.map(|v| v.width.to_string()))?;
        entry("VideoHeight", video.map(|v| v.height.to_string()))?;
        entry("VideoFramerate", video.map(|v| v.framerate.to_string()))?;
        entry("VideoBitrate", video.map(|v| v.bitrate_kbps.to_string()))?;
        entry("AudioChannels", audio.map(|a| a.channels.to_string()))?;
        entry("AudioSampleRate", audio.map(|a| a.sample_rate_khz.to_string()))?;
        entry("AudioBitrate", audio.map(|a| a.bitrate_kbps.to_string()))?;
        entry("Timescale", self.timescale.map(|t| t.to_string()))?;
        entry("MediaEnd", self.media_end.map(|end| end.to_string()))?;
        entry("Activity", self.activity.map(|activity| activity.to_string()))?;
        entry("SeekTable", self.seek_table.as_ref().map(|t| BASE64_STANDARD.encode(t)))?;
        entry("StartsWithRandomAccess", (self.start == ChunkStart::Between).then(|| "false".to_owned()))?;
        entry("Clock", self.clock.map(|c| c.to_string()))?;
        entry("Sha256", self.sha256.map(|d| d.to_string()))?;
        entry("Previous", self.previous.map(|d| d.to_string()))?;
        entry("KeyId", self.key_id.clone())?;
        entry("Signature", self.signature.map(|s| BASE64_STANDARD.encode(s)))?;
        let bytes = metadata_bytes(&metadata);
        if bytes > METADATA_LIMIT_BYTES {
            return Err(Error::MetadataTooLarge { bytes, limit: METADATA_LIMIT_BYTES });
        }
        Ok(metadata)
    }

    /// Parses an object's metadata, with names in any order and letter case.
    pub fn from_metadata<'a, I>(metadata: I) -> Result<Self, Error>
    where
        I: IntoIterator<Item = (&'a str, &'a str)>,
    {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let mut a = Self::default();
        let mut width = None;
        let mut height = None;
        let mut framerate = None;
        let mut video_bitrate = None;
        let mut channels = None;
        let mut sample_rate_khz = None;
        let mut audio_bitrate = None;
        for (name, value) in metadata {
            match name.to_ascii_lowercase().as_str() {
                "source" => a.source = Some(value.to_owned()),
                "from" => a.from = Some(parsed("From", value, "an RFC 3339 time")?),
                "to" => a.to = Some(parsed("To", value, "an RFC 3339 time")?),
                "duration" => a.duration = Some(parsed("Duration", value, "an ISO 8601 duration such as PT3.003S")?),
                "fullcontenttype" => a.full_content_type = Some(value.to_owned()),
                "videowidth" => width = Some(parsed("VideoWidth", value, "a number of pixels")?),
                "videoheight" => height = Some(parsed("VideoHeight", value, "a number of pixels")?),
                "videoframerate" => {
                    let expected = "frames a second";
                    let rate: f64 = parsed("VideoFramerate", value, expected)?;
                    // `NaN` and `inf` can be parsed, but a record cannot represent them.
                    if !rate.is_finite() || rate.is_sign_negative() {
                        return Err(bad("VideoFramerate", value, expected));
                    }
                    framerate = Some(rate);
                }
                "videobitrate" => video_bitrate = Some(parsed("VideoBitrate", value, "kilobits a second")?),
                "audiochannels" => channels = Some(parsed("AudioChannels", value, "a number of channels")?),
                "audiosamplerate" => sample_rate_khz = Some(parsed("AudioSampleRate", value, "kHz")?),
                "audiobitrate" => audio_bitrate = Some(parsed("AudioBitrate", value, "kilobits a second")?),
                "timescale" => a.timescale = Some(parsed("Timescale", value, "units a second")?),
                "mediaend" => a.media_end = Some(parsed("MediaEnd", value, "an offset")?),
                "activity" => a.activity = Some(value.parse()?),
                "seektable" => {
                    let table = BASE64_STANDARD.decode(value).map_err(|_| bad("SeekTable", value, "base64"))?;
                    a.seek_table = Some(table);
                }
                "startswithrandomaccess" => {
                    let on_its_own = parsed("StartsWithRandomAccess", value, "true or false")?;
                    a.start = if on_its_own { ChunkStart::RandomAccess } else { ChunkStart::Between };
                }
                "clock" => a.clock = Some(value.parse()?),
                "sha256" => a.sha256 = Some(value.parse()?),
                "previous" => a.previous = Some(value.parse()?),
                "keyid" => a.key_id = Some(value.to_owned()),
                "signature" => {
                    let expected = "64 bytes as base64";
                    let bytes = BASE64_STANDARD.decode(value).map_err(|_| bad("Signature", value, expected))?;
                    a.signature = Some(bytes.try_into().map_err(|_| bad("Signature", value, expected))?);
                }
                _ => {}
            }
        }
        if let (Some(width), Some(height)) = (width, height) {
            let framerate = framerate.unwrap_or(0.0);
            let bitrate_kbps = video_bitrate.unwrap_or(0);
            a.video = Some(VideoAttributes { width, height, framerate, bitrate_kbps });
        }
        if let (Some(channels), Some(sample_rate_khz)) = (channels, sample_rate_khz) {
            let bitrate_kbps = audio_bitrate.unwrap_or(0);
            a.audio = Some(AudioAttributes { channels, sample_rate_khz, bitrate_kbps });
        }
        Ok(a)
    }
}

/// Formats a time as RFC 3339 in UTC with six fraction digits, the only form that Framepost writes.
pub fn rfc3339_micros(time: Timestamp) -> String {
    format!("{time:.6}")
}

fn bad(name: &'static str, value: &str, expected: &'static str) -> Error {
    Error::Attribute { name, value: value.to_owned(), expected }
}

fn parsed<T: FromStr>(name: &'static str, value: &str, expected: &'static str) -> Result<T, Error> {
    value.parse().map_err(|_| bad(name, value, expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option::of;
    use proptest::prelude::*;

    fn full() -> Attributes {
        Attributes {
            source: Some("rtsp://10.0.0.7:554/stream1".to_owned()),
            from: Some("2026-11-20T15:08:23.547Z".parse().unwrap()),
            to: Some("2026-11-20T15:08:26.55Z".parse().unwrap()),
            duration: Some(SignedDuration::from_millis(3003)),
            full_content_type: Some("video/mp4; codecs=\"hvc1.1.6.L120.90,mp4a.40.2\"".to_owned()),
            video: Some(VideoAttributes { width: 3840, height: 2160, framerate: 29.97, bitrate_kbps: 8_000 }),
            audio: Some(AudioAttributes { channels: 2, sample_rate_khz: 48, bitrate_kbps: 128 }),
            timescale: Some(90_000),
            media_end: Some(123_456_789),
            activity: Some(Activity { level: 12.34, quiet_bytes_per_second: 1_234_567, level_before: Some(10.01) }),
            seek_table: Some(vec![7; 8 + 24 + 20 * 19 + 16]),
            start: ChunkStart::Between,
            clock: Some(ClockInfo {
                source: ClockSource::GatewayUnsynchronized,
                offset_us: Some(-1_204),
                uncertainty_us: Some(900),
                replaced: Some(12),
                rate_ppm: Some(840_000),
            }),
            sha256: Some(Sha256::of(b"chunk")),
            previous: Some(Sha256::of(b"manifest")),
            key_id: Some("0123456789abcdef".to_owned()),
            signature: Some([9; 64]),
        }
    }

    #[test]
    fn the_fullest_metadata_fits_and_comes_back() {
        let attributes = full();
        let metadata = attributes.to_metadata().unwrap();
        assert!(metadata.contains(&("Duration".to_owned(), "PT3.003S".to_owned())));
        assert!(metadata.contains(&("From".to_owned(), "2026-11-20T15:08:23.547000Z".to_owned())));
        let clock = "gateway-unsynchronized; offset=-1204us; uncertainty=900us; replaced=12; rate=840000ppm";
        assert!(metadata.contains(&("Clock".to_owned(), clock.to_owned())));
        let lower: Vec<(String, String)> =
            metadata.into_iter().rev().map(|(name, value)| (name.to_lowercase(), value)).collect();
        let read = Attributes::from_metadata(lower.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
        assert_eq!(read, attributes);
    }

    #[test]
    fn too_much_is_refused() {
        let attributes = Attributes { source: Some("x".repeat(METADATA_LIMIT_BYTES)), ..full() };
        assert!(matches!(attributes.to_metadata(), Err(Error::MetadataTooLarge { .. })));
        let attributes = Attributes { source: Some("a\r\nb".to_owned()), ..full() };
        assert!(matches!(attributes.to_metadata(), Err(Error::Attribute { name: "Source", .. })));
    }

    #[test]
    fn broken_entries_are_named() {
        for (name, value) in [
            ("From", "yesterday"),
            ("Duration", "3s later"),
            ("Sha256", "abc"),
            ("Signature", "AAAA"),
            ("Clock", "sundial"),
            ("Clock", "gateway; offset=3"),
            ("Clock", "gateway; replaced=some"),
            ("videowidth", "-1"),
            ("VideoFramerate", "NaN"),
            ("StartsWithRandomAccess", "perhaps"),
            ("VideoFramerate", "-25"),
            ("MediaEnd", "-1"),
            ("Activity", "some"),
            ("Activity", "NaN; quiet=1B/s"),
            ("Activity", "1.5; quiet=-1B/s"),
            ("Activity", "1.5; before=1"),
            ("Activity", "1.5; quiet=1B/s; before=-1"),
            ("Activity", "1.5; quiet=1B/s; before=inf"),
        ] {
            let error = Attributes::from_metadata([(name, value)]).unwrap_err().to_string();
            assert!(error.to_lowercase().contains(&name.to_lowercase()), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            from in of(0_i64..4_000_000_000_000_000),
            millis in of(0_i64..100_000_000),
            offset in of(any::<i64>()),
            framerate in 0.0_f64..1000.0,
            table in of(proptest::collection::vec(any::<u8>(), 0..300)),
            between in any::<bool>(),
            media_end in of(any::<u64>()),
            activity in of((0.0_f64..1e6, any::<u64>(), of(0.0_f64..1e6))),
        ) {
            let attributes = Attributes {
                from: from.map(|us| Timestamp::from_microsecond(us).unwrap()),
                duration: millis.map(SignedDuration::from_millis),
                clock: Some(ClockInfo {
                    source: ClockSource::Camera,
                    offset_us: offset,
                    uncertainty_us: None,
                    replaced: millis.and_then(|millis| u64::try_from(millis).ok()),
                    rate_ppm: None,
                }),
                video: Some(VideoAttributes { width: 1, height: 2, framerate, bitrate_kbps: 3 }),
                seek_table: table,
                media_end,
                activity: activity.map(|(level, quiet_bytes_per_second, level_before)| Activity {
                    level,
                    quiet_bytes_per_second,
                    level_before,
                }),
                start: if between { ChunkStart::Between } else { ChunkStart::RandomAccess },
                ..Attributes::default()
            };
            let metadata = attributes.to_metadata().unwrap();
            let read = Attributes::from_metadata(metadata.iter().map(|(n, v)| (n.as_str(), v.as_str()))).unwrap();
            prop_assert_eq!(read, attributes);
        }
    }
}
