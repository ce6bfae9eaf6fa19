//! Databases as a cloud that has catalogues and nothing else.

use async_trait::async_trait;
use framepost_ports::location::Place;
use framepost_ports::{Catalog, Cloud, DatabaseUser, Error, ErrorKind, Location, Result, not_one};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Gives passwords of users whom a cloud vouches for.
#[async_trait]
pub trait Passwords: Send + Sync {
    /// A password for the connection that is being made. `cloud` is the cloud's name, as locations have it.
    async fn password(&self, cloud: &'static str, user: &DatabaseUser) -> Result<String>;
}

/// Where no cloud vouches for anybody.
pub(crate) struct Nobody;

#[async_trait]
impl Passwords for Nobody {
    async fn password(&self, cloud: &'static str, user: &DatabaseUser) -> Result<String> {
        let why = format!("{cloud} is not known here");
        Err(Error::new(ErrorKind::Invalid, "log in", user.user.as_str()).because(why))
    }
}

/// Opens catalogues. Whoever asks for one that is open shares it.
pub struct SqlCloud {
    open: Mutex<BTreeMap<String, Arc<dyn Catalog>>>,
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "a file asks for none"))]
    passwords: Arc<dyn Passwords>,
}

/// One that logs in as URLs say.
impl Default for SqlCloud {
    fn default() -> Self {
        Self::new(Arc::new(Nobody))
    }
}

impl SqlCloud {
    /// Logs in with `passwords` where a URL says that a cloud vouches for the user.
    pub fn new(passwords: Arc<dyn Passwords>) -> Self {
        Self { open: Mutex::default(), passwords }
    }
}

#[async_trait]
impl Cloud for SqlCloud {
    async fn catalog(&self, at: &Location) -> Result<Arc<dyn Catalog>> {
        let mut open = self.open.lock().await;
        let name = match at.place() {
            Place::File(file) => file.to_string_lossy().into_owned(),
            Place::Database(url) => url.to_string(),
            _ => return Err(not_one(at, "a catalogue")),
        };
        if let Some(catalog) = open.get(&name) {
            return Ok(catalog.clone());
        }
        let catalog: Arc<dyn Catalog> = match at.place() {
            #[cfg(feature = "sqlite")]
            Place::File(file) => Arc::new(crate::SqliteCatalog::open(file).await?),
            #[cfg(feature = "postgres")]
            Place::Database(url) => {
                Arc::new(crate::PostgresCatalog::connect_with(url.as_str(), self.passwords.clone()).await?)
            }
            _ => return Err(not_one(at, "a catalogue that this program was built with")),
        };
        open.insert(name, catalog.clone());
        Ok(catalog)
    }
}
