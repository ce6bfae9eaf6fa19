//! `framepost model check`: loads a model and runs it.

use super::Directory;
use bytes::Bytes;
use edge_uploader::terminal;
use framepost_host::Connector;
use framepost_ports::location::Role;
use framepost_ports::{Detector, Location, Picture};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// A model in the directory of models, a directory, or a detector such as `onnx:s3://bucket/models/NAME`.
    #[arg(value_name = "NAME")]
    model: String,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    check(&arguments.model, &arguments.directory.models).await
}

/// Loads the model, which takes place within limits, has it look at a blank picture, and says how long that took.
pub(super) async fn check(model: &str, models: &Path) -> anyhow::Result<ExitCode> {
    let models = models.to_string_lossy().into_owned();
    let text = if Location::parse(model, Role::Detector).is_ok() { model.to_owned() } else { format!("onnx:{model}") };
    let at = Location::parse(&text, Role::Detector)?;
    let variables = move |name: &str| match name {
        framepost_models::MODELS => Some(models.clone()),
        _ => std::env::var(name).ok(),
    };
    let started = Instant::now();
    let detector = Connector::new(Arc::new(variables)).cloud_of(&at)?.detector(&at).await?;
    let loaded = started.elapsed();
    let (width, height) = detector.input_size().unwrap_or((416, 416));
    let blank =
        Picture::new(width, height, Bytes::from(vec![128; width as usize * height as usize * 3]), Duration::ZERO)?;
    let first = timed(detector.as_ref(), &blank).await?;
    let second = timed(detector.as_ref(), &blank).await?;
    let named = detector.model();
    let digest = named.digest.map_or_else(String::new, |digest| format!(", SHA-256 {digest}"));
    terminal::out(format_args!(
        "{} works: {width} x {height} pixels, loaded in {} ms, the first picture took {} ms and the second {} ms{digest}",
        named.name,
        loaded.as_millis(),
        first.as_millis(),
        second.as_millis()
    ));
    Ok(ExitCode::SUCCESS)
}

async fn timed(detector: &dyn Detector, picture: &Picture) -> anyhow::Result<Duration> {
    let started = Instant::now();
    detector.detect(std::slice::from_ref(picture)).await?;
    Ok(started.elapsed())
}
