//! Reads from the environment where a function runs and which services it uses.
//!
//! | variable | value | |
//! |---|---|---|
//! | `AWS_LAMBDA_RUNTIME_API` | | set by Lambda: batches come from this API, objects from S3 |
//! | `K_SERVICE`, `PORT` | | set by Cloud Run: messages are pushed to that port, objects are in Cloud Storage |
//! | `FRAMEPOST_EVENTS` | a location for [`Role::Events`] | elsewhere: where events are taken from |
//! | `FRAMEPOST_RECORDS` | one for [`Role::Bus`]; `log:` by default | where records go |
//! | `FRAMEPOST_DEAD_LETTERS` | one for [`Role::DeadLetters`] | where rejected messages are parked |
//! | `FRAMEPOST_LEDGER` | one for [`Role::Ledger`] | claims, for functions whose work costs: [`Clouds::ledger`](crate::Clouds::ledger) |
//! | `FRAMEPOST_CATALOG` | one for [`Role::Catalog`] | what is known of the footage: [`Clouds::catalog`](crate::Clouds::catalog) |
//! | `FRAMEPOST_SINK` | one for [`Role::Bucket`] | where functions that make objects put them: [`Clouds::sink`](crate::Clouds::sink) |
//!
//! What a location can be is said by [`framepost_ports::location`]. A local inbox keeps its own dead letters, so
//! `FRAMEPOST_DEAD_LETTERS` does not count beside one.
//!
//! `FRAMEPOST_EVENTS` goes before what Lambda and Cloud Run set. What the function itself is told it reads by
//! [`Clouds::variable`](crate::Clouds::variable).

use framepost_ports::Location;
use framepost_ports::location::{self, LocationError, Role};

/// The source of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventSource {
    /// The runtime API of AWS Lambda.
    Lambda,
    /// Cloud Run: HTTP push to this port.
    Http {
        /// The port to listen on, at all addresses.
        port: u16,
    },
    /// A place whose messages are taken: a queue, a subscription, a local bucket.
    Inbox(Location),
}

/// An environment variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// The variable is required.
    #[error("{name} is not set: {expected}")]
    Missing {
        name: &'static str,
        /// What the variable must be set to, in words.
        expected: &'static str,
    },
    /// The variable has an unknown value.
    #[error("{name}={value:?}: expected {expected}")]
    Invalid {
        name: &'static str,
        /// The value that was set.
        value: String,
        /// The values that the variable can have, in words.
        expected: &'static str,
    },
    /// It has to be there and name a location.
    #[error("{name} is not set: {why}; expected {expected}")]
    Nowhere {
        name: &'static str,
        /// Why it has to be there.
        why: &'static str,
        /// Every form of a location that it can have.
        expected: String,
    },
    /// It is no location that can be used so. Its value may hold a secret and is not shown.
    #[error("{name}: {source}")]
    NoLocation {
        name: &'static str,
        /// Why it is none, without its value.
        source: LocationError,
    },
}

impl EnvironmentError {
    pub(crate) fn nowhere(name: &'static str, role: Role, why: &'static str) -> Self {
        Self::Nowhere { name, why, expected: location::expected(role) }
    }
}

/// The settings in the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub events: EventSource,
    /// The bus that the function's records are published on.
    pub records: Location,
    /// Where rejected messages are parked; the log is enough where that is nowhere.
    pub dead_letters: Option<Location>,
}

pub(crate) const LAMBDA: &str = "AWS_LAMBDA_RUNTIME_API";
const EVENTS: &str = "FRAMEPOST_EVENTS";
const RECORDS: &str = "FRAMEPOST_RECORDS";
const DEAD_LETTERS: &str = "FRAMEPOST_DEAD_LETTERS";
pub(crate) const LEDGER: &str = "FRAMEPOST_LEDGER";
pub(crate) const CATALOG: &str = "FRAMEPOST_CATALOG";
pub(crate) const SINK: &str = "FRAMEPOST_SINK";

impl Environment {
    /// Reads the variables. An empty variable counts as not set.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let inbox = location(EVENTS, Role::Events, variable)?;
        let events = match (inbox, variable(LAMBDA), variable("PORT")) {
            (Some(at), ..) => EventSource::Inbox(at),
            (None, Some(_), _) => EventSource::Lambda,
            (None, None, Some(port)) => EventSource::Http { port: port_number(port)? },
            (None, None, None) if variable("K_SERVICE").is_some() => EventSource::Http { port: 8080 },
            (None, None, None) => {
                let why = "neither Lambda nor Cloud Run runs this, so say where events are taken from";
                return Err(EnvironmentError::nowhere(EVENTS, Role::Events, why));
            }
        };
        let records = match location(RECORDS, Role::Bus, variable)? {
            Some(at) => at,
            None => located(RECORDS, Role::Bus, "log:")?,
        };
        Ok(Self { events, records, dead_letters: location(DEAD_LETTERS, Role::DeadLetters, variable)? })
    }
}

/// The location that the variable `name` holds, if it is set.
pub(crate) fn location(
    name: &'static str,
    role: Role,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Location>, EnvironmentError> {
    let value = variable(name).filter(|value| !value.is_empty());
    value.map(|value| located(name, role, &value)).transpose()
}

pub(crate) fn located(name: &'static str, role: Role, value: &str) -> Result<Location, EnvironmentError> {
    Location::parse(value, role).map_err(|source| EnvironmentError::NoLocation { name, source })
}

fn port_number(port: String) -> Result<u16, EnvironmentError> {
    port.parse().map_err(|_| EnvironmentError::Invalid { name: "PORT", value: port, expected: "a port's number" })
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
        let sqs = "sqs:https://sqs.eu-central-1.amazonaws.com/123456789012/framepost-probe";
        let inbox = |text: &str| EventSource::Inbox(Location::parse(text, Role::Events).unwrap());
        let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
        for (variables, expected) in [
            (vec![lambda], EventSource::Lambda),
            (vec![("PORT", "8081"), ("K_SERVICE", "probe")], EventSource::Http { port: 8081 }),
            (vec![("K_SERVICE", "probe")], EventSource::Http { port: 8080 }),
            (vec![("FRAMEPOST_EVENTS", "file:///srv/footage")], inbox("file:///srv/footage")),
            (vec![("FRAMEPOST_EVENTS", sqs), ("PORT", "80")], inbox(sqs)),
            (vec![("FRAMEPOST_EVENTS", ""), lambda], EventSource::Lambda),
        ] {
            assert_eq!(read(&variables).unwrap().events, expected, "{variables:?}");
        }
        let bus = "eventbridge:arn:aws:events:eu-central-1:1:event-bus/b";
        let environment = read(&[lambda, ("FRAMEPOST_RECORDS", bus), ("FRAMEPOST_DEAD_LETTERS", sqs)]).unwrap();
        assert_eq!(environment.records.to_string(), bus);
        assert_eq!(environment.dead_letters.unwrap().to_string(), sqs);
        let plain = read(&[lambda]).unwrap();
        assert_eq!((plain.records.scheme(), plain.dead_letters), ("log", None));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
        let missing = read(&[]).unwrap_err().to_string();
        assert!(missing.contains("FRAMEPOST_EVENTS") && missing.contains("file:///directory"), "{missing}");
        for (name, value) in [
            ("FRAMEPOST_EVENTS", "s3://footage"),
            ("FRAMEPOST_EVENTS", "pubsub:projects/p/topics/t"),
            ("FRAMEPOST_RECORDS", "pubsub:projects/p/subscriptions/s"),
            ("FRAMEPOST_DEAD_LETTERS", "log:"),
        ] {
            let error = read(&[lambda, (name, value)]).unwrap_err();
            assert!(matches!(error, EnvironmentError::NoLocation { name: found, .. } if found == name), "{error:?}");
        }
        let port = read(&[("PORT", "http")]).unwrap_err();
        assert!(matches!(port, EnvironmentError::Invalid { name: "PORT", .. }), "{port:?}");
    }
}
