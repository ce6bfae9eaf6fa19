//! The far end of a function's inbox: a topic that delivers to this one function.
//!
//! An object is sent as Cloud Storage's own notification of it, and a record as the bus sends it, so that the
//! function sees no difference, pushed or pulled.

use crate::bus::{self, publisher, send};
use crate::connect::GoogleOptions;
use async_trait::async_trait;
use framepost_events::ObjectFinalized;
use framepost_ports::{Error, ErrorKind, Feed, Given, Result};
use futures::future::try_join_all;
use google_cloud_pubsub::client::Publisher;
use google_cloud_pubsub::model::Message;
use serde_json::json;

/// Publishes to one Pub/Sub topic.
#[derive(Debug, Clone)]
pub struct PubSubFeed {
    publisher: Publisher,
    topic: String,
}

impl PubSubFeed {
    /// Connects to the topic `projects/P/topics/T`. Sends no request yet.
    pub async fn connect(topic: &str, options: &GoogleOptions) -> Result<Self> {
        Ok(Self { publisher: publisher(topic, options).await?, topic: topic.to_owned() })
    }

    /// The topic through which only the function hears of objects and records, as terraform/gcp names it.
    pub fn topic_of(project: &str, function: &str) -> String {
        format!("projects/{project}/topics/framepost-{function}-replay")
    }
}

#[async_trait]
impl Feed for PubSubFeed {
    async fn give(&self, given: &[Given]) -> Result<()> {
        let messages = given.iter().map(|one| match one {
            Given::Object(event) => notification(event),
            Given::Record(record) => bus::message(record)
                .map_err(|error| Error::new(ErrorKind::Invalid, "give", one.identity()).because(error)),
        });
        let messages = messages.collect::<Result<Vec<Message>>>()?;
        // The client sends together what is published together.
        try_join_all(messages.into_iter().map(|message| send(&self.publisher, &self.topic, message))).await?;
        Ok(())
    }
}

/// What Cloud Storage published when the object was complete ("Pub/Sub notifications for Cloud Storage").
fn notification(event: &ObjectFinalized) -> Result<Message> {
    let invalid = |why: &'static str| Error::new(ErrorKind::Invalid, "give", event.identity()).because(why);
    let (generation, metageneration) =
        event.version.split_once('.').ok_or_else(|| invalid("it is not an object of Cloud Storage"))?;
    let resource = json!({
        "kind": "storage#object",
        "bucket": event.bucket,
        "name": event.key,
        "generation": generation,
        "metageneration": metageneration,
        "size": event.size.map(|size| size.to_string()),
        "timeCreated": event.time,
        "mediaLink": event.media_link,
    });
    let attributes = [
        ("eventType", "OBJECT_FINALIZE".to_owned()),
        ("payloadFormat", "JSON_API_V1".to_owned()),
        ("bucketId", event.bucket.clone()),
        ("objectId", event.key.clone()),
        ("objectGeneration", generation.to_owned()),
        ("eventTime", event.time.to_string()),
    ];
    Ok(Message::new().set_data(resource.to_string()).set_attributes(attributes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_events::finalized::{self, Notice, Provider};

    #[test]
    fn an_object_is_told_as_cloud_storage_told_of_it() {
        let event = ObjectFinalized {
            provider: Provider::Gcs,
            bucket: "footage".to_owned(),
            key: "plant-7/ä b.mp4".to_owned(),
            version: "1795258837158597.1".to_owned(),
            size: Some(7),
            time: "2026-11-21T11:00:37.158Z".parse().unwrap(),
            media_link: None,
            region: None,
            read_version: Some("1795258837158597".to_owned()),
        };
        for event in [event.clone(), ObjectFinalized { size: None, ..event }] {
            let message = notification(&event).unwrap();
            let attributes = message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            assert_eq!(finalized::parse_pubsub(attributes, &message.data).unwrap(), [Notice::Finalized(event)]);
        }
    }

    #[test]
    fn an_object_of_another_cloud_is_refused() {
        let local = include_bytes!("../../../events/samples/local-finalized.json");
        let Notice::Finalized(event) = finalized::parse(local).unwrap().remove(0) else { panic!() };
        assert_eq!(notification(&event).unwrap_err().kind(), ErrorKind::Invalid);
    }
}
