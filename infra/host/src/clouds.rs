//! The adapters that an [`Environment`](crate::Environment) names, connected.

use crate::LogBus;
use crate::environment::{DeadLettersTo, RecordsTo};
use framepost_ports::{Bus, DeadLetters, ObjectSource};
use std::sync::Arc;

/// What a function is given to work with.
#[derive(Clone)]
pub struct Clouds {
    /// Where objects are read.
    pub source: Arc<dyn ObjectSource>,
    /// Where records go.
    pub bus: Arc<dyn Bus>,
}

/// Connects on demand. What a cloud's clients share is made once.
#[derive(Default)]
pub(crate) struct Connector {
    #[cfg(feature = "aws")]
    aws: tokio::sync::OnceCell<framepost_aws::Session>,
}

/// The program was built without what the environment asks for.
#[cfg(not(all(feature = "aws", feature = "gcp")))]
pub(crate) fn not_built<T>(feature: &str, what: &str) -> anyhow::Result<T> {
    anyhow::bail!("{what} needs a program that is built with the feature `{feature}`")
}

impl Connector {
    pub(crate) async fn bus(&self, records: &RecordsTo) -> anyhow::Result<Arc<dyn Bus>> {
        Ok(match records {
            RecordsTo::Log => Arc::new(LogBus::default()),
            #[cfg(feature = "aws")]
            RecordsTo::EventBridge(bus) => Arc::new(framepost_aws::EventBridgeBus::new(self.aws().await?, bus)),
            #[cfg(not(feature = "aws"))]
            RecordsTo::EventBridge(_) => return not_built("aws", "eventbridge:"),
            #[cfg(feature = "gcp")]
            RecordsTo::PubSub(topic) => {
                Arc::new(framepost_gcp::PubSubBus::connect(topic, &google(PUBSUB_ENDPOINT)?).await?)
            }
            #[cfg(not(feature = "gcp"))]
            RecordsTo::PubSub(_) => return not_built("gcp", "pubsub:"),
        })
    }

    pub(crate) async fn dead_letters(&self, to: &DeadLettersTo) -> anyhow::Result<Option<Arc<dyn DeadLetters>>> {
        match to {
            DeadLettersTo::Nowhere => Ok(None),
            #[cfg(feature = "aws")]
            DeadLettersTo::Sqs(queue) => {
                Ok(Some(Arc::new(framepost_aws::SqsDeadLetters::new(self.aws().await?, queue.clone()))))
            }
            #[cfg(not(feature = "aws"))]
            DeadLettersTo::Sqs(_) => not_built("aws", "sqs:"),
            #[cfg(feature = "gcp")]
            DeadLettersTo::PubSub(topic) => {
                Ok(Some(Arc::new(framepost_gcp::PubSubDeadLetters::connect(topic, &google(PUBSUB_ENDPOINT)?).await?)))
            }
            #[cfg(not(feature = "gcp"))]
            DeadLettersTo::PubSub(_) => not_built("gcp", "pubsub:"),
        }
    }

    #[cfg(feature = "aws")]
    pub(crate) async fn aws(&self) -> anyhow::Result<&framepost_aws::Session> {
        Ok(self.aws.get_or_try_init(|| framepost_aws::Session::new(framepost_aws::S3Options::default())).await?)
    }

    #[cfg(feature = "gcp")]
    pub(crate) async fn cloud_storage(&self) -> anyhow::Result<framepost_gcp::GcsSource> {
        Ok(framepost_gcp::GcsSource::connect(&google(GCS_ENDPOINT)?).await?)
    }

    #[cfg(feature = "gcp")]
    pub(crate) async fn subscription(
        &self,
        name: &str,
        taking: framepost_gcp::Taking,
    ) -> anyhow::Result<framepost_gcp::PubSubSubscription> {
        Ok(framepost_gcp::PubSubSubscription::connect(name, taking, &google(PUBSUB_ENDPOINT)?).await?)
    }
}

/// Another server than Google's Cloud Storage.
#[cfg(feature = "gcp")]
pub(crate) const GCS_ENDPOINT: &str = "FRAMEPOST_GCS_ENDPOINT";
/// Another server than Google's Pub/Sub.
#[cfg(feature = "gcp")]
const PUBSUB_ENDPOINT: &str = "FRAMEPOST_PUBSUB_ENDPOINT";

#[cfg(feature = "gcp")]
pub(crate) fn google(endpoint: &'static str) -> anyhow::Result<framepost_gcp::GoogleOptions> {
    use anyhow::Context as _;
    let url = std::env::var(endpoint).ok().filter(|url| !url.is_empty());
    let url = url.map(|url| url.parse().with_context(|| format!("{endpoint}={url} is not a URL"))).transpose()?;
    Ok(framepost_gcp::GoogleOptions { endpoint: url })
}
