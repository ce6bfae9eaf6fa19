//! All that a function's `main` has to do.

use crate::clouds::{Clouds, Connector};
use crate::environment::{Environment, EventSource};
use crate::event::Event;
use crate::settle::Handler;
use crate::telemetry::{self, Format};
use crate::worker;
use framepost_local::LocalBucket;
use framepost_ports::{DeadLetters, Function, Inbox, ObjectSource};
use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "aws")]
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};

/// How long a message of SQS stays hidden after its worker was last heard of.
#[cfg(feature = "aws")]
const VISIBILITY_TIMEOUT: Duration = Duration::from_mins(1);

/// How often a local inbox hands out a message on which the function panics. A queue's redrive policy decides elsewhere.
pub const LOCAL_PANICS_MAX: u32 = 3;

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
            beside(
                handler,
                Arc::new(framepost_aws::SqsInbox::new(queue, VISIBILITY_TIMEOUT)),
                worker::Limits::default(),
            )
            .await
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
        let inbox = framepost_gcp::PubSubInbox::new(self.connector.subscription(name, taking).await?);
        let concurrency = taking.in_hand as usize;
        beside(handler, Arc::new(inbox), worker::Limits { concurrency, ..worker::Limits::default() }).await
    }

    async fn beside_bucket<E: Event, F: Function<E> + 'static>(
        &self,
        dir: &Path,
        make: impl FnOnce(Clouds) -> F,
    ) -> anyhow::Result<()> {
        let bucket = LocalBucket::open(dir).await?;
        let bus = self.connector.bus(&self.environment.records).await?;
        let inboxes = bucket.inboxes();
        let function = Arc::new(make(Clouds { source: Arc::new(bucket), bus }));
        let inbox = Arc::new(inboxes.subscribe(function.name(), E::topics()).await?);
        let dead_letters: Arc<dyn DeadLetters> = inbox.clone();
        let handler = Handler::new(function, Some(dead_letters)).panics_max(LOCAL_PANICS_MAX);
        beside(handler, inbox, worker::Limits { concurrency: 4, ..worker::Limits::default() }).await
    }
}

/// Takes messages from `inbox` until this process is asked to stop.
async fn beside<E: Event>(handler: Handler<E>, inbox: Arc<dyn Inbox>, limits: worker::Limits) -> anyhow::Result<()> {
    let summary = worker::run(handler, inbox, limits, asked_to_stop()?).await?;
    tracing::info!(?summary, "ended");
    Ok(())
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
