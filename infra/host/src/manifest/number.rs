//! Whole numbers with a range, which errors mention.

use serde::de::{Deserializer, Error as _, Unexpected};
use serde::{Deserialize as _, de};
use std::time::Duration;

/// The valid CPU settings of Cloud Run. With less than one CPU, an instance handles one message at a time.
const CPUS: [u32; 5] = [1, 2, 4, 6, 8];

fn between<E: de::Error>(number: i64, min: u32, max: u32) -> Result<u32, E> {
    u32::try_from(number).ok().filter(|number| (min..=max).contains(number)).ok_or_else(|| {
        E::invalid_value(Unexpected::Signed(number), &format!("a whole number between {min} and {max}").as_str())
    })
}

pub(super) fn whole<'de, D: Deserializer<'de>, const MIN: u32, const MAX: u32>(
    deserializer: D,
) -> Result<u32, D::Error> {
    between(i64::deserialize(deserializer)?, MIN, MAX)
}

pub(super) fn optional<'de, D: Deserializer<'de>, const MIN: u32, const MAX: u32>(
    deserializer: D,
) -> Result<Option<u32>, D::Error> {
    whole::<_, MIN, MAX>(deserializer).map(Some)
}

pub(super) fn seconds<'de, D: Deserializer<'de>, const MIN: u32, const MAX: u32>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    whole::<_, MIN, MAX>(deserializer).map(|seconds| Duration::from_secs(seconds.into()))
}

pub(super) fn cpus<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = i64::deserialize(deserializer)?;
    match u32::try_from(number) {
        Ok(cpus) if CPUS.contains(&cpus) => Ok(Some(cpus)),
        _ => Err(D::Error::invalid_value(Unexpected::Signed(number), &"1, 2, 4, 6 or 8")),
    }
}
