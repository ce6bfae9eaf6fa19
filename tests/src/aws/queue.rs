//! An SQS queue.

use super::account::Account;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A message as SQS hands it out.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its id, the same each time it comes.
    pub id: String,
    pub receipt: String,
    pub body: String,
    /// How often it has come, this time included.
    pub deliveries: u32,
    /// Its attributes, as SQS's JSON has them.
    pub message_attributes: Value,
    attributes: Value,
}

impl Message {
    pub(super) fn from_json(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}")).to_owned();
        let attributes = value["Attributes"].clone();
        let deliveries = attributes["ApproximateReceiveCount"].as_str().and_then(|count| count.parse().ok());
        Self {
            id: text("MessageId"),
            receipt: text("ReceiptHandle"),
            body: text("Body"),
            deliveries: deliveries.expect("a message says how often it came"),
            message_attributes: value["MessageAttributes"].clone(),
            attributes,
        }
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.message_attributes[name]["StringValue"].as_str()
    }

    /// Returns the message in the form in which Lambda passes it to a function.
    pub(super) fn for_lambda(&self, queue_arn: &str) -> Value {
        let attributes = self.message_attributes.as_object().into_iter().flatten().map(|(name, value)| {
            let value = json!({ "dataType": value["DataType"], "stringValue": value["StringValue"],
                "stringListValues": [], "binaryListValues": [] });
            (name.clone(), value)
        });
        json!({
            "messageId": self.id, "receiptHandle": self.receipt, "body": self.body, "attributes": self.attributes,
            "messageAttributes": attributes.collect::<serde_json::Map<_, _>>(), "md5OfBody": "",
            "eventSource": "aws:sqs", "eventSourceARN": queue_arn, "awsRegion": super::REGION,
        })
    }
}

/// Selects messages of a queue by their state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// Those that can be received.
    Visible,
    /// Messages that were received and are neither deleted nor visible again.
    InFlight,
}

/// A queue, accessed with one identity.
#[derive(Debug, Clone)]
pub struct Queue {
    account: Account,
    url: String,
}

impl Queue {
    /// By its URL or ARN.
    pub fn at(account: &Account, place: &str) -> Self {
        let url = match place.strip_prefix("arn:aws:sqs:") {
            Some(rest) => {
                let mut parts = rest.split(':').skip(1);
                let owner = parts.next().unwrap_or_default();
                let name = parts.next().unwrap_or_default();
                format!("{}/{owner}/{name}", account.endpoint())
            }
            None => place.to_owned(),
        };
        Self { account: account.clone(), url }
    }

    /// Creates a queue that may receive messages from a rule.
    pub fn for_rule(account: &Account, name: &str, rule_arn: &str) -> Self {
        let policy = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "events.amazonaws.com" }, "Action": "sqs:SendMessage",
            "Resource": "*", "Condition": { "ArnEquals": { "aws:SourceArn": rule_arn } },
        }]});
        let call = json!({ "QueueName": name, "Attributes": { "Policy": policy.to_string() } });
        let created = account.json("sqs", "AmazonSQS.CreateQueue", &call);
        Self::at(account, created["QueueUrl"].as_str().expect("a queue has a URL"))
    }

    fn call(&self, operation: &str, mut call: Value) -> Value {
        call["QueueUrl"] = self.url.as_str().into();
        self.account.json("sqs", &format!("AmazonSQS.{operation}"), &call)
    }

    /// Its attributes, numbers as texts.
    pub fn attributes(&self) -> Value {
        self.call("GetQueueAttributes", json!({ "AttributeNames": ["All"] }))["Attributes"].take()
    }

    pub fn arn(&self) -> String {
        self.attributes()["QueueArn"].as_str().expect("a queue has an ARN").to_owned()
    }

    /// A number among its attributes.
    pub fn number(&self, attribute: &str) -> u64 {
        let attributes = self.attributes();
        let text = attributes[attribute].as_str().unwrap_or_else(|| panic!("{attribute} in {attributes}"));
        text.parse().unwrap_or_else(|_| panic!("{attribute} is {text}"))
    }

    /// How many messages it has.
    pub fn count(&self, messages: Messages) -> u64 {
        self.number(match messages {
            Messages::Visible => "ApproximateNumberOfMessages",
            Messages::InFlight => "ApproximateNumberOfMessagesNotVisible",
        })
    }

    pub fn send(&self, body: &str) -> String {
        let sent = self.call("SendMessage", json!({ "MessageBody": body }));
        sent["MessageId"].as_str().expect("a message has an id").to_owned()
    }

    /// Sends texts, in order.
    pub fn send_all(&self, bodies: &[String]) {
        for body in bodies {
            self.send(body);
        }
    }

    /// Receives up to `most` messages that are visible now. They stay in flight
    /// for the queue's visibility timeout.
    pub fn receive(&self, most: u64) -> Vec<Message> {
        let call = json!({ "MaxNumberOfMessages": most.min(10), "WaitTimeSeconds": 0, "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"] });
        let received = self.call("ReceiveMessage", call);
        received["Messages"].as_array().into_iter().flatten().map(Message::from_json).collect()
    }

    /// Takes a message out for good.
    pub fn delete(&self, message: &Message) {
        self.call("DeleteMessage", json!({ "ReceiptHandle": message.receipt }));
    }

    /// Receives and deletes everything that is there now.
    pub fn take(&self) -> Vec<Message> {
        let mut all = Vec::new();
        loop {
            let some = self.receive(10);
            if some.is_empty() {
                return all;
            }
            for message in &some {
                self.delete(message);
            }
            all.extend(some);
        }
    }

    /// Waits until it has `count` messages that can be received; panics after `within`.
    pub fn wait_for(&self, count: u64, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let there = self.count(Messages::Visible);
            if there == count {
                return;
            }
            assert!(Instant::now() < deadline, "{}: {there} messages, {count} were awaited", self.url);
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}
