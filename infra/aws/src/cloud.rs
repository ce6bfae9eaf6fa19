//! Amazon's services as one cloud, whose adapters share one session.

use crate::{
    DynamoLedger, EventBridgeBus, S3Bucket, S3Listing, S3Options, S3Removal, Session, SqsDeadLetters, SqsFeed,
    SqsInbox, SqsQueue,
};
use async_trait::async_trait;
use framepost_ports::location::Place;
use framepost_ports::{
    Bus, Cloud, DatabaseUser, DeadLetters, Feed, LedgerStore, Location, ObjectListing, ObjectRemoval, ObjectSink,
    ObjectSource, Preparation, Result, Subscriber, Subscription, not_one,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use url::Url;

/// How long an SQS message stays hidden after the last sign of life of its worker.
const VISIBILITY_TIMEOUT: Duration = Duration::from_mins(1);

/// Makes adapters that share one [`Session`], which is made when the first of them is.
#[derive(Debug, Default)]
pub struct AwsCloud {
    options: S3Options,
    session: OnceCell<Session>,
}

impl AwsCloud {
    /// Uses `options`; the default reads the environment.
    pub fn new(options: S3Options) -> Self {
        Self { options, session: OnceCell::new() }
    }

    /// The session that everything shares.
    pub async fn session(&self) -> Result<&Session> {
        self.session.get_or_try_init(|| Session::new(self.options.clone())).await
    }
}

fn queue_url(at: &Location, what: &str) -> Result<Url> {
    match at.place() {
        Place::Url(url) => Ok(url.clone()),
        _ => Err(not_one(at, what)),
    }
}

#[async_trait]
impl Cloud for AwsCloud {
    async fn source(&self, _beside: Option<&Location>) -> Result<Arc<dyn ObjectSource>> {
        Ok(Arc::new(self.session().await?.source()?))
    }

    async fn sink(&self, at: &Location) -> Result<Arc<dyn ObjectSink>> {
        Ok(Arc::new(S3Bucket::of(self.session().await?, at, self.options.echo)?))
    }

    async fn subscribe(&self, at: &Location, _subscriber: Subscriber) -> Result<Subscription> {
        let queue = SqsQueue::new(self.session().await?, queue_url(at, "a queue")?);
        Ok(Subscription {
            inbox: Arc::new(SqsInbox::new(queue, VISIBILITY_TIMEOUT)),
            dead_letters: None,
            panics_max: None,
            concurrency: None,
            timetable: None,
        })
    }

    async fn bus(&self, at: &Location) -> Result<Arc<dyn Bus>> {
        match at.place() {
            Place::Name(bus) => Ok(Arc::new(EventBridgeBus::new(self.session().await?, bus))),
            _ => Err(not_one(at, "an event bus")),
        }
    }

    async fn dead_letters(&self, at: &Location) -> Result<Arc<dyn DeadLetters>> {
        Ok(Arc::new(SqsDeadLetters::new(self.session().await?, queue_url(at, "a queue")?)))
    }

    async fn ledger(&self, at: &Location) -> Result<Arc<dyn LedgerStore>> {
        match at.place() {
            Place::Name(table) => Ok(Arc::new(DynamoLedger::new(self.session().await?, table))),
            _ => Err(not_one(at, "a table")),
        }
    }

    async fn database_password(&self, user: &DatabaseUser) -> Result<String> {
        self.session().await?.database_password(user).await
    }

    async fn listing(&self, at: &Location) -> Result<Arc<dyn ObjectListing>> {
        match at.place() {
            Place::Bucket { name, .. } => Ok(Arc::new(S3Listing::new(self.session().await?, name)?)),
            _ => Err(not_one(at, "a bucket")),
        }
    }

    async fn removal(&self, at: &Location) -> Result<Arc<dyn ObjectRemoval>> {
        match at.place() {
            Place::Bucket { name, .. } => Ok(Arc::new(S3Removal::new(self.session().await?, name)?)),
            _ => Err(not_one(at, "a bucket")),
        }
    }

    async fn feed(&self, at: &Location, function: &str) -> Result<Arc<dyn Feed>> {
        let session = self.session().await?;
        match at.place() {
            Place::Url(url) => Ok(Arc::new(SqsFeed::new(session, url.clone()))),
            // As Terraform calls it, unless its `name` is another.
            Place::Bucket { .. } => Ok(Arc::new(SqsFeed::of_name(session, &format!("framepost-{function}")).await?)),
            _ => Err(not_one(at, "a queue")),
        }
    }

    #[cfg(feature = "detect")]
    async fn detector(&self, at: &Location) -> Result<Arc<dyn framepost_ports::Detector>> {
        match at.scheme() {
            "rekognition" => Ok(Arc::new(crate::RekognitionDetector::new(self.session().await?))),
            _ => Err(not_one(at, "a detector")),
        }
    }

    async fn preparation(&self) -> Result<Option<Preparation>> {
        Ok(self.session().await?.preparation().map(|prepare| Box::new(prepare) as Preparation))
    }
}
