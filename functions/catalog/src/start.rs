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

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_events::due::Due;
    use framepost_events::finalized::Provider;
    use framepost_events::removed::{ObjectRemoved, Removal};
    use framepost_events::{KeyKind, ObjectKey};
    use framepost_host::manifest::Manifest;
    use framepost_ports::Catalog as _;
    use framepost_ports::catalog::Interval;
    use framepost_ports::contract::Footage;
    use framepost_ports::memory::{MemoryBucket, MemoryCatalog, SimulatedClock};
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn due(name: &str) -> AnyEvent {
        AnyEvent::Due(Due { name: name.to_owned(), time: None, identity: format!("{name}-1") })
    }

    /// Each schedule of `function.yaml` does its work: the daily comparison takes the rows of what is gone, of which no message told,
    /// and old removals are forgotten.
    #[tokio::test]
    async fn each_schedule_does_its_work() {
        let manifest = Manifest::parse("function.yaml", MANIFEST).unwrap();
        let names = manifest.schedules().map(|schedule| schedule.name.as_str());
        assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(["compare", "tidy"]));

        let catalog = Arc::new(MemoryCatalog::default());
        let clock = Arc::new(SimulatedClock::new("2027-01-20T00:00:00Z".parse().unwrap()));
        let bucket = Arc::new(MemoryBucket::new("footage"));
        let place = Bucket { listing: bucket.clone(), provider: Provider::Local, name: "footage".to_owned() };
        let function = Cataloguer::new(catalog.clone(), clock).compared_with(place);
        let mut footage = Footage::new(3);
        let camera = Footage::camera(0);
        let mut keys = Vec::new();
        for n in 0..3_u64 {
            let start = footage.start() + jiff::SignedDuration::from_secs(3 * i64::try_from(n).unwrap());
            let key = ObjectKey::new(camera.site.clone(), camera.camera.clone(), start, n, KeyKind::Chunk).to_string();
            bucket.insert(&key, "video/mp4", vec![], key.clone().into_bytes());
            let version = bucket.finalized(&key).unwrap().version;
            for record in footage.chunk(&camera, i64::try_from(n * 3_000).unwrap(), n, &version) {
                assert!(matches!(function.handle(AnyEvent::Record(Box::new(record))).await, Outcome::Done));
            }
            keys.push(key);
        }
        // It was removed, and the message was lost.
        framepost_ports::ObjectRemoval::remove(&*bucket, &keys[1]).await.unwrap();
        assert!(matches!(function.handle(due("compare")).await, Outcome::Done));
        let left = catalog.briefs(&camera, Interval::ALWAYS, 10).await.unwrap();
        assert_eq!(left.iter().map(|chunk| &chunk.object.key).collect::<Vec<_>>(), [&keys[0], &keys[2]]);

        // 30 days later it is not known any more.
        let old = ObjectRemoved {
            provider: Provider::Local,
            bucket: "footage".to_owned(),
            key: keys[0].clone(),
            version: None,
            sequence: "1".to_owned(),
            removal: Removal::Deleted,
            cause: None,
            time: "2026-12-20T00:00:00Z".parse().unwrap(),
        };
        assert!(matches!(function.handle(AnyEvent::Removed(old)).await, Outcome::Done));
        assert_eq!(catalog.removed(&camera, Interval::ALWAYS, 10).await.unwrap().len(), 2);
        assert!(matches!(function.handle(due("tidy")).await, Outcome::Done));
        let removed = catalog.removed(&camera, Interval::ALWAYS, 10).await.unwrap();
        assert_eq!(removed.len(), 1, "that of today: {removed:?}");
    }
}
