//! Makes pictures of a chunk. A chunk of our own is read in at most two requests; ffmpeg decodes it.
//!
//! ```text
//! ChunkProbed ─▶ read: init segment and wanted fragments, or the whole file ─▶ ffmpeg (a process with limits) ─▶ Picture…
//! ```
//!
//! Pictures are upright, with square pixels, in 8-bit RGB of full range. Their number and the sum of their pixels are limited,
//! so memory is bounded whatever an object contains.

mod arguments;
mod ffmpeg;
mod fragments;
mod limits;
mod output;
mod read;

pub use ffmpeg::{Decoder, find_program};
pub use limits::{Limits, PICTURES_MAX};

use framepost_events::record::ChunkProbed;
use framepost_ports::{ObjectSource, Picture, Sampling};
use std::time::Duration;

/// The shortest time between two random access frames that are both used.
const RANDOM_ACCESS_GAP: Duration = Duration::from_millis(500);

/// Which pictures of a chunk are wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted {
    /// The random access frames, at most two a second.
    RandomAccess,
    /// The first random access frame.
    First,
    /// This many pictures a second, evenly spaced. Every frame is decoded.
    PerSecond(f64),
}

impl Wanted {
    /// Returns the shortest time between two pictures. It is longer for a long file, whose pictures are spread over all of it.
    fn gap(self, seconds: Option<f64>) -> Duration {
        let longest = |gap: Duration| {
            let even = seconds.filter(|seconds| seconds.is_finite()).unwrap_or(0.0) / PICTURES_MAX as f64;
            gap.max(Duration::try_from_secs_f64(even).unwrap_or(Duration::MAX))
        };
        match self {
            Self::First => Duration::ZERO,
            Self::RandomAccess => longest(RANDOM_ACCESS_GAP),
            Self::PerSecond(rate) => longest(Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX)),
        }
    }
}

impl From<Sampling> for Wanted {
    fn from(sampling: Sampling) -> Self {
        match sampling {
            Sampling::RandomAccess => Self::RandomAccess,
            Sampling::PerSecond(rate) => Self::PerSecond(rate),
        }
    }
}

/// Formats it as in the settings: `random-access`, `first`, `2/s`.
impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RandomAccess => f.write_str("random-access"),
            Self::First => f.write_str("first"),
            Self::PerSecond(rate) => write!(f, "{rate}/s"),
        }
    }
}

impl std::str::FromStr for Wanted {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "random-access" => Ok(Self::RandomAccess),
            "first" => Ok(Self::First),
            _ => {
                let rate: f64 = text.strip_suffix("/s").ok_or(())?.parse().map_err(|_| ())?;
                (rate > 0.0 && rate <= 30.0).then_some(Self::PerSecond(rate)).ok_or(())
            }
        }
    }
}

/// Why there are no pictures.
#[derive(Debug, thiserror::Error)]
pub enum PicturesError {
    /// The object cannot be read.
    #[error("the chunk cannot be read")]
    Read(#[source] framepost_ports::Error),
    /// Nothing in it can be decoded. Repeating it would not help.
    #[error("no picture: {0}")]
    None(String),
    /// Decoding exceeded one of its limits. Repeating it would not help.
    #[error("decoding took too much {0}")]
    Limit(&'static str),
    /// ffmpeg cannot be run on this machine now.
    #[error("ffmpeg cannot run")]
    Machine(#[source] std::io::Error),
}

/// Reads and decodes the pictures of the chunk, in the order of their times.
pub async fn pictures(
    source: &dyn ObjectSource,
    decoder: &Decoder,
    chunk: &ChunkProbed,
    wanted: Wanted,
) -> Result<Vec<Picture>, PicturesError> {
    let footage = read::footage(source, chunk, wanted, decoder.limits()).await?;
    let mut pictures = decoder.decode(footage, chunk, wanted).await?;
    pictures.sort_by_key(Picture::offset);
    Ok(pictures)
}
