//! What a function is given to work with, connected: the one place where a location becomes an adapter.
//!
//! Every [`Location`] goes to the [`Cloud`] that is registered for it in [`CLOUDS`], and each cloud is made once, so all
//! adapters of one share its session. A new cloud is one line there.

use crate::LogBus;
use crate::bucket::NamedBucket;
use crate::environment::{self, EnvironmentError};
use framepost_ports::location::{Place, Role};
use framepost_ports::{
    Bus, Catalog, Clock, Cloud, DeadLetters, Detector, Ledger, Location, ObjectSink, ObjectSource, SystemClock,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

type Make = fn(&Variables) -> framepost_ports::Result<Arc<dyn Cloud>>;

/// The clouds by their names in locations, which are those of cargo features; `None` where this program was built without.
const CLOUDS: [(&str, Option<Make>); 7] = [
    ("local", Some(local)),
    ("aws", AWS),
    ("gcp", GCP),
    ("sqlite", SQLITE),
    ("postgres", POSTGRES),
    ("onnx", ONNX),
    ("oip", OIP),
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
#[cfg(any(feature = "onnx", feature = "oip"))]
#[expect(clippy::unnecessary_wraps, reason = "other clouds can fail")]
fn models(variables: &Variables) -> framepost_ports::Result<Arc<dyn Cloud>> {
    let buckets = Arc::new(Connector::new(variables.clone()));
    Ok(Arc::new(framepost_models::ModelCloud::new(buckets, variables.clone())))
}

#[cfg(any(feature = "onnx", feature = "oip"))]
#[async_trait::async_trait]
impl framepost_models::Buckets for Connector {
    async fn source(&self, at: &Location) -> framepost_ports::Result<Arc<dyn ObjectSource>> {
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
        let make = CLOUDS.iter().find(|(known, _)| *known == name).and_then(|(_, make)| *make);
        let make = make.ok_or_else(|| ConnectError::NotBuilt { what: what.to_string(), feature: name })?;
        let cloud = make(&self.variables)?;
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

/// What a function is given to work with.
///
/// What every function uses is connected already. What only some use is connected when it is first asked for, over the
/// same session, so that nobody pays for what another one needs.
#[derive(Clone)]
pub struct Clouds {
    /// Reads the objects that events and records are about.
    pub source: Arc<dyn ObjectSource>,
    /// The bus for records.
    pub bus: Arc<dyn Bus>,
    /// The wall clock, which tests replace.
    pub clock: Arc<dyn Clock>,
    later: Arc<Later>,
}

/// Reads a variable; an empty one is as good as none.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

struct Later {
    connector: Arc<Connector>,
    variables: Variables,
    sink: OnceCell<Arc<dyn ObjectSink>>,
    ledger: OnceCell<Ledger>,
    catalog: OnceCell<Arc<dyn Catalog>>,
}

impl Clouds {
    /// Clouds of one's own, for a program that runs functions inside itself. What is not set here is
    /// connected as `variables` say.
    pub fn new(source: Arc<dyn ObjectSource>, bus: Arc<dyn Bus>, variables: Variables) -> Self {
        Self::connected(Arc::new(Connector::new(variables.clone())), source, bus, variables)
    }

    pub(crate) fn connected(
        connector: Arc<Connector>,
        source: Arc<dyn ObjectSource>,
        bus: Arc<dyn Bus>,
        variables: Variables,
    ) -> Self {
        let later =
            Later { connector, variables, sink: OnceCell::new(), ledger: OnceCell::new(), catalog: OnceCell::new() };
        Self { source, bus, clock: Arc::new(SystemClock), later: Arc::new(later) }
    }

    /// Has objects put into `sink`, whatever the environment says.
    #[must_use]
    pub fn with_sink(self, sink: Arc<dyn ObjectSink>) -> Self {
        let later = Later { sink: OnceCell::new_with(Some(sink)), ..self.later.again() };
        Self { later: Arc::new(later), ..self }
    }

    /// Has work claimed in `ledger`, whatever the environment says.
    #[must_use]
    pub fn with_ledger(self, ledger: Ledger) -> Self {
        let later = Later { ledger: OnceCell::new_with(Some(ledger)), ..self.later.again() };
        Self { later: Arc::new(later), ..self }
    }

    /// Has this be what is known of the footage, whatever the environment says.
    #[must_use]
    pub fn with_catalog(self, catalog: Arc<dyn Catalog>) -> Self {
        let later = Later { catalog: OnceCell::new_with(Some(catalog)), ..self.later.again() };
        Self { later: Arc::new(later), ..self }
    }

    /// A setting of the function's own: an environment variable, wherever there is an environment.
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.later.variables)(name).filter(|value| !value.is_empty())
    }

    /// Where objects are put: `FRAMEPOST_SINK`.
    pub async fn sink(&self) -> Result<Arc<dyn ObjectSink>, ConnectError> {
        let connect = || async {
            let at = self.location(environment::SINK, Role::Bucket)?;
            Ok(self.later.connector.cloud_of(&at)?.sink(&at).await?)
        };
        self.later.sink.get_or_try_init(connect).await.cloned()
    }

    /// Where work that costs is claimed: `FRAMEPOST_LEDGER`.
    pub async fn ledger(&self) -> Result<Ledger, ConnectError> {
        let connect = || async {
            let at = self.location(environment::LEDGER, Role::Ledger)?;
            let store = self.later.connector.cloud_of(&at)?.ledger(&at).await?;
            Ok(Ledger::new(store, self.clock.clone()))
        };
        self.later.ledger.get_or_try_init(connect).await.cloned()
    }

    /// What is known of the footage: `FRAMEPOST_CATALOG`.
    pub async fn catalog(&self) -> Result<Arc<dyn Catalog>, ConnectError> {
        let connect = || async {
            let at = self.location(environment::CATALOG, Role::Catalog)?;
            Ok(self.later.connector.cloud_of(&at)?.catalog(&at).await?)
        };
        self.later.catalog.get_or_try_init(connect).await.cloned()
    }

    /// A bucket of the function's own choice. `at` is the location as the function's settings have it; errors name `variable`,
    /// which holds it.
    pub fn bucket(&self, variable: &'static str, at: &str) -> Result<NamedBucket, ConnectError> {
        NamedBucket::of(&self.later.connector, variable, at)
    }

    /// What says what is to be seen in pictures. `at` is the location as the function's settings have it; errors name
    /// `variable`, which holds it.
    pub async fn detector(&self, variable: &'static str, at: &str) -> Result<Arc<dyn Detector>, ConnectError> {
        let at = environment::located(variable, Role::Detector, at)?;
        Ok(self.later.connector.cloud_of(&at)?.detector(&at).await?)
    }

    fn location(&self, name: &'static str, role: Role) -> Result<Location, EnvironmentError> {
        let location = environment::location(name, role, |name| self.variable(name))?;
        location.ok_or_else(|| EnvironmentError::nowhere(name, role, "this function needs it"))
    }
}

impl Later {
    /// The same again, apart from the original.
    fn again(&self) -> Self {
        Self {
            connector: self.connector.clone(),
            variables: self.variables.clone(),
            sink: self.sink.clone(),
            ledger: self.ledger.clone(),
            catalog: self.catalog.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_local::LocalBucket;
    use framepost_ports::ledger::Claimed;
    use std::time::Duration;

    async fn clouds(dir: &std::path::Path, variables: &[(&'static str, String)]) -> Clouds {
        let bucket = LocalBucket::open(dir.join("footage")).await.unwrap();
        let variables: BTreeMap<&str, String> = variables.iter().cloned().collect();
        let variables = Arc::new(move |name: &str| variables.get(name).cloned());
        Clouds::new(Arc::new(bucket), Arc::new(LogBus::to(std::io::sink())), variables)
    }

    #[tokio::test]
    async fn a_function_gets_the_ledger_and_the_sink_that_its_environment_names() {
        let dir = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("file://{}", dir.path().join(name).display());
        let variables = [("FRAMEPOST_LEDGER", url("claims")), ("FRAMEPOST_SINK", url("footage"))];
        let clouds = clouds(dir.path(), &variables).await;
        let claim = clouds.ledger().await.unwrap().claim("w", Duration::from_mins(5)).await.unwrap();
        assert!(matches!(claim, Claimed::Won(_)));
        let claim = clouds.clone().ledger().await.unwrap().claim("w", Duration::from_mins(5)).await.unwrap();
        assert!(matches!(claim, Claimed::Held { .. }), "clones share it");
        assert!(clouds.sink().await.unwrap().url().ends_with("/footage"));
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = clouds(dir.path(), &[]).await.ledger().await.map(|_| ()).unwrap_err();
        let expected = "dynamodb:TABLE, gs://bucket or file:///directory";
        assert_eq!(
            error.to_string(),
            format!("FRAMEPOST_LEDGER is not set: this function needs it; expected {expected}")
        );
        let variables = [("FRAMEPOST_LEDGER", "postgres://user:secret@host/claims".to_owned())];
        let error = clouds(dir.path(), &variables).await.ledger().await.map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), format!("FRAMEPOST_LEDGER: expected {expected}"));
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
