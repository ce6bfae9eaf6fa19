//! What a function is given to work with, connected.

use crate::bucket::NamedBucket;
use crate::connector::{ConnectError, Connector, Variables};
use crate::environment::{self, EnvironmentError};
use framepost_ports::location::Role;
use framepost_ports::{Bus, Catalog, Clock, Detector, Ledger, Location, ObjectSink, ObjectSource, SystemClock};
use std::sync::Arc;
use tokio::sync::OnceCell;

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

    /// Whether the function runs in a Lambda, which has one request at a time and does not notice that the caller has gone.
    pub fn is_in_lambda(&self) -> bool {
        self.variable(environment::LAMBDA).is_some()
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
    use crate::LogBus;
    use framepost_local::LocalBucket;
    use framepost_ports::ledger::Claimed;
    use std::collections::BTreeMap;
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
}
