//! Durations and sizes as people write them: `"3s"`, `"10 GB"`.

use serde::{Deserialize, Deserializer, de};
use std::time::Duration;

/// Message for text that is not a duration. It does not repeat the text, which may be a
/// password in the wrong place.
pub(super) const NOT_A_DURATION: &str = "not a duration; write it like \"3s\", \"500ms\" or \"1m 30s\"";
/// Message for a duration of nothing, or less.
pub(super) const NOT_POSITIVE: &str = "a duration must be longer than nothing, for example \"3s\"";
/// Message for text that is not a size.
pub(super) const NOT_A_SIZE: &str = "not a size; write it like \"20 GB\" or \"512 MiB\"";

/// Deserializes a duration: `"3s"`, `"500ms"`, `"1m 30s"`, `"2h"`, or ISO 8601, `"PT3S"`.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).map_err(de::Error::custom)
}

/// Deserializes a [`duration`] that may be absent.
pub fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// Parses a [`duration`] from a command line.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration: jiff::SignedDuration = text.parse().map_err(|_| NOT_A_DURATION.to_owned())?;
    if !duration.is_positive() {
        return Err(NOT_POSITIVE.to_owned());
    }
    Duration::try_from(duration).map_err(|_| NOT_A_DURATION.to_owned())
}

/// Deserializes a [`duration`], or `None` from `"off"`.
pub fn duration_or_off<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == "off" { Ok(None) } else { parse_duration(&text).map(Some).map_err(de::Error::custom) }
}

/// Deserializes a number of bytes: `"20 GB"` (10⁹), `"512 MiB"` (2²⁰), `"1500"`.
pub fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_bytes(&text).map_err(de::Error::custom)
}

/// Deserializes a number of [`bytes`] that may be absent.
pub fn optional_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    bytes(deserializer).map(Some)
}

/// Parses a number of [`bytes`] from a command line.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let problem = || NOT_A_SIZE.to_owned();
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(problem()),
    };
    number.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)).ok_or_else(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes() {
        assert_eq!(parse_duration("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("PT0.5S"), Ok(Duration::from_millis(500)));
        for bad in ["", "3", "fast"] {
            assert_eq!(parse_duration(bad), Err(NOT_A_DURATION.to_owned()), "{bad}");
        }
        for bad in ["-3s", "0s", "PT0S"] {
            assert_eq!(parse_duration(bad), Err(NOT_POSITIVE.to_owned()), "{bad}");
        }
        assert_eq!(parse_bytes("20 GB"), Ok(20_000_000_000));
        assert_eq!(parse_bytes("512MiB"), Ok(512 << 20));
        assert_eq!(parse_bytes("7"), Ok(7));
        for bad in ["", "GB", "1.5 GB", "-1", "1 PB", "99999999999 TB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
