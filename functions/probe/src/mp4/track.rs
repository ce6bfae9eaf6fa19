//! One `trak`: its kind, and the contents of a video or audio track.

use super::Times;
use super::boxes::BoxAt;
use super::sample_entry;
use crate::headers::Picture;
use crate::window::{Rejection, Stop, Window};
use framepost_events::record::{Audio, RejectReason};
use framepost_media::be::{array, u16_at, u32_at};
use framepost_media::matrix::DisplayMatrix;

/// A video track that can be played.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct VideoTrack {
    pub(super) id: u32,
    pub(super) timescale: u32,
    pub(super) duration_units: Option<u64>,
    pub(super) picture: Picture,
    pub(super) frame_rate: Option<f64>,
    /// Number of frames, as far as `stts` is known.
    pub(super) frames_in_moov: u64,
    /// How `tkhd` turns the picture.
    pub(super) matrix: DisplayMatrix,
    /// Where its sample descriptions lie: `stsd` (ISO/IEC 14496-12 §8.5.2).
    pub(super) stsd: BoxAt,
    /// Whether the first of the frames in `moov` is a sync sample, if the table of these is known.
    pub(super) first_is_sync: Option<bool>,
}

/// The kind of a track.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trak {
    Video(VideoTrack),
    /// Also has the track's `stsd`.
    Audio(Audio, BoxAt),
    /// A video track that cannot be played.
    Refused(Rejection),
    /// A track of another or an unknown kind.
    Other,
}

/// The boxes that describe a track.
#[derive(Default)]
struct Parts {
    id: u32,
    /// Width and height in `tkhd`, in whole pixels.
    presented: (u32, u32),
    matrix: DisplayMatrix,
    times: Option<Times>,
    handler: Option<[u8; 4]>,
    stsd: Option<BoxAt>,
    /// Duration and number of samples, as far as `stts` is known.
    shown: Option<(u64, u64)>,
    first_is_sync: Option<bool>,
}

/// Parses a `trak` box.
pub(super) fn read(window: &Window, trak: BoxAt) -> Result<Trak, Stop> {
    let mut parts = Parts::default();
    let mut boxes = trak.children(window, 0);
    while !parts.complete() {
        let Some(next) = boxes.next()? else { break };
        match &next.kind {
            b"tkhd" => parts.read_header(window, next)?,
            b"mdia" => parts.read_media(window, next)?,
            _ => {}
        }
    }
    match parts.handler.as_ref() {
        Some(b"vide") => parts.video(window, trak),
        Some(b"soun") => parts.audio(window),
        _ => Ok(Trak::Other),
    }
}

impl Parts {
    fn complete(&self) -> bool {
        self.id != 0 && self.times.is_some() && self.handler.is_some() && self.stsd.is_some()
    }

    /// `tkhd` (ISO/IEC 14496-12 §8.3.2): the track's id, the matrix, and right behind it width and height as 16.16 numbers.
    fn read_header(&mut self, window: &Window, tkhd: BoxAt) -> Result<(), Stop> {
        let body = tkhd.bytes(window)?;
        let (id_at, size_at) = if body.first() == Some(&0) { (12, 76) } else { (20, 88) };
        self.id = u32_at(body, id_at).ok_or_else(|| tkhd.malformed("too short"))?;
        self.matrix = matrix_at(body, size_at - 36);
        let pixels = |at| u16_at(body, at).map_or(0, u32::from);
        self.presented = (pixels(size_at), pixels(size_at + 4));
        Ok(())
    }

    fn read_media(&mut self, window: &Window, mdia: BoxAt) -> Result<(), Stop> {
        let mut boxes = mdia.children(window, 0);
        while self.times.is_none() || self.handler.is_none() || self.stsd.is_none() {
            let Some(next) = boxes.next()? else { break };
            match &next.kind {
                b"mdhd" => self.times = Some(Times::read(window, next)?),
                b"hdlr" => {
                    let body = next.prefix(window, 12)?;
                    self.handler = array(body, 8);
                }
                b"minf" => self.read_information(window, next)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_information(&mut self, window: &Window, minf: BoxAt) -> Result<(), Stop> {
        let mut boxes = minf.children(window, 0);
        while let Some(next) = boxes.next()? {
            if &next.kind == b"stbl" {
                return self.read_table(window, next);
            }
        }
        Ok(())
    }

    /// `stsd` is required. `stts` follows it in every file seen so far, and is used if
    /// its bytes are known already.
    fn read_table(&mut self, window: &Window, stbl: BoxAt) -> Result<(), Stop> {
        let mut boxes = stbl.children(window, 0);
        while self.stsd.is_none() {
            let Some(next) = boxes.next()? else { return Ok(()) };
            match &next.kind {
                b"stsd" => self.stsd = Some(next),
                b"stts" => self.shown = shown(window, next),
                _ => {}
            }
        }
        loop {
            match boxes.next() {
                Ok(Some(next)) => match &next.kind {
                    b"stts" if self.shown.is_none() => self.shown = shown(window, next),
                    b"stss" => self.first_is_sync = first_is_sync(window, next),
                    _ => {}
                },
                // 8.6.2.1: without the table every sample is a sync sample.
                Ok(None) => {
                    self.first_is_sync.get_or_insert(true);
                    break;
                }
                Err(_) => break,
            }
            if self.first_is_sync.is_some() && self.shown.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn video(self, window: &Window, trak: BoxAt) -> Result<Trak, Stop> {
        let Some(stsd) = self.stsd else { return Err(trak.malformed("video without sample descriptions")) };
        let Some(times) = self.times else { return Err(trak.malformed("video without mdhd")) };
        let mut picture = match sample_entry::video(window, stsd)? {
            Ok(picture) => picture,
            Err(refused) => return Ok(Trak::Refused(refused)),
        };
        if picture.width == 0 || picture.height == 0 {
            (picture.width, picture.height) = self.presented;
        }
        if picture.width == 0 || picture.height == 0 {
            return Ok(Trak::Refused(Rejection::new(RejectReason::Malformed, "a video track without a picture size")));
        }
        let (units, frames) = self.shown.unwrap_or_default();
        let frame_rate = (units > 0 && frames > 0).then(|| frames as f64 * f64::from(times.timescale) / units as f64);
        Ok(Trak::Video(VideoTrack {
            id: self.id,
            timescale: times.timescale,
            duration_units: times.duration_units,
            picture,
            frame_rate,
            frames_in_moov: frames,
            matrix: self.matrix,
            stsd,
            first_is_sync: self.first_is_sync.filter(|_| frames > 0),
        }))
    }

    fn audio(self, window: &Window) -> Result<Trak, Stop> {
        let Some(stsd) = self.stsd else { return Ok(Trak::Other) };
        let Some(mut audio) = sample_entry::audio(window, stsd)? else { return Ok(Trak::Other) };
        // The sample entry has 16 bits for the rate. For higher rates, writers store 0.
        if audio.sample_rate == 0 {
            audio.sample_rate = self.times.map_or(0, |times| times.timescale);
        }
        Ok(Trak::Audio(audio, stsd))
    }
}

/// The display matrix at `at`; one that turns nothing where it is cut short.
pub(super) fn matrix_at(body: &[u8], at: usize) -> DisplayMatrix {
    body.get(at..).and_then(DisplayMatrix::read).unwrap_or_default()
}

/// Whether the first sample is in the sync sample table (8.6.2), whose numbers grow.
fn first_is_sync(window: &Window, stss: BoxAt) -> Option<bool> {
    let body = window.visible(stss.body, stss.end);
    match u32_at(body, 4)? {
        0 => Some(false),
        _ => Some(u32_at(body, 8)? == 1),
    }
}

/// Returns duration and number of samples in the known rows of `stts` (ISO/IEC 14496-12 §8.6.1.2).
fn shown(window: &Window, stts: BoxAt) -> Option<(u64, u64)> {
    let body = window.visible(stts.body, stts.end);
    let lines = usize::try_from(u32_at(body, 4)?).ok()?;
    let known = body.get(8..)?.chunks_exact(8).take(lines);
    let (units, samples) = known.fold((0_i64, 0_u64), |(units, samples), line| {
        let count = u32_at(line, 0).unwrap_or_default();
        // The deltas are unsigned, but a writer whose times went back stores negative ones.
        let delta = i64::from(u32_at(line, 4).unwrap_or_default().cast_signed());
        (units.saturating_add(delta.saturating_mul(count.into())), samples.saturating_add(count.into()))
    });
    Some((u64::try_from(units).unwrap_or_default(), samples))
}
