//! How much happens in a chunk, measured by the bytes that the camera had to send.
//!
//! An encoder without a fixed bit rate spends few bytes on a still picture and many on a moving one. The bytes per second of
//! the frames between random access frames, compared with what the same camera sends while nothing happens, therefore show
//! how much moves, without decoding. "Still" means "as before", not "empty".

use crate::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The activity in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// The bit rate as a multiple of the camera's quiet level; about 1 while nothing happens.
    pub level: f64,
    /// The quiet level: bytes per second of frames that are not random access frames, while nothing happens.
    pub quiet_bytes_per_second: u64,
    /// The `level` of the camera's chunk before this one; absent if there was none, or its level was not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level_before: Option<f64>,
}

impl std::fmt::Display for Activity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; quiet={}B/s", self.level, self.quiet_bytes_per_second)?;
        self.level_before.map_or(Ok(()), |before| write!(f, "; before={before}"))
    }
}

impl std::str::FromStr for Activity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = || {
            let mut parts = text.split(';').map(str::trim);
            let level = parse_level(parts.next()?)?;
            let mut quiet_bytes_per_second = None;
            let mut level_before = None;
            for part in parts {
                match part.split_once('=')? {
                    ("quiet", quiet) => quiet_bytes_per_second = Some(quiet.strip_suffix("B/s")?.parse().ok()?),
                    ("before", before) => level_before = Some(parse_level(before)?),
                    _ => {}
                }
            }
            Some(Self { level, quiet_bytes_per_second: quiet_bytes_per_second?, level_before })
        };
        parsed().ok_or_else(|| Error::Attribute {
            name: "Activity",
            value: text.to_owned(),
            expected: "a level such as 1.25, then quiet=…B/s and before=…",
        })
    }
}

/// Returns `None` if the text is not a level. `NaN` and `inf` are numbers to Rust, but no record can carry them.
fn parse_level(text: &str) -> Option<f64> {
    let level: f64 = text.parse().ok()?;
    (level.is_finite() && !level.is_sign_negative()).then_some(level)
}
