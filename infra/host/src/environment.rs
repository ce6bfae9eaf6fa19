//! Where a function finds itself, by its environment.
//!
//! | variable | |
//! |---|---|
//! | `AWS_LAMBDA_RUNTIME_API` | set by Lambda: batches come from there, objects from S3 |
//! | `FRAMEPOST_BUCKET` | elsewhere: `file:///dir`, a local bucket whose events are taken from its own queue |
//!
//! What the function itself is told it reads for itself.

use crate::{LogBus, in_process, lambda, telemetry};
use anyhow::Context as _;
use framepost_aws::{S3Options, S3Source};
use framepost_events::ObjectFinalized;
use framepost_local::{Events, LocalBucket};
use framepost_ports::{Bus, Function, ObjectSource};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

/// What a function is given to work with.
#[derive(Clone)]
pub struct Clouds {
    /// Where objects are read.
    pub source: Arc<dyn ObjectSource>,
    /// Where records go.
    pub bus: Arc<dyn Bus>,
}

/// Everything that a function's `main` has to do. Returns when the place it runs in ends.
pub async fn run<F>(make: impl FnOnce(Clouds) -> F) -> anyhow::Result<()>
where
    F: Function<ObjectFinalized> + 'static,
{
    let bus = Arc::new(LogBus);
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        telemetry::init(telemetry::Format::Json);
        let source = Arc::new(S3Source::connect(S3Options::default()).await?);
        let function = Arc::new(make(Clouds { source, bus }));
        return lambda::run(function).await.map_err(|error| anyhow::anyhow!(error));
    }
    telemetry::init(telemetry::Format::Human);
    let url = std::env::var("FRAMEPOST_BUCKET")
        .context("neither in Lambda (AWS_LAMBDA_RUNTIME_API) nor beside a bucket (FRAMEPOST_BUCKET=file:///dir)")?;
    let url: Url = url.parse().with_context(|| format!("FRAMEPOST_BUCKET={url} is not a URL"))?;
    let dir =
        url.to_file_path().map_err(|()| anyhow::anyhow!("FRAMEPOST_BUCKET={url}: only file:///dir is taken here"))?;
    let bucket = LocalBucket::open(dir, Events::Raise).await?;
    let queue = bucket.queue().context("the bucket raises no events")?;
    let function = Arc::new(make(Clouds { source: Arc::new(bucket), bus }));
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let summary = in_process::run(queue, function, in_process::Limits::default(), shutdown).await?;
    tracing::info!(?summary, "ended");
    Ok(())
}
