//! Google's services as one cloud.

use crate::{
    GcsBucket, GcsLedger, GcsListing, GcsRemoval, GcsSource, GoogleOptions, PubSubBus, PubSubDeadLetters, PubSubFeed,
    PubSubInbox, PubSubSubscription, Taking, project_id,
};
use async_trait::async_trait;
use framepost_ports::location::Place;
use framepost_ports::{
    Bus, Cloud, DatabaseUser, DeadLetters, Error, ErrorKind, Feed, LedgerStore, Location, ObjectListing, ObjectRemoval,
    ObjectSink, ObjectSource, Result, Subscriber, Subscription, not_one,
};
use std::sync::Arc;

/// Another server than Google's Cloud Storage.
const GCS_ENDPOINT: &str = "FRAMEPOST_GCS_ENDPOINT";
/// Another server than Google's Pub/Sub.
const PUBSUB_ENDPOINT: &str = "FRAMEPOST_PUBSUB_ENDPOINT";
/// The project, by the name under which Google's own tools and libraries look for it.
const PROJECT: &str = "GOOGLE_CLOUD_PROJECT";

/// Another server than Google's Vision.
#[cfg(feature = "detect")]
const VISION_ENDPOINT: &str = "FRAMEPOST_VISION_ENDPOINT";

/// Makes adapters; each client of Google's SDK has connections of its own.
#[derive(Debug, Clone, Default)]
pub struct GcpCloud {
    storage: GoogleOptions,
    pubsub: GoogleOptions,
    project: Option<String>,
    #[cfg(feature = "detect")]
    vision: GoogleOptions,
}

impl GcpCloud {
    /// Cloud Storage and Pub/Sub as these options say.
    pub fn new(storage: GoogleOptions, pubsub: GoogleOptions) -> Self {
        Self {
            storage,
            pubsub,
            project: None,
            #[cfg(feature = "detect")]
            vision: GoogleOptions::default(),
        }
    }

    /// As `FRAMEPOST_GCS_ENDPOINT`, `FRAMEPOST_PUBSUB_ENDPOINT` and `FRAMEPOST_VISION_ENDPOINT` say, which are for emulators, and
    /// `GOOGLE_CLOUD_PROJECT`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let options = |name: &'static str| -> Result<GoogleOptions> {
            let url = variable(name).filter(|url| !url.is_empty());
            let invalid = |error| Error::new(ErrorKind::Invalid, "connect", name).because(error);
            let endpoint = url.map(|url| url.parse().map_err(|error: url::ParseError| invalid(error))).transpose()?;
            Ok(GoogleOptions { endpoint })
        };
        let project = variable(PROJECT).filter(|project| !project.is_empty());
        Ok(Self {
            project,
            #[cfg(feature = "detect")]
            vision: options(VISION_ENDPOINT)?,
            ..Self::new(options(GCS_ENDPOINT)?, options(PUBSUB_ENDPOINT)?)
        })
    }

    /// The project that is configured, or the one that this program runs in.
    async fn project(&self) -> Option<String> {
        match &self.project {
            Some(project) => Some(project.clone()),
            None => project_id().await,
        }
    }
}

fn name<'a>(at: &'a Location, what: &str) -> Result<&'a str> {
    match at.place() {
        Place::Name(name) => Ok(name),
        _ => Err(not_one(at, what)),
    }
}

fn whole_bucket(at: &Location) -> Result<&str> {
    match at.place() {
        Place::Bucket { name, prefix } if prefix.is_empty() => Ok(name),
        _ => Err(not_one(at, "a bucket without a path, since keys begin with the site")),
    }
}

#[async_trait]
impl Cloud for GcpCloud {
    async fn source(&self, _beside: Option<&Location>) -> Result<Arc<dyn ObjectSource>> {
        Ok(Arc::new(GcsSource::connect(&self.storage).await?))
    }

    async fn sink(&self, at: &Location) -> Result<Arc<dyn ObjectSink>> {
        Ok(Arc::new(GcsBucket::of(at, &self.storage)?))
    }

    async fn subscribe(&self, at: &Location, subscriber: Subscriber) -> Result<Subscription> {
        let taking = Taking::default().at_most(subscriber.at_once);
        let stream = PubSubSubscription::connect(name(at, "a subscription")?, taking, &self.pubsub).await?;
        Ok(Subscription {
            inbox: Arc::new(PubSubInbox::new(stream)),
            dead_letters: None,
            panics_max: None,
            concurrency: Some(taking.in_hand as usize),
            timetable: None,
        })
    }

    async fn bus(&self, at: &Location) -> Result<Arc<dyn Bus>> {
        Ok(Arc::new(PubSubBus::connect(name(at, "a topic")?, &self.pubsub).await?))
    }

    async fn dead_letters(&self, at: &Location) -> Result<Arc<dyn DeadLetters>> {
        Ok(Arc::new(PubSubDeadLetters::connect(name(at, "a topic")?, &self.pubsub).await?))
    }

    /// The password of a user that stands for a service account is one of its access tokens.
    async fn database_password(&self, _user: &DatabaseUser) -> Result<String> {
        crate::metadata::access_token().await
    }

    async fn listing(&self, at: &Location) -> Result<Arc<dyn ObjectListing>> {
        Ok(Arc::new(GcsListing::new(whole_bucket(at)?, &self.storage)?))
    }

    async fn removal(&self, at: &Location) -> Result<Arc<dyn ObjectRemoval>> {
        Ok(Arc::new(GcsRemoval::new(whole_bucket(at)?, &self.storage)?))
    }

    async fn feed(&self, at: &Location, function: &str) -> Result<Arc<dyn Feed>> {
        let topic = match at.place() {
            Place::Name(topic) => topic.clone(),
            Place::Bucket { .. } => {
                let unknown = || {
                    Error::new(ErrorKind::Invalid, "find the topic of", function)
                        .because("a bucket does not say which project it is of: set GOOGLE_CLOUD_PROJECT")
                };
                PubSubFeed::topic_of(&self.project().await.ok_or_else(unknown)?, function)
            }
            _ => return Err(not_one(at, "a topic")),
        };
        Ok(Arc::new(PubSubFeed::connect(&topic, &self.pubsub).await?))
    }

    #[cfg(feature = "detect")]
    async fn detector(&self, at: &Location) -> Result<Arc<dyn framepost_ports::Detector>> {
        match at.scheme() {
            "vision" => Ok(Arc::new(crate::VisionDetector::connect(&self.vision).await?)),
            _ => Err(not_one(at, "a detector")),
        }
    }

    async fn ledger(&self, at: &Location) -> Result<Arc<dyn LedgerStore>> {
        match at.place() {
            Place::Bucket { name, prefix } => Ok(Arc::new(GcsLedger::connect(name, prefix, &self.storage).await?)),
            _ => Err(not_one(at, "a bucket")),
        }
    }
}
