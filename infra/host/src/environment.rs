//! What the environment says of where a function finds itself, and with whom it works.
//!
//! | variable | values | |
//! |---|---|---|
//! | `AWS_LAMBDA_RUNTIME_API` | | set by Lambda: batches come from there, objects from S3 |
//! | `K_SERVICE`, `PORT` | | set by Cloud Run: messages are pushed to that port, objects are in Cloud Storage |
//! | `FRAMEPOST_EVENTS` | `file:///dir`, `sqs:URL`, `pubsub:projects/P/subscriptions/S` | elsewhere: where events are taken from |
//! | `FRAMEPOST_RECORDS` | `log:` (default), `eventbridge:NAME` or `eventbridge:ARN`, `pubsub:projects/P/topics/T` | where records go |
//! | `FRAMEPOST_DEAD_LETTERS` | `sqs:URL`, `pubsub:projects/P/topics/T` | where rejected messages are parked |
//! | `FRAMEPOST_LEDGER` | `dynamodb:TABLE`, `gs://bucket/prefix`, `file:///dir` | claims, for functions whose work costs |
//!
//! `FRAMEPOST_EVENTS` goes before what Lambda and Cloud Run set. What the function itself is told it reads for itself.

use std::path::PathBuf;
use url::Url;

/// Where messages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSource {
    /// Lambda's runtime API.
    Lambda,
    /// Cloud Run: HTTP push to this port.
    Http {
        /// To listen on, all addresses.
        port: u16,
    },
    /// A local bucket's own queue.
    Directory(PathBuf),
    /// An SQS queue, polled.
    Sqs(Url),
    /// A Pub/Sub subscription, pulled: `projects/P/subscriptions/S`.
    PubSub(String),
}

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordsTo {
    /// Standard output, one JSON object a line.
    Log,
    /// An EventBridge bus, by name or ARN.
    EventBridge(String),
    /// A Pub/Sub topic: `projects/P/topics/T`.
    PubSub(String),
}

/// Where rejected messages are parked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLettersTo {
    /// The log is enough.
    Nowhere,
    /// An SQS queue.
    Sqs(Url),
    /// A Pub/Sub topic: `projects/P/topics/T`.
    PubSub(String),
}

/// Where claims are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LedgerAt {
    /// A DynamoDB table.
    DynamoDb(String),
    /// Objects of a Cloud Storage bucket below a prefix, which may be empty.
    Gcs {
        /// The bucket.
        bucket: String,
        /// Without slashes around it.
        prefix: String,
    },
    /// A directory of this machine.
    Directory(PathBuf),
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// It has to be there.
    #[error("{name} is not set: {expected}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What to do.
        expected: &'static str,
    },
    /// It says something that is not known.
    #[error("{name}={value:?}: expected {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is known.
        expected: &'static str,
    },
}

/// What the environment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Where messages come from.
    pub events: EventSource,
    /// Where records go.
    pub records: RecordsTo,
    /// Where rejected messages are parked.
    pub dead_letters: DeadLettersTo,
}

const EVENTS: &str = "FRAMEPOST_EVENTS";
const RECORDS: &str = "FRAMEPOST_RECORDS";
const DEAD_LETTERS: &str = "FRAMEPOST_DEAD_LETTERS";
const LEDGER: &str = "FRAMEPOST_LEDGER";

impl Environment {
    /// Reads the variables; an empty one is one that is not set.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let events = match (variable(EVENTS), variable("AWS_LAMBDA_RUNTIME_API"), variable("PORT")) {
            (Some(value), ..) => events(&value)?,
            (None, Some(_), _) => EventSource::Lambda,
            (None, None, Some(port)) => EventSource::Http { port: port_number(port)? },
            (None, None, None) if variable("K_SERVICE").is_some() => EventSource::Http { port: 8080 },
            (None, None, None) => {
                let expected = "neither Lambda nor Cloud Run runs this, so say where events are taken from: file:///dir, \
                                sqs:https://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE or pubsub:projects/P/subscriptions/S";
                return Err(EnvironmentError::Missing { name: EVENTS, expected });
            }
        };
        let records = variable(RECORDS).map_or(Ok(RecordsTo::Log), |value| records(&value))?;
        let dead_letters = variable(DEAD_LETTERS).map_or(Ok(DeadLettersTo::Nowhere), |value| dead_letters(&value))?;
        Ok(Self { events, records, dead_letters })
    }
}

impl LedgerAt {
    /// Reads `FRAMEPOST_LEDGER`.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let expected = "dynamodb:TABLE, gs://bucket/prefix or file:///dir";
        let Some(value) = variable(LEDGER).filter(|value| !value.is_empty()) else {
            return Err(EnvironmentError::Missing { name: LEDGER, expected });
        };
        let invalid = || EnvironmentError::Invalid { name: LEDGER, value: value.clone(), expected };
        if let Some(table) = value.strip_prefix("dynamodb:").filter(|table| !table.is_empty()) {
            return Ok(Self::DynamoDb(table.to_owned()));
        }
        let url: Url = value.parse().map_err(|_| invalid())?;
        match (url.scheme(), url.host_str()) {
            ("gs", Some(bucket)) => {
                Ok(Self::Gcs { bucket: bucket.to_owned(), prefix: url.path().trim_matches('/').to_owned() })
            }
            ("file", _) => url.to_file_path().map(Self::Directory).map_err(|()| invalid()),
            _ => Err(invalid()),
        }
    }
}

fn events(value: &str) -> Result<EventSource, EnvironmentError> {
    let expected =
        "file:///dir, sqs:https://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE or pubsub:projects/P/subscriptions/S";
    let invalid = || EnvironmentError::Invalid { name: EVENTS, value: value.to_owned(), expected };
    if let Some(url) = value.strip_prefix("sqs:") {
        return queue_url(url).map(EventSource::Sqs).ok_or_else(invalid);
    }
    if let Some(subscription) = value.strip_prefix("pubsub:") {
        return resource(subscription, "subscriptions").map(EventSource::PubSub).ok_or_else(invalid);
    }
    let url: Url = value.parse().map_err(|_| invalid())?;
    if url.scheme() != "file" {
        return Err(invalid());
    }
    url.to_file_path().map(EventSource::Directory).map_err(|()| invalid())
}

fn records(value: &str) -> Result<RecordsTo, EnvironmentError> {
    let expected = "log:, eventbridge:BUS_NAME_OR_ARN or pubsub:projects/P/topics/T";
    let invalid = || EnvironmentError::Invalid { name: RECORDS, value: value.to_owned(), expected };
    if value == "log:" {
        return Ok(RecordsTo::Log);
    }
    if let Some(bus) = value.strip_prefix("eventbridge:").filter(|bus| !bus.is_empty()) {
        return Ok(RecordsTo::EventBridge(bus.to_owned()));
    }
    let topic = value.strip_prefix("pubsub:").and_then(|topic| resource(topic, "topics"));
    topic.map(RecordsTo::PubSub).ok_or_else(invalid)
}

fn dead_letters(value: &str) -> Result<DeadLettersTo, EnvironmentError> {
    let expected = "sqs:https://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE or pubsub:projects/P/topics/T";
    let invalid = || EnvironmentError::Invalid { name: DEAD_LETTERS, value: value.to_owned(), expected };
    if let Some(url) = value.strip_prefix("sqs:") {
        return queue_url(url).map(DeadLettersTo::Sqs).ok_or_else(invalid);
    }
    let topic = value.strip_prefix("pubsub:").and_then(|topic| resource(topic, "topics"));
    topic.map(DeadLettersTo::PubSub).ok_or_else(invalid)
}

fn port_number(port: String) -> Result<u16, EnvironmentError> {
    port.parse().map_err(|_| EnvironmentError::Invalid { name: "PORT", value: port, expected: "a port's number" })
}

fn queue_url(url: &str) -> Option<Url> {
    let url: Url = url.parse().ok()?;
    let named = url.path_segments().and_then(|mut path| path.next_back()).is_some_and(|name| !name.is_empty());
    (matches!(url.scheme(), "https" | "http") && url.has_host() && named).then_some(url)
}

/// `projects/P/<kind>/NAME`.
fn resource(name: &str, kind: &str) -> Option<String> {
    let parts: Vec<&str> = name.split('/').collect();
    let good = matches!(parts[..], ["projects", project, found, name]
        if found == kind && !project.is_empty() && !name.is_empty());
    good.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Environment, EnvironmentError> {
        Environment::from_variables(|name| {
            variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn each_place_is_known_by_its_variables() {
        let queue = "https://sqs.eu-central-1.amazonaws.com/123456789012/framepost-probe";
        let sqs = format!("sqs:{queue}");
        let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
        for (variables, expected) in [
            (vec![lambda], EventSource::Lambda),
            (vec![("PORT", "8081"), ("K_SERVICE", "probe")], EventSource::Http { port: 8081 }),
            (vec![("K_SERVICE", "probe")], EventSource::Http { port: 8080 }),
            (vec![("FRAMEPOST_EVENTS", "file:///srv/footage")], EventSource::Directory("/srv/footage".into())),
            (vec![("FRAMEPOST_EVENTS", &sqs)], EventSource::Sqs(queue.parse().unwrap())),
            (vec![("FRAMEPOST_EVENTS", &sqs), ("PORT", "80")], EventSource::Sqs(queue.parse().unwrap())),
            (vec![("FRAMEPOST_EVENTS", ""), lambda], EventSource::Lambda),
            (
                vec![("FRAMEPOST_EVENTS", "pubsub:projects/p/subscriptions/s")],
                EventSource::PubSub("projects/p/subscriptions/s".to_owned()),
            ),
        ] {
            assert_eq!(read(&variables).unwrap().events, expected, "{variables:?}");
        }
        let environment = read(&[
            lambda,
            ("FRAMEPOST_RECORDS", "eventbridge:arn:aws:events:eu-central-1:1:event-bus/b"),
            ("FRAMEPOST_DEAD_LETTERS", &sqs),
        ]);
        let environment = environment.unwrap();
        let bus = "arn:aws:events:eu-central-1:1:event-bus/b".to_owned();
        assert_eq!(environment.records, RecordsTo::EventBridge(bus));
        assert_eq!(environment.dead_letters, DeadLettersTo::Sqs(queue.parse().unwrap()));
        let environment = read(&[
            lambda,
            ("FRAMEPOST_RECORDS", "pubsub:projects/p/topics/t"),
            ("FRAMEPOST_DEAD_LETTERS", "pubsub:projects/p/topics/d"),
        ]);
        let environment = environment.unwrap();
        assert_eq!(environment.records, RecordsTo::PubSub("projects/p/topics/t".to_owned()));
        assert_eq!(environment.dead_letters, DeadLettersTo::PubSub("projects/p/topics/d".to_owned()));
        let plain = read(&[lambda]).unwrap();
        assert_eq!((plain.records, plain.dead_letters), (RecordsTo::Log, DeadLettersTo::Nowhere));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
        assert!(matches!(read(&[]), Err(EnvironmentError::Missing { name: "FRAMEPOST_EVENTS", .. })));
        for (name, value) in [
            ("FRAMEPOST_EVENTS", "footage"),
            ("FRAMEPOST_EVENTS", "s3://footage"),
            ("FRAMEPOST_EVENTS", "sqs:queue"),
            ("FRAMEPOST_EVENTS", "sqs:https://sqs.eu-central-1.amazonaws.com/"),
            ("FRAMEPOST_EVENTS", "pubsub:projects/p/topics/t"),
            ("FRAMEPOST_EVENTS", "file://host/dir"),
            ("FRAMEPOST_RECORDS", "log"),
            ("FRAMEPOST_RECORDS", "eventbridge:"),
            ("FRAMEPOST_RECORDS", "pubsub:t"),
            ("FRAMEPOST_DEAD_LETTERS", "sqs:arn:aws:sqs:eu-central-1:1:q"),
            ("FRAMEPOST_DEAD_LETTERS", "log:"),
            ("PORT", "http"),
        ] {
            let set = if name == "PORT" { vec![(name, value)] } else { vec![lambda, (name, value)] };
            match read(&set) {
                Err(EnvironmentError::Invalid { name: found, value: quoted, .. }) => {
                    assert_eq!((found, quoted.as_str()), (name, value));
                }
                other => panic!("{name}={value}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_ledger_is_one_of_three() {
        let read = |value: &str| LedgerAt::from_variables(|name| (name == LEDGER).then(|| value.to_owned()));
        assert_eq!(read("dynamodb:claims").unwrap(), LedgerAt::DynamoDb("claims".to_owned()));
        let gcs = |bucket: &str, prefix: &str| LedgerAt::Gcs { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        assert_eq!(read("gs://claims/a/b/").unwrap(), gcs("claims", "a/b"));
        assert_eq!(read("gs://claims").unwrap(), gcs("claims", ""));
        assert_eq!(read("file:///var/claims").unwrap(), LedgerAt::Directory("/var/claims".into()));
        for bad in ["", "dynamodb:", "claims", "s3://claims"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
