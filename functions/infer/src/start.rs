//! The function, made of what its host gives it.

use crate::pictures::{Decoder, find_program};
use crate::settings::{DETECTOR, FFMPEG};
use crate::{Infer, Parts, Settings};
use framepost_host::{Clouds, MissingProgram};

/// What this function is triggered by and what it needs: `function.yaml`.
pub const MANIFEST: &str = include_str!("../function.yaml");

/// Makes the function of its clouds, with the settings that its variables name.
pub async fn start(clouds: Clouds) -> anyhow::Result<Infer> {
    let settings = Settings::from_variables(|name| clouds.variable(name))?;
    let program = find_program(&settings.ffmpeg, std::env::var_os("PATH")).ok_or_else(|| MissingProgram {
        program: settings.ffmpeg.clone(),
        variable: FFMPEG,
        install: "apt-get install ffmpeg, or https://ffmpeg.org/download.html",
    })?;
    let mut detectors = Vec::new();
    for arm in settings.arms.all() {
        detectors.push(clouds.detector(DETECTOR, &arm.detector).await?);
    }
    let is_paid = detectors.iter().any(|detector| detector.price().is_some());
    let ledger = if is_paid { Some(clouds.ledger().await?) } else { None };
    let decoder = Decoder::new(program, settings.limits);
    let parts = Parts { source: clouds.source, bus: clouds.bus, clock: clouds.clock, detectors, ledger, decoder };
    Ok(Infer::new(parts, settings)?)
}
