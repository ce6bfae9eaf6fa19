//! The entry point for a function's `main`.

use crate::clouds::Clouds;
use crate::connector::Connector;
use crate::environment::{Environment, EventSource};
use crate::event::Event;
use crate::manifest::Manifest;
use crate::registered::topics;
use crate::schedules::Schedules;
use crate::settle::Handler;
use crate::telemetry::{self, Format};
use crate::worker;
use framepost_ports::{Function, Location, ObjectSource, Subscriber, SystemClock};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the function that `make` makes of its clouds, where the environment says it is, until that ends. `manifest` is the text
/// of its `function.yaml`, which a local inbox is told what to listen to by; in a cloud Terraform has read it.
///
/// ```no_run
/// # use framepost_events::ObjectFinalized;
/// # use framepost_ports::{Function, Outcome};
/// # struct Infer(framepost_ports::Ledger);
/// # #[async_trait::async_trait]
/// # impl Function<ObjectFinalized> for Infer {
/// #     fn name(&self) -> &'static str { "infer" }
/// #     async fn handle(&self, _: ObjectFinalized) -> Outcome { Outcome::Done }
/// # }
/// fn main() -> anyhow::Result<()> {
///     framepost_host::run(include_str!("../../../functions/probe/function.yaml"), async |clouds| {
///         Ok(Infer(clouds.ledger().await?))
///     })
/// }
/// ```
pub fn run<E, F>(manifest: &str, make: impl AsyncFnOnce(Clouds) -> anyhow::Result<F>) -> anyhow::Result<()>
where
    E: Event,
    F: Function<E> + 'static,
{
    if crate::run_model_if_asked() {
        return Ok(());
    }
    let environment = Environment::from_variables(|name| std::env::var(name).ok())?;
    let mut runtime = match environment.events {
        // There is one batch at a time in one task on a fraction of a CPU, so more threads would be useless.
        EventSource::Lambda => tokio::runtime::Builder::new_current_thread(),
        EventSource::Http { .. } | EventSource::Inbox(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(run_in(environment, manifest, make))
}

/// Answers requests by the router that `make` makes of its clouds, where the environment says it is: behind a Lambda function
/// URL with streamed answers (feature `function-url`), on Cloud Run, or in a container with `PORT`.
///
/// # Errors
///
/// When the environment names no place that requests come to, when a cloud cannot be connected, or when `make` fails.
#[cfg(feature = "http")]
pub fn serve(make: impl AsyncFnOnce(Clouds) -> anyhow::Result<axum::Router>) -> anyhow::Result<()> {
    let environment = Environment::from_variables(|name| std::env::var(name).ok())?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        telemetry::init(format(&environment.events).await);
        let started = Started { environment, connector: Arc::default() };
        match started.environment.events.clone() {
            EventSource::Lambda => started.behind_function_url(make).await,
            EventSource::Http { port } => {
                let settings = crate::http::HttpSettings::from_variables(|name| std::env::var(name).ok())?;
                let router = make(started.clouds(started.source().await?).await?).await?;
                let listener = settings.listen(port).await?;
                crate::http::serve(router, crate::http::HttpLimits::default(), listener, asked_to_stop()?).await;
                Ok(())
            }
            EventSource::Inbox(at) => anyhow::bail!("{at} gives messages, and this program answers requests: set PORT"),
        }
    })
}

async fn run_in<E, F>(
    environment: Environment,
    manifest: &str,
    make: impl AsyncFnOnce(Clouds) -> anyhow::Result<F>,
) -> anyhow::Result<()>
where
    E: Event,
    F: Function<E> + 'static,
{
    telemetry::init(format(&environment.events).await);
    let started = Started { environment, connector: Arc::default() };
    match started.environment.events.clone() {
        EventSource::Lambda => started.in_lambda(make).await,
        EventSource::Http { port } => started.behind_http(port, make).await,
        EventSource::Inbox(at) => started.beside(&at, &Manifest::parse("function.yaml", manifest)?, make).await,
    }
}

/// Who reads the log there.
#[cfg_attr(not(feature = "gcp"), expect(clippy::unused_async, reason = "Google's project is asked for"))]
async fn format(events: &EventSource) -> Format {
    match events {
        #[cfg(feature = "gcp")]
        EventSource::Http { .. } => Format::CloudLogging(telemetry::Service::of_this().await),
        #[cfg(feature = "gcp")]
        EventSource::Inbox(at) if at.cloud() == "gcp" => Format::CloudLogging(telemetry::Service::of_this().await),
        EventSource::Inbox(at) if at.cloud() == "local" => Format::Human,
        _ => Format::Json,
    }
}

struct Started {
    environment: Environment,
    connector: Arc<Connector>,
}

impl Started {
    /// What the function works with, all of it connected that every function uses: what a cold start pays for once.
    async fn clouds(&self, source: Arc<dyn ObjectSource>) -> anyhow::Result<Clouds> {
        let bus = self.connector.bus(&self.environment.records).await?;
        let variables = Arc::new(|name: &str| std::env::var(name).ok());
        Ok(Clouds::connected(self.connector.clone(), source, bus, variables))
    }

    /// The function, and where its rejects go.
    #[cfg(any(feature = "aws", feature = "http"))]
    async fn handler<E: Event, F: Function<E> + 'static>(
        &self,
        source: Arc<dyn ObjectSource>,
        make: impl AsyncFnOnce(Clouds) -> anyhow::Result<F>,
    ) -> anyhow::Result<Handler> {
        let clouds = self.clouds(source).await?;
        let dead_letters = self.connector.dead_letters(self.environment.dead_letters.as_ref()).await?;
        Ok(Handler::new(Arc::new(make(clouds).await?), dead_letters))
    }

    #[cfg(feature = "aws")]
    async fn in_lambda<E: Event, F: Function<E> + 'static>(
        &self,
        make: impl AsyncFnOnce(Clouds) -> anyhow::Result<F>,
    ) -> anyhow::Result<()> {
        let aws = self.connector.cloud("aws", "Lambda")?;
        let preparation = aws.preparation().await?.map(tokio::task::spawn_blocking);
        let handler = self.handler(aws.source(None).await?, make).await?;
        // Until it asks for work a function has whole processors, and afterwards as much of one as its memory is worth.
        if let Some(preparation) = preparation {
            preparation.await?;
        }
        crate::lambda::run(handler).await.map_err(|error| anyhow::anyhow!(error))
    }

    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    async fn in_lambda<M>(&self, _make: M) -> anyhow::Result<()> {
        Ok(self.connector.cloud("aws", "Lambda").map(|_| ())?)
    }

    /// Where objects are read that HTTP tells of: in the cloud that records go to; where those go to the log, in Cloud Storage,
    /// or in S3 where the program knows no other.
    #[cfg(feature = "http")]
    async fn source(&self) -> anyhow::Result<Arc<dyn ObjectSource>> {
        let cloud = match self.environment.records.cloud() {
            cloud @ ("aws" | "gcp") => cloud,
            _ if cfg!(feature = "gcp") => "gcp",
            _ => "aws",
        };
        Ok(self.connector.cloud(cloud, "HTTP")?.source(None).await?)
    }

    #[cfg(feature = "function-url")]
    async fn behind_function_url(
        &self,
        make: impl AsyncFnOnce(Clouds) -> anyhow::Result<axum::Router>,
    ) -> anyhow::Result<()> {
        let source = self.connector.cloud("aws", "Lambda")?.source(None).await?;
        let router = make(self.clouds(source).await?).await?;
        crate::lambda::requests::serve(router).await.map_err(|error| anyhow::anyhow!(error))
    }

    #[cfg(all(feature = "http", not(feature = "function-url")))]
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    async fn behind_function_url<M>(&self, _make: M) -> anyhow::Result<()> {
        anyhow::bail!("a Lambda function URL needs a program that is built with the feature `function-url`")
    }

    #[cfg(feature = "http")]
    async fn behind_http<E: Event, F: Function<E> + 'static>(
        &self,
        port: u16,
        make: impl AsyncFnOnce(Clouds) -> anyhow::Result<F>,
    ) -> anyhow::Result<()> {
        let settings = crate::http::HttpSettings::from_variables(|name| std::env::var(name).ok())?;
        let senders = senders(settings.push.as_ref())?;
        let source = self.source().await?;
        let handler = self.handler(source, make).await?;
        let listener = settings.listen(port).await?;
        let limits = crate::http::HttpLimits::default();
        crate::http::run(handler, senders, limits, listener, asked_to_stop()?).await;
        Ok(())
    }

    #[cfg(not(feature = "http"))]
    #[expect(clippy::unused_async, reason = "with the feature it waits")]
    async fn behind_http<M>(&self, _port: u16, _make: M) -> anyhow::Result<()> {
        anyhow::bail!("messages over HTTP need a program that is built with the feature `http`")
    }

    /// Takes messages from an inbox until this process is asked to stop.
    async fn beside<E: Event, F: Function<E> + 'static>(
        &self,
        at: &Location,
        manifest: &Manifest,
        make: impl AsyncFnOnce(Clouds) -> anyhow::Result<F>,
    ) -> anyhow::Result<()> {
        let cloud = self.connector.cloud_of(at)?;
        let source = cloud.source(Some(at)).await?;
        let mut handler = Handler::new(Arc::new(make(self.clouds(source).await?).await?), None);
        let topics = topics(&manifest.triggers);
        let subscriber = Subscriber { name: manifest.name.clone(), topics, at_once: handler.at_once() };
        let subscription = cloud.subscribe(at, subscriber).await?;
        let dead_letters = match subscription.dead_letters {
            Some(own) => Some(own),
            None => self.connector.dead_letters(self.environment.dead_letters.as_ref()).await?,
        };
        if let Some(dead_letters) = dead_letters {
            handler = handler.parking_in(dead_letters);
        }
        if let Some(deliveries) = subscription.panics_max {
            handler = handler.panics_max(deliveries);
        }
        let mut limits = worker::WorkerLimits { handling: manifest.runtime.timeout, ..worker::WorkerLimits::default() };
        limits.concurrency = subscription.concurrency.unwrap_or(limits.concurrency);
        let working = worker::run(handler, subscription.inbox, limits, asked_to_stop()?);
        let summary = match subscription.timetable {
            Some(timetable) => {
                let mut schedules = Schedules::of(manifest, timetable, Arc::new(SystemClock));
                schedules.fire_due().await?;
                tokio::select! {
                    summary = working => summary?,
                    never = schedules.run() => match never {},
                }
            }
            None => working.await?,
        };
        tracing::info!(?summary, "ended");
        Ok(())
    }
}

/// The senders whose pushes are accepted. The tokens on them are Google's.
#[cfg(feature = "http")]
fn senders(push: Option<&crate::http::PushSettings>) -> anyhow::Result<crate::http::Senders> {
    let Some(push) = push else { return Ok(crate::http::Senders::Admitted) };
    #[cfg(feature = "gcp")]
    {
        let crate::http::PushSettings { audience, email, keys_url } = push.clone();
        let options = framepost_gcp::PushTokenOptions { audience, email, keys_url };
        Ok(crate::http::Senders::Checked(Box::new(framepost_gcp::PushTokens::new(options)?)))
    }
    #[cfg(not(feature = "gcp"))]
    {
        anyhow::bail!("tokens for {} need a program that is built with the feature `gcp`", push.audience)
    }
}

/// Ends with SIGTERM or Ctrl-C.
fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
