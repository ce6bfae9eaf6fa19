//! Matroska and WebM (RFC 9559).
//!
//! Like the MP4 parser, this one goes from element to element over the window. It reads `Info` and
//! `Tracks` completely and skips everything else. If a `Cluster` comes first, `SeekHead` has their
//! positions. It descends only into elements known by name, so that its depth is bounded. The `matroska`
//! crate is not used, because it asserts on values in files and reads more than is needed here. The tests
//! compare this parser with `ffprobe`.
//!
//! A live recording has no `DurationSearch`. Then the parser searches the file's end for the last `Cluster`.

mod cluster;
mod ebml;
mod tracks;

use crate::headers::{DurationSearch, Headers, Layout, Media};
use crate::window::{Rejection, Stop, Window};
use ebml::Element;
use framepost_events::record::{Container, RejectReason};
use framepost_media::ebml::{children, float, unsigned};
use jiff::Timestamp;
use tracks::Tracks;

const EBML: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114d_9b74;
const INFO: u32 = 0x1549_a966;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;

/// Returns whether a file with this start may be Matroska.
pub(crate) fn begins(head: &[u8]) -> bool {
    head.starts_with(&EBML)
}

/// Parses the known bytes once.
pub(crate) fn scan(window: &Window, duration: DurationSearch) -> Result<Headers, Stop> {
    let (container, segment) = open(window)?;
    let Some((info, tracks)) = find(window, segment)? else {
        return Err(Rejection::new(RejectReason::Truncated, "there are no Tracks").into());
    };
    let info = match info {
        Some(info) => Info::read(info.bytes(window)?),
        None => Info::read(&[]),
    };
    let Tracks { video, audio, refused } = Tracks::read(tracks.bytes(window)?);
    let Some(video) = video else {
        return match refused {
            Some(refused) => Err(refused.into()),
            None => Ok(Headers { media: None, need: None }),
        };
    };
    let mut media = Media {
        container,
        picture: video.picture,
        frame_rate: video.frame_ns.map(|ns| 1e9 / ns as f64),
        audio,
        seconds: info.seconds,
        created: info.created,
        layout: Layout::default(),
    };
    let mut need = None;
    if media.seconds.is_none() && duration == DurationSearch::Wanted {
        match cluster::end_ns(window, info.scale_ns, video.frame_ns.unwrap_or(0)) {
            Ok(end) => media.seconds = end.map(|ns| ns as f64 / 1e9),
            Err(Stop::Need(missing)) => need = Some(missing),
            Err(Stop::Reject(_)) => {}
        }
    }
    Ok(Headers { media: Some(media), need })
}

/// Returns the document type and the position of the segment.
fn open(window: &Window) -> Result<(Container, Element), Stop> {
    let missing = |what: &str| Stop::from(Rejection::new(RejectReason::Truncated, what));
    let header = ebml::at(window, 0)?.ok_or_else(|| missing("no EBML header"))?;
    let kind = children(header.bytes(window)?).find(|(id, _)| *id == 0x4282).map(|(_, kind)| kind);
    let container = match kind.map(unpadded) {
        Some(b"webm") => Container::Webm,
        Some(b"matroska") | None => Container::Matroska,
        Some(other) => {
            let detail = format!("EBML of type {:?}", String::from_utf8_lossy(&other[..other.len().min(32)]));
            return Err(Rejection::new(RejectReason::NotMedia, detail).into());
        }
    };
    let mut next = header.end;
    while let Some(at) = next {
        let element = ebml::at(window, at)?.ok_or_else(|| missing("no Segment"))?;
        if element.id == SEGMENT {
            return Ok((container, element));
        }
        next = element.end;
    }
    Err(Rejection::malformed("an element of unknown size before the Segment").into())
}

/// Removes trailing zeros, which EBML allows as padding of strings.
fn unpadded(text: &[u8]) -> &[u8] {
    let len = text.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &text[..len]
}

/// Finds `Info` and `Tracks`.
fn find(window: &Window, segment: Element) -> Result<Option<(Option<Element>, Element)>, Stop> {
    let mut info = None;
    let mut tracks = None;
    let mut seek = Seek::default();
    let mut next = Some(segment.body);
    while let Some(at) = next {
        let Some(element) = ebml::at(window, at)? else { break };
        match element.id {
            SEEK_HEAD => seek = Seek::read(element.bytes(window)?, segment.body),
            INFO => info = Some(element),
            TRACKS => tracks = Some(element),
            CLUSTER => break,
            _ => {}
        }
        if info.is_some() && tracks.is_some() {
            break;
        }
        next = element.end;
    }
    if tracks.is_none() {
        tracks = pointed_at(window, seek.tracks, TRACKS)?;
    }
    if info.is_none() {
        info = pointed_at(window, seek.info, INFO)?;
    }
    Ok(tracks.map(|tracks| (info, tracks)))
}

fn pointed_at(window: &Window, position: Option<u64>, id: u32) -> Result<Option<Element>, Stop> {
    let Some(position) = position.filter(|position| *position < window.size()) else { return Ok(None) };
    Ok(ebml::at(window, position)?.filter(|element| element.id == id))
}

/// The positions in `SeekHead`, as offsets in the object.
#[derive(Default)]
struct Seek {
    info: Option<u64>,
    tracks: Option<u64>,
}

impl Seek {
    fn read(body: &[u8], segment_at: u64) -> Self {
        let mut seek = Self::default();
        for (_, entry) in children(body).filter(|(id, _)| *id == 0x4dbb) {
            let field = |wanted| children(entry).find(|(id, _)| *id == wanted).and_then(|(_, body)| unsigned(body));
            let position = field(0x53ac).and_then(|position| segment_at.checked_add(position));
            match field(0x53ab) {
                Some(id) if id == u64::from(INFO) => seek.info = position,
                Some(id) if id == u64::from(TRACKS) => seek.tracks = position,
                _ => {}
            }
        }
        seek
    }
}

/// The contents of `Info`.
struct Info {
    scale_ns: u64,
    seconds: Option<f64>,
    created: Option<Timestamp>,
}

impl Info {
    fn read(body: &[u8]) -> Self {
        let mut scale_ns = 1_000_000;
        let mut duration = None;
        let mut created = None;
        for (id, body) in children(body) {
            match id {
                0x2a_d7b1 => scale_ns = unsigned(body).filter(|scale| *scale != 0).unwrap_or(scale_ns),
                0x4489 => duration = float(body).filter(|duration| *duration > 0.0),
                0x4461 => created = since_2001(body),
                _ => {}
            }
        }
        let seconds = duration.map(|duration| duration * scale_ns as f64 / 1e9);
        Self { scale_ns, seconds, created }
    }
}

/// Converts nanoseconds since 2001, the epoch of the format.
fn since_2001(body: &[u8]) -> Option<Timestamp> {
    const UNIX_EPOCH_NS: i128 = 978_307_200_000_000_000;
    let ns = i64::from_be_bytes(body.try_into().ok()?);
    Timestamp::from_nanosecond(i128::from(ns) + UNIX_EPOCH_NS).ok()
}
