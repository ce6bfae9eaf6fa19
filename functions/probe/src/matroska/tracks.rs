//! `Tracks`: the first video track that can be played, and the first audio track.

use crate::headers::Picture;
use crate::shown::Shown;
use crate::window::Rejection;
use framepost_events::record::{Audio, RejectReason};
use framepost_media::ebml::{children, float, unsigned};
use framepost_media::mpeg4::{self, Esds};
use framepost_media::rfc6381::{self, Coded};

/// A video track that can be played.
pub(super) struct VideoTrack {
    pub(super) picture: Picture,
    pub(super) frame_ns: Option<u64>,
}

/// The tracks found in `Tracks`.
#[derive(Default)]
pub(super) struct Tracks {
    pub(super) video: Option<VideoTrack>,
    pub(super) audio: Option<Audio>,
    /// Why a video track was refused.
    pub(super) refused: Option<Rejection>,
}

/// The fields of one `TrackEntry`, unchecked.
#[derive(Default)]
struct Entry<'a> {
    kind: u64,
    codec: &'a str,
    private: &'a [u8],
    frame_ns: Option<u64>,
    video: &'a [u8],
    audio: &'a [u8],
    encodings: &'a [u8],
}

impl Tracks {
    pub(super) fn read(body: &[u8]) -> Self {
        const VIDEO: u64 = 1;
        const AUDIO: u64 = 2;
        let mut tracks = Self::default();
        for (_, body) in children(body).filter(|(id, _)| *id == 0xae) {
            let entry = Entry::read(body);
            match entry.kind {
                VIDEO if tracks.video.is_none() => match entry.video_track() {
                    Ok(video) => tracks.video = Some(video),
                    Err(refused) => tracks.refused = tracks.refused.or(Some(refused)),
                },
                AUDIO if tracks.audio.is_none() => tracks.audio = Some(entry.audio_track()),
                _ => {}
            }
        }
        tracks
    }
}

impl<'a> Entry<'a> {
    fn read(body: &'a [u8]) -> Self {
        let mut entry = Self::default();
        for (id, body) in children(body) {
            match id {
                0x83 => entry.kind = unsigned(body).unwrap_or_default(),
                0x86 => entry.codec = std::str::from_utf8(body).unwrap_or_default().trim_end_matches('\0'),
                0x63a2 => entry.private = body,
                0x23_e383 => entry.frame_ns = unsigned(body).filter(|ns| *ns != 0),
                0xe0 => entry.video = body,
                0xe1 => entry.audio = body,
                0x6d80 => entry.encodings = body,
                _ => {}
            }
        }
        entry
    }

    fn encrypted(&self) -> bool {
        const ENCRYPTION: u32 = 0x5035;
        children(self.encodings)
            .filter(|(id, _)| *id == 0x6240)
            .any(|(_, encoding)| children(encoding).any(|(id, _)| id == ENCRYPTION))
    }

    fn video_track(&self) -> Result<VideoTrack, Rejection> {
        if self.encrypted() {
            return Err(Rejection::new(RejectReason::Encrypted, format!("{} with ContentEncryption", self.codec)));
        }
        let Coded { codec, mut channels } = self.video_codec()?;
        let field = |wanted| children(self.video).find(|(id, _)| *id == wanted).and_then(|(_, body)| unsigned(body));
        let pixels = |size, crop_a, crop_b| {
            let crop = |id| field(id).unwrap_or_default();
            let pixels = field(size)?.checked_sub(crop(crop_a))?.checked_sub(crop(crop_b))?;
            u32::try_from(pixels).ok().filter(|pixels| *pixels != 0)
        };
        let (Some(width), Some(height)) = (pixels(0xb0, 0x54cc, 0x54dd), pixels(0xba, 0x54aa, 0x54bb)) else {
            return Err(Rejection::malformed("a video track without a picture size"));
        };
        if field(0x53c0) == Some(1) {
            channels += 1;
        }
        Ok(VideoTrack {
            picture: Picture { codec, width, height, channels, shown: self.shown(width, height) },
            frame_ns: self.frame_ns,
        })
    }

    /// Returns how a player shows the picture. In a projection (RFC 9559 §5.1.4.1.28.41), the roll is
    /// counter-clockwise, and a yaw of half a turn mirrors.
    fn shown(&self, width: u32, height: u32) -> Shown {
        let find = |wanted| children(self.video).find(|(id, _)| *id == wanted).map(|(_, body)| body);
        let number = |wanted| find(wanted).and_then(unsigned).and_then(|value| u32::try_from(value).ok());
        let projection = find(0x7670).unwrap_or_default();
        let pose = |wanted| children(projection).find(|(id, _)| *id == wanted).and_then(|(_, body)| float(body));
        let turned = Shown::default().rotated(-pose(0x7675).unwrap_or(0.0));
        let mirrored = pose(0x7673).filter(|yaw| (yaw.abs() - 180.0).abs() < 0.5).map(|_| true);
        let shown = Shown { mirrored, ..turned };
        // The display size is in pixels or only a ratio. Both determine the pixel shape.
        match (number(0x54b2).unwrap_or(0), number(0x54b0), number(0x54ba)) {
            (0 | 3, Some(across), Some(down)) => {
                let shape = reduced(u64::from(across) * u64::from(height), u64::from(down) * u64::from(width));
                shape.map_or(shown, |(horizontal, vertical)| shown.with_pixels(horizontal, vertical))
            }
            _ => shown,
        }
    }

    fn video_codec(&self) -> Result<Coded, Rejection> {
        let coded = match self.codec {
            "V_MPEG4/ISO/AVC" => rfc6381::avc("avc1", self.private),
            "V_MPEGH/ISO/HEVC" => rfc6381::hevc("hvc1", self.private),
            "V_AV1" => rfc6381::av1(self.private),
            "V_VP8" => Some(Coded::colour("vp8")),
            "V_VP9" => Some(rfc6381::vp9_private(self.private)),
            "V_MPEG4/ISO/SP" | "V_MPEG4/ISO/ASP" | "V_MPEG4/ISO/AP" => Some(mpeg4::mpeg4_visual(Some(self.private))),
            "V_MJPEG" => Some(Coded::colour("mjpg")),
            _ => {
                let detail = format!("the codec is {:?}", self.codec.chars().take(64).collect::<String>());
                return Err(Rejection::new(RejectReason::UnsupportedCodec, detail));
            }
        };
        coded.ok_or_else(|| Rejection::malformed(format!("{} without a valid configuration", self.codec)))
    }

    fn audio_track(&self) -> Audio {
        let field = |wanted| children(self.audio).find(|(id, _)| *id == wanted).map(|(_, body)| body);
        let channels = field(0x9f).and_then(unsigned).unwrap_or(1);
        let rate = field(0xb5).and_then(float).unwrap_or(8000.0).round().clamp(0.0, f64::from(u32::MAX));
        // The value was limited to the range of the type.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let sample_rate = rate as u32;
        Audio { codec: self.audio_codec(), channels: channels.try_into().unwrap_or(0), sample_rate }
    }

    fn audio_codec(&self) -> String {
        match self.codec {
            "A_AAC" => {
                let esds = Esds { object_type: 0x40, specific: Some(self.private) };
                mpeg4::mpeg_audio(esds)
            }
            "A_OPUS" => "opus".to_owned(),
            "A_VORBIS" => "vorbis".to_owned(),
            "A_FLAC" => "flac".to_owned(),
            "A_AC3" => "ac-3".to_owned(),
            "A_EAC3" => "ec-3".to_owned(),
            "A_MPEG/L3" => "mp4a.6b".to_owned(),
            other => other.chars().take(64).collect(),
        }
    }
}

/// Reduces a fraction to lowest terms.
fn reduced(numerator: u64, denominator: u64) -> Option<(u32, u32)> {
    let mut a = numerator;
    let mut b = denominator;
    while b > 0 {
        (a, b) = (b, a % b);
    }
    Some((u32::try_from(numerator.checked_div(a)?).ok()?, u32::try_from(denominator / a).ok()?))
}
