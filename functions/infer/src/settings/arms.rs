//! The detectors in use, and the cameras and hours that each one gets.
//!
//! A single location is one detector for everything. Several have names and shares: `a=onnx:DIR@90,b=onnx:OTHER@10`. The
//! choice depends only on camera and hour, so that an arm looks at a camera without a break, and each camera gets each arm.

use framepost_events::{Camera, Sha256, Site};
use jiff::Timestamp;
use std::str::FromStr;

const SECONDS_PER_HOUR: i64 = 3600;

/// A detector in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// The name in records; `None` if there is only one detector.
    pub name: Option<String>,
    /// The detector's location: `motion:`, `onnx:DIRECTORY`, `oip+https://…` and others.
    pub detector: String,
    /// Its share of the hours, relative to the shares of the others.
    pub share: u32,
}

/// All detectors in use, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arms(Vec<Arm>);

impl Arms {
    /// Uses one detector for everything.
    pub fn one(detector: &str) -> Self {
        Self(vec![Arm { name: None, detector: detector.to_owned(), share: 1 }])
    }

    /// Returns the detectors in the order of the setting.
    pub fn all(&self) -> &[Arm] {
        &self.0
    }

    /// Returns the index of the arm for what this camera recorded from `from` on.
    pub fn chosen(&self, site: Option<&Site>, camera: Option<&Camera>, from: Option<Timestamp>) -> usize {
        let hour = from.map_or(0, |from| from.as_second().div_euclid(SECONDS_PER_HOUR));
        let total: u64 = self.0.iter().map(|arm| u64::from(arm.share)).sum();
        let name = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let site = name(site.map(Site::as_str));
        let camera = name(camera.map(Camera::as_str));
        let mut at = hash(&format!("{site}/{camera} {hour}")) % total.max(1);
        self.0
            .iter()
            .position(|arm| {
                let share = u64::from(arm.share);
                let is_it = at < share;
                at = at.saturating_sub(share);
                is_it
            })
            .unwrap_or(0)
    }
}

/// Returns a number that is always the same for the same text, on every machine.
pub(crate) fn hash(text: &str) -> u64 {
    let Sha256(digest) = Sha256::of(text.as_bytes());
    digest[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl FromStr for Arms {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let several: Option<Vec<Arm>> = text.split(',').map(arm).collect();
        match several {
            Some(arms) => {
                let names: std::collections::BTreeSet<_> = arms.iter().map(|arm| &arm.name).collect();
                let is_good = names.len() == arms.len() && arms.iter().any(|arm| arm.share > 0);
                is_good.then_some(Self(arms)).ok_or_else(|| "names that differ, and a share above 0".to_owned())
            }
            None if text.contains('@') && text.contains(',') => {
                Err("a location, or several with names and shares: a=LOCATION@90,b=LOCATION@10".to_owned())
            }
            None => Ok(Self::one(text)),
        }
    }
}

/// Reads an arm of several: `name=location@share`. `None` where a part is missing, or the share is above 1 000 000.
fn arm(text: &str) -> Option<Arm> {
    let (name, rest) = text.trim().split_once('=')?;
    let (detector, share) = rest.rsplit_once('@')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let share = share.parse().ok().filter(|share| *share <= 1_000_000)?;
    is_name.then(|| Arm { name: Some(name.to_owned()), detector: detector.to_owned(), share })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_location_needs_no_name_and_several_have_names_and_shares() {
        assert_eq!("motion:".parse(), Ok(Arms::one("motion:")));
        let with_port = "oip+https://user@host:8000/v2/models/m";
        assert_eq!(with_port.parse(), Ok(Arms::one(with_port)));
        let arms: Arms = "a=onnx:/m/x@90,b=oip+https://h/v2/models/m@10".parse().unwrap();
        let read: Vec<_> = arms.all().iter().map(|arm| (arm.name.as_deref(), &*arm.detector, arm.share)).collect();
        assert_eq!(read, [(Some("a"), "onnx:/m/x", 90), (Some("b"), "oip+https://h/v2/models/m", 10)]);
        for bad in ["a=onnx:x@1,a=onnx:y@1", "a=onnx:x@0,b=onnx:y@0", "a=onnx:x@1,onnx:y", "a=onnx:x@1,b=onnx:y@-1"] {
            assert!(bad.parse::<Arms>().is_err(), "{bad}");
        }
    }

    #[test]
    fn shares_hold_over_many_hours_and_an_hour_of_a_camera_has_one_arm() {
        let arms: Arms = "a=onnx:x@75,b=onnx:y@25,c=onnx:z@0".parse().unwrap();
        let site: Site = "plant-7".parse().unwrap();
        let mut counts = [0; 3];
        for hour in 0..2000_i64 {
            let camera: Camera = format!("c{}", hour % 7).parse().unwrap();
            let chosen = |second| {
                let from = Timestamp::from_second(1_800_000_000 + hour * 3600 + second).unwrap();
                arms.chosen(Some(&site), Some(&camera), Some(from))
            };
            assert_eq!(chosen(0), chosen(3599));
            counts[chosen(0)] += 1;
        }
        assert!((1400..1600).contains(&counts[0]) && counts[2] == 0, "{counts:?}");
        assert_eq!(arms.chosen(None, None, None), arms.chosen(None, None, None));
    }
}
