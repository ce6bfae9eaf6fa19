//! The function, made of what its host gives it.

use crate::{Probe, ProbeSettings};
use framepost_host::Clouds;

/// What this function is triggered by and what it needs: `function.yaml`.
pub const MANIFEST: &str = include_str!("../function.yaml");

/// Makes the function of its clouds, with the settings that its variables name.
pub async fn start(clouds: Clouds) -> anyhow::Result<Probe> {
    let settings = ProbeSettings::from_variables(|name| clouds.variable(name))?;
    Ok(Probe::new(clouds.source, clouds.bus, settings))
}
