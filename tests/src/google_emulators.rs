//! Cloud Storage and Pub/Sub on this machine: `tests/emulators/google`, built by `tests/emulators/build`.
//!
//! The harness uses the services' own HTTP APIs, so other emulators work as well: if `STORAGE_EMULATOR_HOST`
//! and `PUBSUB_EMULATOR_HOST` are set, those are used and nothing is started. Each test uses random names,
//! because a shared emulator may hold other data.

use crate::binaries::{Output, Running};
use crate::bucket::Bucket;
use crate::http;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use framepost_events::Sha256;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const PROJECT: &str = "framepost-test";

#[derive(Debug)]
pub struct GoogleEmulators {
    pub storage: String,
    /// Pub/Sub by gRPC, `http://host:port`.
    pub pubsub: String,
    pubsub_http: String,
    /// Our emulators; `None` if others are used.
    running: Option<Running>,
}

/// A message that was pulled.
#[derive(Debug, Clone)]
pub struct Message {
    /// Id for acknowledging the message.
    pub ack_id: String,
    pub id: String,
    pub data: Vec<u8>,
    pub attributes: BTreeMap<String, String>,
    /// The message in the form of a push: `data` in base64, `attributes`, `messageId`, `publishTime`.
    pub json: Value,
}

impl GoogleEmulators {
    /// Starts both. Returns `None` and logs a skip if they are not available.
    pub fn start() -> Option<Self> {
        let host = |name| std::env::var(name).ok().filter(|host| !host.is_empty()).map(|host| with_scheme(&host));
        if let (Some(storage), Some(pubsub)) = (host("STORAGE_EMULATOR_HOST"), host("PUBSUB_EMULATOR_HOST")) {
            return Some(Self { storage, pubsub_http: pubsub.clone(), pubsub, running: None });
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("emulators/build");
        let built = Command::new(&script).output().unwrap_or_else(|error| panic!("{}: {error}", script.display()));
        let said = String::from_utf8_lossy(&built.stderr).trim().to_owned();
        if built.status.code() == Some(3) {
            crate::skip(&said);
            return None;
        }
        assert!(built.status.success(), "{}: {said}", script.display());
        let running = Running::start(&mut Command::new(String::from_utf8_lossy(&built.stdout).trim()));
        let addresses: Value = running.wait_for(Output::Stdout, Duration::from_mins(1), |lines| {
            lines.first().map(|line| serde_json::from_str(line).expect("the addresses are JSON"))
        });
        let address = |name: &str| addresses[name].as_str().expect("an address").to_owned();
        Some(Self {
            storage: address("storage"),
            pubsub: address("pubsub"),
            pubsub_http: address("pubsubHttp"),
            running: Some(running),
        })
    }

    /// Returns their output, for the message of a failed test.
    pub fn log(&self) -> String {
        self.running.as_ref().map(Running::log).unwrap_or_default()
    }

    /// The name of the project that everything belongs to.
    pub fn project(&self) -> &'static str {
        PROJECT
    }

    pub fn bucket(&self) -> String {
        let name = drawn("footage");
        let body = json!({ "name": name });
        self.call("POST", &format!("{}/storage/v1/b?project={PROJECT}", self.storage), &body);
        name
    }

    /// Creates a bucket with object versioning.
    pub fn bucket_with_versions(&self) -> String {
        let name = drawn("footage");
        let body = json!({ "name": name, "versioning": { "enabled": true } });
        self.call("POST", &format!("{}/storage/v1/b?project={PROJECT}", self.storage), &body);
        name
    }

    /// A new topic, `projects/P/topics/T`.
    pub fn topic(&self) -> String {
        let name = format!("projects/{PROJECT}/topics/{}", drawn("topic"));
        self.call("PUT", &format!("{}/v1/{name}", self.pubsub_http), &json!({}));
        name
    }

    /// A new subscription of a topic, `projects/P/subscriptions/S`.
    pub fn subscription(&self, topic: &str, ack_deadline_s: u32) -> String {
        self.filtered_subscription(topic, ack_deadline_s, "")
    }

    /// A new subscription of those messages of a topic that `filter` lets pass.
    pub fn filtered_subscription(&self, topic: &str, ack_deadline_s: u32, filter: &str) -> String {
        let name = format!("projects/{PROJECT}/subscriptions/{}", drawn("subscription"));
        let body = json!({ "topic": topic, "ackDeadlineSeconds": ack_deadline_s, "filter": filter });
        self.call("PUT", &format!("{}/v1/{name}", self.pubsub_http), &body);
        name
    }

    /// Makes the bucket notify the topic of every finalized object.
    pub fn notify(&self, bucket: &str, topic: &str) {
        self.notify_of(bucket, topic, &["OBJECT_FINALIZE"]);
    }

    /// Makes the bucket notify the topic of events of these types.
    pub fn notify_of(&self, bucket: &str, topic: &str, types: &[&str]) {
        let url = format!("{}/storage/v1/b/{bucket}/notificationConfigs", self.storage);
        let topic = format!("//pubsub.googleapis.com/{topic}");
        self.call("POST", &url, &json!({ "topic": topic, "payload_format": "JSON_API_V1", "event_types": types }));
    }

    pub fn publish(&self, topic: &str, data: &[u8], attributes: &BTreeMap<String, String>) {
        let message = json!({ "data": BASE64_STANDARD.encode(data), "attributes": attributes });
        self.call("POST", &format!("{}/v1/{topic}:publish", self.pubsub_http), &json!({ "messages": [message] }));
    }

    /// Pulls the messages that are available; waits a moment for the first.
    pub fn pull(&self, subscription: &str) -> Vec<Message> {
        let url = format!("{}/v1/{subscription}:pull", self.pubsub_http);
        let answer = self.call("POST", &url, &json!({ "maxMessages": 100 }));
        let received = answer["receivedMessages"].as_array().cloned().unwrap_or_default();
        received.iter().map(Message::read).collect()
    }

    pub fn acknowledge(&self, subscription: &str, message: &Message) {
        let url = format!("{}/v1/{subscription}:acknowledge", self.pubsub_http);
        self.call("POST", &url, &json!({ "ackIds": [message.ack_id] }));
    }

    /// Returns a message for immediate redelivery.
    pub fn give_back(&self, subscription: &str, message: &Message) {
        let url = format!("{}/v1/{subscription}:modifyAckDeadline", self.pubsub_http);
        self.call("POST", &url, &json!({ "ackIds": [message.ack_id], "ackDeadlineSeconds": 0 }));
    }

    /// Pulls and acknowledges messages until `enough` returns true. Panics after `within`.
    pub fn drain(&self, subscription: &str, within: Duration, enough: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let deadline = Instant::now() + within;
        let mut messages = Vec::new();
        while !enough(&messages) {
            assert!(
                Instant::now() < deadline,
                "{subscription}: {} messages, not enough\n{}",
                messages.len(),
                self.log()
            );
            for message in self.pull(subscription) {
                self.acknowledge(subscription, &message);
                messages.push(message);
            }
        }
        messages
    }

    /// Pulls and acknowledges the messages that are available.
    pub fn drain_rest(&self, subscription: &str) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let more = self.pull(subscription);
            if more.is_empty() {
                return messages;
            }
            for message in more {
                self.acknowledge(subscription, &message);
                messages.push(message);
            }
        }
    }

    /// Makes the next calls of a gRPC method (`Publish`) fail with this code (14: unavailable). Replaces faults
    /// set before. Only our emulators support this.
    pub fn fail_next(&self, method: &str, code: u32, times: u32) {
        let fault = json!({ "method": method, "code": code, "times": times });
        self.call("POST", &format!("{}/faults", self.pubsub_http), &fault);
    }

    /// Advances Pub/Sub's time, so that leases end. Only our emulators support this.
    pub fn advance(&self, by: Duration) {
        self.call("POST", &format!("{}/advance", self.pubsub_http), &json!({ "seconds": by.as_secs() }));
    }

    /// No more faults of a method.
    pub fn forget_faults(&self, method: &str) {
        self.fail_next(method, 0, 0);
    }

    /// The names of a bucket's objects, in order.
    pub fn names(&self, bucket: &str) -> Vec<String> {
        let url = format!("{}/storage/v1/b/{bucket}/o", self.storage);
        let answer = self.call("GET", &url, &Value::Null);
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// Returns the API's resource for an object.
    pub fn object(&self, bucket: &str, name: &str) -> Value {
        let url = format!("{}/storage/v1/b/{bucket}/o/{}", self.storage, http::escaped(name));
        self.call("GET", &url, &Value::Null)
    }

    /// Downloads an object; panics if the emulator has none of this name.
    pub fn bytes(&self, bucket: &str, name: &str) -> Vec<u8> {
        let url = format!("{}/storage/v1/b/{bucket}/o/{}?alt=media", self.storage, http::escaped(name));
        let answer = http::request("GET", &url, &[], b"").unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(answer.status, 200, "{url}");
        answer.body
    }

    /// Copies a bucket's objects and metadata below `directory`, in the layout of a
    /// local bucket, for the judge.
    pub fn copy(&self, bucket: &str, directory: &Path) -> Bucket {
        for name in self.names(bucket) {
            let digest = Sha256::of(name.as_bytes()).to_string();
            let note = directory.join(".framepost/meta").join(&digest[..2]).join(format!("{digest}.json"));
            let metadata = self.object(bucket, &name)["metadata"].clone();
            let pairs: Vec<_> =
                metadata.as_object().into_iter().flatten().map(|(name, value)| json!([name, value])).collect();
            write(&directory.join(&name), &self.bytes(bucket, &name));
            write(&note, json!({ "metadata": pairs }).to_string().as_bytes());
        }
        Bucket::at(directory)
    }

    /// Puts an object and replaces an existing one.
    pub fn overwrite(&self, bucket: &str, name: &str, content_type: &str, bytes: &[u8]) {
        let name = http::escaped(name);
        let url = format!("{}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}", self.storage);
        let answer = http::request("POST", &url, &[("content-type", content_type)], bytes);
        let answer = answer.unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(answer.status, 200, "{url}");
    }

    pub fn delete(&self, bucket: &str, name: &str) {
        let url = format!("{}/storage/v1/b/{bucket}/o/{}", self.storage, http::escaped(name));
        self.call("DELETE", &url, &Value::Null);
    }

    fn call(&self, method: &str, url: &str, body: &Value) -> Value {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let answer = http::request(method, url, &[("content-type", "application/json")], text.as_bytes());
        let answer = answer.unwrap_or_else(|error| panic!("{method} {url}: {error}\n{}", self.log()));
        let words = String::from_utf8_lossy(&answer.body);
        assert!((200..300).contains(&answer.status), "{method} {url}: {} {words}", answer.status);
        serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
    }
}

impl Message {
    fn read(received: &Value) -> Self {
        let json = received["message"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let attributes = json["attributes"].as_object().into_iter().flatten();
        Self {
            ack_id: text(&received["ackId"]),
            id: text(&json["messageId"]),
            data: BASE64_STANDARD.decode(text(&json["data"])).expect("data is base64"),
            attributes: attributes.map(|(name, value)| (name.clone(), text(value))).collect(),
            json,
        }
    }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("a directory");
    std::fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn with_scheme(host: &str) -> String {
    if host.contains("://") { host.trim_end_matches('/').to_owned() } else { format!("http://{host}") }
}

fn drawn(what: &str) -> String {
    format!("{what}-{:012x}", fastrand::u64(..) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_told_of_and_a_message_given_back_comes_again() {
        let Some(google) = GoogleEmulators::start() else { return };
        let bucket = google.bucket();
        let topic = google.topic();
        let subscription = google.subscription(&topic, 60);
        google.notify(&bucket, &topic);
        google.overwrite(&bucket, "a b/c.mp4", "video/mp4", b"first");
        let [first] = &google.drain_without_acknowledging(&subscription)[..] else { panic!("one message") };
        assert_eq!(first.attributes["objectId"], "a b/c.mp4");
        google.give_back(&subscription, first);
        let again = google.drain(&subscription, Duration::from_secs(30), |messages| !messages.is_empty());
        assert_eq!((again.len(), &again[0].id), (1, &first.id));
        assert!(google.pull(&subscription).is_empty(), "what is acknowledged does not come again");
        assert_eq!(google.names(&bucket), ["a b/c.mp4"]);
        assert_eq!(google.bytes(&bucket, "a b/c.mp4"), b"first");
        google.delete(&bucket, "a b/c.mp4");
        assert!(google.names(&bucket).is_empty());
    }

    impl GoogleEmulators {
        fn drain_without_acknowledging(&self, subscription: &str) -> Vec<Message> {
            let deadline = Instant::now() + Duration::from_secs(30);
            loop {
                let messages = self.pull(subscription);
                if !messages.is_empty() || Instant::now() > deadline {
                    return messages;
                }
            }
        }
    }
}
