//! Databases as a cloud that has catalogues and nothing else.

use async_trait::async_trait;
use framepost_ports::location::Place;
use framepost_ports::{Catalog, Cloud, Location, Result, not_one};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Opens catalogues. Whoever asks for one that is open shares it.
#[derive(Default)]
pub struct SqlCloud {
    open: Mutex<BTreeMap<String, Arc<dyn Catalog>>>,
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
            Place::Database(url) => Arc::new(crate::PostgresCatalog::connect(url.as_str()).await?),
            _ => return Err(not_one(at, "a catalogue that this program was built with")),
        };
        open.insert(name, catalog.clone());
        Ok(catalog)
    }
}
