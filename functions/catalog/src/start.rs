//! The function, made of what its host gives it.

use crate::Cataloguer;
use crate::compare::Bucket;
use async_trait::async_trait;
use framepost_host::{AnyEvent, Clouds};
use framepost_ports::catalog::Change;
use framepost_ports::{Function, Outcome, Reason};

/// What this function is triggered by and what it needs: `function.yaml`.
pub const MANIFEST: &str = include_str!("../function.yaml");

/// The bucket that the catalogue is compared with.
const BUCKET: &str = "FRAMEPOST_CATALOG_BUCKET";
/// The schedule by which it is.
const COMPARE: &str = "compare";

/// Makes the function of its clouds.
pub async fn start(clouds: Clouds) -> anyhow::Result<Cataloguer> {
    let cataloguer = Cataloguer::new(clouds.catalog().await?, clouds.clock.clone());
    let Some(at) = clouds.variable(BUCKET) else { return Ok(cataloguer) };
    let bucket = clouds.bucket(BUCKET, &at)?;
    let listing = bucket.listing().await?;
    Ok(cataloguer.compared_with(Bucket { listing, provider: bucket.provider, name: bucket.name }))
}

#[async_trait]
impl Function<AnyEvent> for Cataloguer {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn done_metric(&self) -> &'static str {
        "ChangesCatalogued"
    }

    async fn handle(&self, event: AnyEvent) -> Outcome {
        match event {
            AnyEvent::Record(record) => self.take(Change::Record(record)).await,
            AnyEvent::Removed(removed) => self.take(Change::Removed(removed)).await,
            AnyEvent::Due(due) if due.name == COMPARE => self.compare().await,
            AnyEvent::Due(_) => self.tidy().await,
            AnyEvent::Finalized(event) => Outcome::Skip(Reason::new(
                "not-a-record",
                format!("{} is complete, which probe says more of", event.key),
            )),
        }
    }
}
