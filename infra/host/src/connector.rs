//! The one place where a location becomes an adapter.
//!
//! Every [`Location`] goes to the [`Cloud`] that is registered for it in [`CLOUDS`], and each cloud is made once, so all
//! adapters of one share its session. A new cloud is one line there.

use crate::LogBus;
use crate::environment::EnvironmentError;
use framepost_ports::location::Place;
use framepost_ports::{Bus, Cloud, DeadLetters, Location};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Reads a variable; an empty one is as good as none.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

type Make = fn(&Variables) -> framepost_ports::Result<Arc<dyn Cloud>>;

/// The clouds by their names in locations, which are those of cargo features; `None` where this program was built without.
const CLOUDS: [(&str, Option<Make>); 8] = [
    ("local", Some(local)),
    ("aws", AWS),
    ("gcp", GCP),
    ("sqlite", SQLITE),
    ("postgres", POSTGRES),
    ("onnx", ONNX),
    ("oip", OIP),
    ("grpc", GRPC),
];

#[expect(clippy::unnecessary_wraps, reason = "other clouds can fail")]
fn local(_: &Variables) -> framepost_ports::Result<Arc<dyn Cloud>> {
    Ok(Arc::new(framepost_local::LocalCloud::default()))
}

#[cfg(feature = "aws")]
const AWS: Option<Make> = Some(|_| Ok(Arc::new(framepost_aws::AwsCloud::default())));
#[cfg(not(feature = "aws"))]
const AWS: Option<Make> = None;

#[cfg(feature = "gcp")]
const GCP: Option<Make> =
    Some(|_| Ok(Arc::new(framepost_gcp::GcpCloud::from_variables(|name| std::env::var(name).ok())?)));
#[cfg(not(feature = "gcp"))]
const GCP: Option<Make> = None;

#[cfg(feature = "sqlite")]
const SQLITE: Option<Make> = Some(databases);
#[cfg(not(feature = "sqlite"))]
const SQLITE: Option<Make> = None;

#[cfg(feature = "postgres")]
const POSTGRES: Option<Make> = Some(databases);
#[cfg(not(feature = "postgres"))]
const POSTGRES: Option<Make> = None;

#[cfg(feature = "onnx")]
const ONNX: Option<Make> = Some(models);
#[cfg(not(feature = "onnx"))]
const ONNX: Option<Make> = None;

#[cfg(feature = "oip")]
const OIP: Option<Make> = Some(models);
#[cfg(not(feature = "oip"))]
const OIP: Option<Make> = None;

#[cfg(feature = "grpc")]
const GRPC: Option<Make> = Some(models);
#[cfg(not(feature = "grpc"))]
const GRPC: Option<Make> = None;

/// Databases, whose users other clouds can vouch for.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[expect(clippy::unnecessary_wraps, reason = "other clouds can fail")]
fn databases(variables: &Variables) -> framepost_ports::Result<Arc<dyn Cloud>> {
    Ok(Arc::new(framepost_sql::SqlCloud::new(Arc::new(Connector::new(variables.clone())))))
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[async_trait::async_trait]
impl framepost_sql::Passwords for Connector {
    async fn password(
        &self,
        cloud: &'static str,
        user: &framepost_ports::DatabaseUser,
    ) -> framepost_ports::Result<String> {
        let unknown = |error: ConnectError| match error {
            ConnectError::Cloud(error) => error,
            other => framepost_ports::Error::new(framepost_ports::ErrorKind::Invalid, "log in", user.user.as_str())
                .because(other),
        };
        self.cloud(cloud, "the catalogue's login").map_err(unknown)?.database_password(user).await
    }
}

/// Models, which can lie in buckets of the other clouds.
#[cfg(any(feature = "onnx", feature = "oip", feature = "grpc"))]
#[expect(clippy::unnecessary_wraps, reason = "other clouds can fail")]
fn models(variables: &Variables) -> framepost_ports::Result<Arc<dyn Cloud>> {
    let buckets = Arc::new(Connector::new(variables.clone()));
    Ok(Arc::new(framepost_models::ModelCloud::new(buckets, variables.clone())))
}

#[cfg(any(feature = "onnx", feature = "oip", feature = "grpc"))]
#[async_trait::async_trait]
impl framepost_models::Buckets for Connector {
    async fn source(&self, at: &Location) -> framepost_ports::Result<Arc<dyn framepost_ports::ObjectSource>> {
        let unknown = |error: ConnectError| match error {
            ConnectError::Cloud(error) => error,
            other => framepost_ports::Error::new(framepost_ports::ErrorKind::Invalid, "connect", at.to_string())
                .because(other),
        };
        self.cloud_of(at).map_err(unknown)?.source(Some(at)).await
    }
}

/// Why something cannot be connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The environment does not say where it is, or not in a way that is known.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// It is of a cloud that this program was built without.
    #[error("{what} needs a program that is built with the feature `{feature}`")]
    NotBuilt {
        /// The location, or the place that runs the function.
        what: String,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// The cloud, or the disk, said no.
    #[error(transparent)]
    Cloud(#[from] framepost_ports::Error),
}

/// Makes each cloud once, when a location first needs it.
pub struct Connector {
    made: Mutex<BTreeMap<&'static str, Arc<dyn Cloud>>>,
    variables: Variables,
}

/// With the variables of this process.
impl Default for Connector {
    fn default() -> Self {
        Self::new(Arc::new(|name| std::env::var(name).ok()))
    }
}

impl Connector {
    /// Makes clouds as `variables` say, where they have settings of their own.
    pub fn new(variables: Variables) -> Self {
        Self { made: Mutex::default(), variables }
    }

    /// The cloud of this name, which `what` needs.
    pub(crate) fn cloud(&self, name: &'static str, what: impl fmt::Display) -> Result<Arc<dyn Cloud>, ConnectError> {
        let mut clouds = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cloud) = clouds.get(name) {
            return Ok(cloud.clone());
        }
        let cloud = built(&CLOUDS, name, what)?(&self.variables)?;
        clouds.insert(name, cloud.clone());
        Ok(cloud)
    }

    /// Returns the cloud that a location's scheme belongs to. Fails if its adapter is not compiled in.
    pub fn cloud_of(&self, at: &Location) -> Result<Arc<dyn Cloud>, ConnectError> {
        self.cloud(at.cloud(), at)
    }

    pub(crate) async fn bus(&self, at: &Location) -> Result<Arc<dyn Bus>, ConnectError> {
        match at.place() {
            Place::Only => Ok(Arc::new(LogBus::default())),
            _ => Ok(self.cloud_of(at)?.bus(at).await?),
        }
    }

    pub(crate) async fn dead_letters(
        &self,
        at: Option<&Location>,
    ) -> Result<Option<Arc<dyn DeadLetters>>, ConnectError> {
        match at {
            Some(at) => Ok(Some(self.cloud_of(at)?.dead_letters(at).await?)),
            None => Ok(None),
        }
    }
}

/// Returns what makes the cloud of this name, which `what` needs.
fn built(
    clouds: &[(&'static str, Option<Make>)],
    name: &'static str,
    what: impl fmt::Display,
) -> Result<Make, ConnectError> {
    let make = clouds.iter().find(|(known, _)| *known == name).and_then(|(_, make)| *make);
    make.ok_or_else(|| ConnectError::NotBuilt { what: what.to_string(), feature: name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_ports::location::Role;

    /// As a program is that was built with one of the features of models, but without the other ones.
    #[test]
    fn what_is_not_built_in_is_said_with_the_name_of_its_feature() {
        let built = |text: &str| {
            let at = Location::parse(text, Role::Detector).unwrap();
            super::built(&[("onnx", None), ("oip", Some(local)), ("grpc", None)], at.cloud(), &at).map(|_| ())
        };
        built("oip+https://host/v2/models/nano").unwrap();
        for (url, feature) in [
            ("oip+grpc://127.0.0.1:8001/v2/models/nano", "grpc"),
            ("oip+grpcs://host:8001/v2/models/nano", "grpc"),
            ("onnx:nano", "onnx"),
            ("rekognition:", "aws"),
        ] {
            let told = built(url).unwrap_err().to_string();
            assert_eq!(told, format!("{url} needs a program that is built with the feature `{feature}`"));
        }
    }

    #[test]
    fn every_cloud_of_a_location_is_registered_or_said_not_to_be_built_in() {
        let connector = Connector::default();
        for (text, role) in [
            ("file:///srv/claims", Role::Ledger),
            ("dynamodb:claims", Role::Ledger),
            ("gs://claims", Role::Ledger),
            ("s3://footage", Role::Bucket),
            ("pubsub:projects/p/topics/t", Role::Bus),
            ("sqlite:/srv/catalog.db", Role::Catalog),
            ("postgres://h/d", Role::Catalog),
            ("motion:", Role::Detector),
            ("onnx:models/yolox-nano", Role::Detector),
            ("oip+https://host/v2/models/yolox-nano", Role::Detector),
            ("oip+grpcs://host/v2/models/yolox-nano", Role::Detector),
            ("rekognition:", Role::Detector),
            ("vision:", Role::Detector),
        ] {
            let at = Location::parse(text, role).unwrap();
            let (_, make) = CLOUDS.iter().find(|(name, _)| *name == at.cloud()).unwrap();
            match (connector.cloud_of(&at), make) {
                (Ok(cloud), Some(_)) => assert!(Arc::ptr_eq(&cloud, &connector.cloud_of(&at).unwrap()), "made once"),
                (Err(ConnectError::NotBuilt { what, feature }), None) => {
                    assert_eq!((what.as_str(), feature), (text, at.cloud()));
                }
                (other, _) => panic!("{text}: {:?}", other.map(|_| ())),
            }
        }
    }
}
