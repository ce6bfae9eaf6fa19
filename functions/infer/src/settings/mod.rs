//! The function's settings, from environment variables. `function.yaml` describes each.

mod arms;
pub(crate) use arms::hash;
mod areas;
mod cameras;

pub use areas::Polygon;
pub use arms::{Arm, Arms};
pub use cameras::CameraSettings;

use crate::paid::Budget;
use crate::pictures::{Limits, Wanted};
use cameras::Overrides;
use framepost_events::{Camera, Sha256, Site};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// The variable that names the detectors.
pub const DETECTOR: &str = "FRAMEPOST_DETECTOR";
/// The variable that names the program that decodes.
pub const FFMPEG: &str = "FRAMEPOST_FFMPEG";

/// Whether what moves is looked at again, enlarged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regions {
    /// The detector sees only whole pictures.
    #[default]
    Off,
    /// The detector also sees the parts that move.
    On,
}

/// The settings of the function.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The detectors, and how often each is used.
    pub arms: Arms,
    /// The settings of cameras without settings of their own.
    pub camera: CameraSettings,
    /// Settings of single cameras, by `site/camera`; what one leaves out is that of `camera`.
    overrides: BTreeMap<String, Overrides>,
    /// The most that a site may spend in a day.
    pub budget: Option<Budget>,
    /// The program that decodes: a name or a path.
    pub ffmpeg: String,
    /// What decoding one chunk may take.
    pub limits: Limits,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}={value:?}: expected {expected}")]
pub struct SettingsError {
    name: &'static str,
    value: String,
    expected: String,
}

impl SettingsError {
    pub(crate) fn new(name: &'static str, value: &str, expected: impl Into<String>) -> Self {
        Self { name, value: value.to_owned(), expected: expected.into() }
    }
}

impl Settings {
    /// Reads the settings. A variable that is not set or empty has its default.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let text = |name: &str| variable(name).filter(|value| !value.is_empty());
        let cameras = "FRAMEPOST_CAMERAS";
        let overrides = match text(cameras) {
            // The text can be long, and its error says where it is wrong.
            Some(json) => cameras::parse(&json).map_err(|expected| SettingsError::new(cameras, "…", expected))?,
            None => BTreeMap::new(),
        };
        let fraction = |name, otherwise| number(name, text(name), otherwise, 0.0..=1.0);
        let camera = CameraSettings {
            pictures: parsed(
                "FRAMEPOST_PICTURES",
                text("FRAMEPOST_PICTURES"),
                "random-access, first, or a rate up to 30: 2/s",
            )?,
            still_below: number("FRAMEPOST_STILL_BELOW", text("FRAMEPOST_STILL_BELOW"), 1.5, 0.0..=1e6)?,
            still_difference: fraction("FRAMEPOST_STILL_DIFFERENCE", 0.0005)?,
            look_every: seconds("FRAMEPOST_LOOK_EVERY_S", text("FRAMEPOST_LOOK_EVERY_S"), 60, 1..=86_400)?,
            labels: cameras::labels(text("FRAMEPOST_LABELS").unwrap_or_default().split(',')),
            score_min: fraction("FRAMEPOST_SCORE_MIN", 0.0)?,
            size_min: fraction("FRAMEPOST_SIZE_MIN", 0.0)?,
            zones: BTreeMap::new(),
            masks: vec![],
            regions: match text("FRAMEPOST_REGIONS").as_deref() {
                None | Some("off") => Regions::Off,
                Some("on") => Regions::On,
                Some(other) => return Err(SettingsError::new("FRAMEPOST_REGIONS", other, "on or off")),
            },
        };
        let limits = Limits::default();
        let mib = |name, otherwise: u64| Ok(whole(name, text(name), otherwise >> 20, 1..=1 << 20)? << 20);
        Ok(Self {
            arms: match text(DETECTOR) {
                Some(value) => {
                    value.parse().map_err(|expected: String| SettingsError::new(DETECTOR, &value, expected))?
                }
                None => Arms::one("motion:"),
            },
            camera,
            overrides,
            budget: parsed(
                "FRAMEPOST_BUDGET",
                text("FRAMEPOST_BUDGET"),
                "calls or dollars a day: 500 calls, 2.50 dollars",
            )?,
            ffmpeg: text(FFMPEG).unwrap_or_else(|| "ffmpeg".to_owned()),
            limits: Limits {
                decoding: seconds("FRAMEPOST_DECODE_S", text("FRAMEPOST_DECODE_S"), 20, 1..=600)?,
                memory_bytes: mib("FRAMEPOST_DECODE_MEMORY_MIB", limits.memory_bytes)?,
                pixels: whole("FRAMEPOST_PIXELS_MAX", text("FRAMEPOST_PIXELS_MAX"), limits.pixels, 1024..=1 << 28)?,
                read_bytes: mib("FRAMEPOST_READ_MIB", limits.read_bytes)?,
            },
        })
    }

    /// Returns what applies to a camera: its own settings, and for the rest those of all cameras.
    pub fn of(&self, site: Option<&Site>, camera: Option<&Camera>) -> CameraSettings {
        let overrides = site.zip(camera).and_then(|(site, camera)| self.overrides.get(&format!("{site}/{camera}")));
        overrides.map_or_else(|| self.camera.clone(), |overrides| overrides.over(&self.camera))
    }
}

impl CameraSettings {
    /// Returns the SHA-256 of everything that the result depends on, for pictures of `wanted`.
    pub fn digest(&self, wanted: Wanted, limits: &Limits) -> Sha256 {
        let on = serde_json::json!({ "camera": self, "pictures": wanted.to_string(), "pixels": limits.pixels, "read": limits.read_bytes });
        Sha256::of(on.to_string().as_bytes())
    }
}

fn parsed<T: FromStr>(name: &'static str, value: Option<String>, expected: &str) -> Result<Option<T>, SettingsError> {
    value.map(|value| value.parse().map_err(|_| SettingsError::new(name, &value, expected))).transpose()
}

fn number(
    name: &'static str,
    value: Option<String>,
    otherwise: f64,
    range: std::ops::RangeInclusive<f64>,
) -> Result<f64, SettingsError> {
    let expected = format!("a number from {} to {}", range.start(), range.end());
    let number = parsed(name, value.clone(), &expected)?.unwrap_or(otherwise);
    let value = value.unwrap_or_default();
    range.contains(&number).then_some(number).ok_or_else(|| SettingsError::new(name, &value, expected))
}

fn whole(
    name: &'static str,
    value: Option<String>,
    otherwise: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, SettingsError> {
    let expected = format!("a whole number from {} to {}", range.start(), range.end());
    let number = parsed(name, value.clone(), &expected)?.unwrap_or(otherwise);
    let value = value.unwrap_or_default();
    range.contains(&number).then_some(number).ok_or_else(|| SettingsError::new(name, &value, expected))
}

fn seconds(
    name: &'static str,
    value: Option<String>,
    otherwise: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<Duration, SettingsError> {
    whole(name, value, otherwise, range).map(Duration::from_secs)
}

#[cfg(test)]
mod tests;
