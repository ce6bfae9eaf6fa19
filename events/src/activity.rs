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
}

impl std::fmt::Display for Activity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; quiet={}B/s", self.level, self.quiet_bytes_per_second)
    }
}

impl std::str::FromStr for Activity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = || {
            let (level, quiet) = text.split_once(';')?;
            let level: f64 = level.trim().parse().ok()?;
            let quiet = quiet.trim().strip_prefix("quiet=")?.strip_suffix("B/s")?;
            // `NaN` and `inf` parse, but no record could carry them.
            let sound = level.is_finite() && !level.is_sign_negative();
            sound.then_some(Self { level, quiet_bytes_per_second: quiet.parse().ok()? })
        };
        parsed().ok_or_else(|| Error::Attribute {
            name: "Activity",
            value: text.to_owned(),
            expected: "a level such as 1.25, then quiet=…B/s",
        })
    }
}
