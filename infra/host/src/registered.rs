//! A list of functions, for programs that run several.

use crate::clouds::Clouds;
use crate::event::Event;
use crate::manifest::{Manifest, ManifestError, Trigger};
use crate::settle::Handler;
use framepost_ports::{Function, Topic};
use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

type Make = dyn Fn(Clouds) -> BoxFuture<'static, anyhow::Result<Handler>> + Send + Sync;

/// A function that a program can run: its manifest and its constructor.
#[derive(Clone)]
pub struct Registered {
    manifest: Manifest,
    make: Arc<Make>,
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registered").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl Registered {
    /// Registers the function that `make` creates. `manifest` is the text of its `function.yaml`.
    ///
    /// # Errors
    ///
    /// Fails if the manifest is not valid.
    pub fn new<E, F, M>(
        manifest: &str,
        make: impl Fn(Clouds) -> M + Send + Sync + 'static,
    ) -> Result<Self, ManifestError>
    where
        E: Event,
        F: Function<E> + 'static,
        M: Future<Output = anyhow::Result<F>> + Send + 'static,
    {
        let manifest = Manifest::parse("function.yaml", manifest)?;
        let make = move |clouds| -> BoxFuture<'static, anyhow::Result<Handler>> {
            let function = make(clouds);
            Box::pin(async move { Ok(Handler::new(Arc::new(function.await?), None)) })
        };
        Ok(Self { manifest, make: Arc::new(make) })
    }

    /// Returns the function's name.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Returns the function's manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Creates the function. The program decides where its rejected messages go.
    pub async fn make(&self, clouds: Clouds) -> anyhow::Result<Handler> {
        (self.make)(clouds).await
    }
}

/// Returns what a subscriber with these triggers hears of. Requests and schedules are not published.
pub fn topics(triggers: &[Trigger]) -> Vec<Topic> {
    let topics = triggers.iter().filter_map(|trigger| match trigger {
        Trigger::ObjectFinalized(keys) => Some(Topic::ObjectFinalized(keys.clone())),
        Trigger::Record(records) => Some(Topic::Record(records.clone())),
        Trigger::ObjectRemoved(keys) => Some(Topic::ObjectRemoved(keys.clone())),
        Trigger::Http(_) | Trigger::Schedule(_) => None,
    });
    topics.collect()
}
