//! All that a function's `main` has to do.

use crate::clouds::{Clouds, Connector};
use crate::environment::{Environment, EventSource};
use crate::event::Event;
use crate::in_process;
use crate::settle::Handler;
use crate::telemetry::{self, Format};
use anyhow::Context as _;
use framepost_local::{Events, LocalBucket};
use framepost_ports::{Function, ObjectSource};
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the function that `make` makes, where the environment says it is, until that ends.
pub fn run<E, F>(make: impl FnOnce(Clouds) -> F) -> anyhow::Result<()>
where
    E: Event,
    F: Function<E> + 'static,
{
    let environment = Environment::from_variables(|name| std::env::var(name).ok())?;
    let mut runtime = match environment.events {
        // One batch at a time, all of it in one task, on a fraction of a processor: other threads would have nothing to do.
        EventSource::Lambda => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(run_in(environment, make))
}

async fn run_in<E, F>(environment: Environment, make: impl FnOnce(Clouds) -> F) -> anyhow::Result<()>
where
    E: Event,
    F: Function<E> + 'static,
{
    telemetry::init(match environment.events {
        #[cfg(feature = "gcp")]
        EventSource::Http { .. } | EventSource::PubSub(_) => Format::CloudLogging(telemetry::Service::of_this().await),
        EventSource::Directory(_) => Format::Human,
        _ => Format::Json,
    });
    let started = Started { environment, connector: Connector::default() };
    match &started.environment.events {
        #[cfg(feature = "aws")]
        EventSource::Lambda => {
            let aws = started.connector.aws().await?;
            let preparation = aws.preparation().map(tokio::task::spawn_blocking);
            let handler = started.handler(Arc::new(aws.source()?), make).await?;
            // Until it asks for work a function has whole processors, and afterwards as much of one as its memory is worth.
            if let Some(preparation) = preparation {
                preparation.await?;
            }
            crate::lambda::run(handler).await.map_err(|error| anyhow::anyhow!(error))
        }
        #[cfg(not(feature = "aws"))]
        EventSource::Lambda | EventSource::Sqs(_) => crate::clouds::not_built("aws", "Lambda or SQS"),
        #[cfg(feature = "aws")]
        EventSource::Sqs(url) => {
            let aws = started.connector.aws().await?;
            let queue = framepost_aws::SqsQueue::new(aws, url.clone());
            let handler = started.handler(Arc::new(aws.source()?), make).await?;
            crate::poll::run(handler, queue, crate::poll::Limits::default(), asked_to_stop()?).await;
            Ok(())
        }
        #[cfg(feature = "gcp")]
        EventSource::Http { port } => started.behind_http(*port, make).await,
        #[cfg(feature = "gcp")]
        EventSource::PubSub(name) => started.beside_subscription(name, make).await,
        #[cfg(not(feature = "gcp"))]
        EventSource::Http { .. } | EventSource::PubSub(_) => crate::clouds::not_built("gcp", "Cloud Run or Pub/Sub"),
        EventSource::Directory(dir) => started.beside_bucket(dir, make).await,
    }
}

struct Started {
    environment: Environment,
    connector: Connector,
}

impl Started {
    /// The function with its clouds, all connected: what a cold start pays for once.
    #[cfg_attr(
        not(any(feature = "aws", feature = "gcp")),
        expect(dead_code, reason = "a directory parks its own letters")
    )]
    async fn handler<E: Event, F: Function<E> + 'static>(
        &self,
        source: Arc<dyn ObjectSource>,
        make: impl FnOnce(Clouds) -> F,
    ) -> anyhow::Result<Handler<E>> {
        let bus = self.connector.bus(&self.environment.records).await?;
        let dead_letters = self.connector.dead_letters(&self.environment.dead_letters).await?;
        Ok(Handler::new(Arc::new(make(Clouds { source, bus })), dead_letters))
    }

    #[cfg(feature = "gcp")]
    async fn behind_http<E: Event, F: Function<E> + 'static>(
        &self,
        port: u16,
        make: impl FnOnce(Clouds) -> F,
    ) -> anyhow::Result<()> {
        let settings = crate::http::Settings::from_variables(|name| std::env::var(name).ok())?;
        let senders = settings.senders()?;
        let source = Arc::new(self.connector.cloud_storage().await?);
        let handler = self.handler(source, make).await?;
        let listener = settings.listen(port).await?;
        let limits = crate::http::Limits::default();
        Ok(crate::http::run(handler, senders, limits, listener, asked_to_stop()?).await?)
    }

    #[cfg(feature = "gcp")]
    async fn beside_subscription<E: Event, F: Function<E> + 'static>(
        &self,
        name: &str,
        make: impl FnOnce(Clouds) -> F,
    ) -> anyhow::Result<()> {
        let source = Arc::new(self.connector.cloud_storage().await?);
        let handler = self.handler(source, make).await?;
        let taking = framepost_gcp::Taking::default();
        let subscription = self.connector.subscription(name, taking).await?;
        Ok(crate::pull::run(handler, subscription, taking.in_hand, asked_to_stop()?).await?)
    }

    async fn beside_bucket<E: Event, F: Function<E> + 'static>(
        &self,
        dir: &Path,
        make: impl FnOnce(Clouds) -> F,
    ) -> anyhow::Result<()> {
        let bucket = LocalBucket::open(dir, Events::Raise).await?;
        let queue = bucket.queue().context("the bucket raises no events")?;
        let bus = self.connector.bus(&self.environment.records).await?;
        let function = Arc::new(make(Clouds { source: Arc::new(bucket), bus }));
        let limits = in_process::Limits::default();
        let summary = in_process::run(queue, function, limits, asked_to_stop()?).await?;
        tracing::info!(?summary, "ended");
        Ok(())
    }
}

/// Ends with SIGTERM or Ctrl-C.
fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
