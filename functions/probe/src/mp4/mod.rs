//! MP4 and fragmented MP4 (ISO/IEC 14496-12).
//!
//! The parser goes from box header to box header and reads only the bodies that it needs: `mvhd`, `mehd`,
//! `trex` and, for each track, `tkhd`, `mdhd`, `hdlr`, the sample entry with its decoder configuration, and the
//! first rows of `stts`. It skips the tables that make the `moov` of a long recording megabytes large. An hour
//! therefore costs the same three requests as a second: the head, the `moov` (or the next track in it), the
//! audio track. A `moov` at the end of a file is found by the sizes of the boxes before it.
//!
//! General MP4 parsers are not suitable, because they need the whole `moov`. `mp4parse` reads it to the end,
//! fails on HEVC's sample entry and allocates by counts in the file; `mp4-atom` decodes whole tables. This
//! parser handles complete and partial `moov` boxes with the same code, allocates nothing by values in the
//! file, and never recurses. The tests compare it with `ffprobe` and `mp4parse`.
//!
//! The duration of a fragmented file comes from the first of these that exists: `mehd`; the object's metadata;
//! a `sidx` that covers the file; the end of the video's last fragment, found from the file's end (`mfra`, or
//! the last `moof` there), minus the start of its first. If that exceeds the budget, the duration is unknown.
//!
//! Playlists also need to know where the initialization segment and the media end, the timescale, a digest of the sample
//! entries, and whether the first frame is a sync sample. These come from bytes that were read anyway; for chunks of our
//! own the metadata has what the head lacks.

mod boxes;
mod fragment;
mod sample_entry;
mod track;

use crate::headers::{DurationSearch, Headers, Layout, Media, Picture};
use crate::window::{Need, Rejection, Stop, Window};
use boxes::{BoxAt, Boxes};
use fragment::Defaults;
use framepost_events::record::{Audio, Container, RejectReason};
use framepost_events::{Sha256, Sha256Hasher};
use framepost_media::be::{u32_at, u64_at};
use framepost_media::matrix::DisplayMatrix;
use jiff::Timestamp;
use track::{Trak, VideoTrack, matrix_at};

/// The contents of a `moov`.
#[derive(Default)]
struct Movie {
    timescale: u32,
    /// The duration in `mvhd`, in the movie's timescale.
    duration_units: Option<u64>,
    created: Option<Timestamp>,
    /// How `mvhd` turns all of its tracks.
    matrix: DisplayMatrix,
    /// There is an `mvex`: samples lie in fragments.
    fragmented: bool,
    /// The duration in `mehd`, in the movie's timescale.
    fragments_units: Option<u64>,
    /// The defaults of each `trex`.
    defaults: Vec<Defaults>,
    video: Option<VideoTrack>,
    audio: Option<Audio>,
    /// The `stsd` of the audio track.
    audio_stsd: Option<BoxAt>,
    /// Why a video track was refused; the result if none can be used.
    refused: Option<Rejection>,
}

/// Parses the known bytes once.
pub(crate) fn scan(window: &Window, duration: DurationSearch) -> Result<Headers, Stop> {
    let moov = find_moov(window)?;
    let mut movie = Movie::default();
    let mut need = match movie.read(window, moov) {
        Ok(()) => None,
        Err(Stop::Need(need)) => Some(need),
        Err(stop) => return Err(stop),
    };
    let Some(video) = &movie.video else {
        return match (need, movie.refused) {
            (Some(need), _) => Err(Stop::Need(need)),
            (None, Some(refused)) => Err(refused.into()),
            (None, None) => Ok(Headers { media: None, need: None }),
        };
    };
    // Both tracks are known with their samples. The rest of the box is not worth a request.
    if movie.audio.is_some() && video.frames_in_moov > 0 {
        need = None;
    }
    let mut media = Media {
        container: if movie.fragmented { Container::Fmp4 } else { Container::Mp4 },
        picture: Picture { shown: video.picture.shown.turned(video.matrix, movie.matrix), ..video.picture.clone() },
        frame_rate: video.frame_rate,
        audio: movie.audio.clone(),
        seconds: None,
        created: movie.created,
        layout: Layout {
            timescale: Some(video.timescale),
            sample_entry_digest: movie.sample_entry_digest(window, video),
            starts_with_random_access: video.first_is_sync,
            ..Layout::default()
        },
    };
    if movie.fragmented {
        let first = fragment::first(window, moov.end, video, &movie.defaults);
        // For a fragmented file, `stts` covers at most the first fragment.
        media.frame_rate = first.and_then(|fragment| fragment.frame_rate(video.timescale)).or(media.frame_rate);
        if video.frames_in_moov == 0 {
            media.layout.starts_with_random_access = first.and_then(|fragment| fragment.first_is_sync);
        }
        media.layout.init_bytes = Some(moov.end).filter(|end| *end <= window.size());
        media.seconds = movie.fragments_units.and_then(|units| seconds(units, movie.timescale));
        if media.seconds.is_none() && duration == DurationSearch::Wanted && need.is_none() {
            match fragment::seconds(window, moov.end, video, &movie.defaults, first) {
                Ok(seconds) => media.seconds = seconds,
                Err(Stop::Need(missing)) => need = Some(missing),
                // The end of a playable file may be truncated.
                Err(Stop::Reject(_)) => {}
            }
        }
        media.layout.media_end = fragment::media_end(window, moov.end);
    } else {
        let whole = movie.duration_units.and_then(|units| seconds(units, movie.timescale));
        media.seconds = whole.or_else(|| seconds(video.duration_units?, video.timescale));
    }
    Ok(Headers { media: Some(media), need })
}

/// Converts a duration in timescale units. All ones stand for an unknown duration (ISO/IEC 14496-12 §8.2.2.3), and so does 0,
/// which writers leave there before they know it.
fn seconds(units: u64, timescale: u32) -> Option<f64> {
    let known = units != 0 && units != u64::MAX && timescale != 0;
    known.then(|| units as f64 / f64::from(timescale))
}

fn find_moov(window: &Window) -> Result<BoxAt, Stop> {
    let mut boxes = Boxes::top(window, 0);
    while let Some(next) = boxes.next()? {
        if &next.kind == b"moov" {
            return Ok(next);
        }
        if next.end > window.size() {
            let detail = format!("{} ends at {}, the object at {}", boxes::name(next.kind), next.end, window.size());
            return Err(Rejection::new(RejectReason::Truncated, detail).into());
        }
    }
    Err(Rejection::new(RejectReason::Truncated, "there is no moov").into())
}

impl Movie {
    fn read(&mut self, window: &Window, moov: BoxAt) -> Result<(), Stop> {
        let mut missing: Option<Need> = None;
        let mut boxes = moov.children(window, 0);
        while let Some(next) = boxes.next().map_err(|stop| first_need(missing, stop))? {
            let read = match &next.kind {
                b"mvhd" => self.read_header(window, next),
                b"mvex" => self.read_extends(window, next),
                b"trak" => self.read_track(window, next),
                _ => Ok(()),
            };
            match read {
                Ok(()) => {}
                // Missing bytes of one box do not prevent reading the others.
                Err(Stop::Need(need)) => missing = missing.or(Some(need)),
                Err(stop) => return Err(stop),
            }
        }
        missing.map_or(Ok(()), |need| Err(Stop::Need(need)))
    }

    /// `mvhd` (ISO/IEC 14496-12 §8.2.2). The matrix follows times, rate, volume and reserved fields, whose length depends on
    /// the version.
    fn read_header(&mut self, window: &Window, mvhd: BoxAt) -> Result<(), Stop> {
        let times = Times::read(window, mvhd)?;
        self.timescale = times.timescale;
        self.duration_units = times.duration_units;
        self.created = times.created;
        let body = mvhd.prefix(window, 84)?;
        self.matrix = matrix_at(body, if body.first() == Some(&0) { 36 } else { 48 });
        Ok(())
    }

    /// `mvex` (ISO/IEC 14496-12 §8.8.1), whose presence alone says that there are fragments, with `mehd` (§8.8.2) and `trex`
    /// (§8.8.3).
    fn read_extends(&mut self, window: &Window, mvex: BoxAt) -> Result<(), Stop> {
        self.fragmented = true;
        let mut boxes = mvex.children(window, 0);
        while let Some(next) = boxes.next()? {
            match &next.kind {
                b"mehd" => {
                    let body = next.bytes(window)?;
                    let units = match body.first() {
                        Some(0) => u32_at(body, 4).map(u64::from),
                        _ => u64_at(body, 4),
                    };
                    self.fragments_units = units.filter(|units| *units != 0);
                }
                b"trex" => {
                    let body = next.bytes(window)?;
                    self.defaults.extend(Defaults::read(body));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_track(&mut self, window: &Window, trak: BoxAt) -> Result<(), Stop> {
        match track::read(window, trak)? {
            Trak::Video(video) => {
                self.video.get_or_insert(video);
            }
            Trak::Audio(audio, stsd) if self.audio.is_none() => {
                (self.audio, self.audio_stsd) = (Some(audio), Some(stsd));
            }
            Trak::Refused(refused) => {
                self.refused.get_or_insert(refused);
            }
            Trak::Audio(..) | Trak::Other => {}
        }
        Ok(())
    }

    /// Of the `stsd` boxes whole, the video's first. Two chunks whose initialization segments differ in nothing but a
    /// duration have the same.
    fn sample_entry_digest(&self, window: &Window, video: &VideoTrack) -> Option<Sha256> {
        let mut digest = Sha256Hasher::new();
        for stsd in [Some(video.stsd), self.audio_stsd].into_iter().flatten() {
            digest.update(window.peek(stsd.start, stsd.end - stsd.start)?);
        }
        Some(digest.finish())
    }
}

/// Keeps the need that comes first in the file.
fn first_need(missing: Option<Need>, stop: Stop) -> Stop {
    match (missing, stop) {
        (Some(need), Stop::Need(_)) => Stop::Need(need),
        (_, stop) => stop,
    }
}

/// The common fields of `mvhd` and `mdhd` (ISO/IEC 14496-12 §8.2.2 and §8.4.2). Version 1 has 64 bits for times and durations.
struct Times {
    timescale: u32,
    duration_units: Option<u64>,
    created: Option<Timestamp>,
}

impl Times {
    fn read(window: &Window, header: BoxAt) -> Result<Self, Stop> {
        let body = header.prefix(window, 32)?;
        let fields = match body.first() {
            Some(0) => {
                let duration = u32_at(body, 16).filter(|units| *units != u32::MAX).map(u64::from);
                u32_at(body, 4).map(u64::from).zip(u32_at(body, 12)).map(|(created, scale)| (created, scale, duration))
            }
            Some(1) => u64_at(body, 4).zip(u32_at(body, 20)).map(|(created, scale)| (created, scale, u64_at(body, 24))),
            _ => None,
        };
        let (created, timescale, duration_units) = fields.ok_or_else(|| header.malformed("too short"))?;
        if timescale == 0 {
            return Err(header.malformed("no timescale"));
        }
        Ok(Self { timescale, duration_units, created: since_1904(created) })
    }
}

/// Converts seconds since 1904, the epoch of the format (ISO/IEC 14496-12 §8.2.2.3). 0 means "not set".
fn since_1904(seconds: u64) -> Option<Timestamp> {
    const UNIX_EPOCH_S: i64 = 2_082_844_800;
    let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds != 0)?;
    Timestamp::from_second(seconds - UNIX_EPOCH_S).ok()
}
