//! Exports over a bucket in memory: how they are made, what a check of one finds, and who may ask for them.

mod asked;
mod checked;
mod manifest;
mod written;

use crate::made::{Gateway, SECONDS};
use crate::support::{self, Answer};
use axum::Router;
use axum::http::Method;
use framepost_api::export::{ExportBucket, ExportParts, Exports, Work};
use framepost_api::{Access, Api, router};
use framepost_ports::catalog::{CameraName, Catalog as _, Change};
use framepost_ports::contract::Footage;
use framepost_ports::memory::{MemoryBucket, MemoryCatalog, SimulatedClock};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

/// 20 chunks of `cam-0`, a gap of 60 s, 5 more with another picture; and 10 of `cam-1` of another site.
pub(crate) struct Place {
    pub(crate) bucket: Arc<MemoryBucket>,
    catalog: Arc<MemoryCatalog>,
    clock: Arc<SimulatedClock>,
    public_key: framepost_events::manifest::PublicKey,
}

/// An API over it, and what makes its exports.
pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) exports: Exports,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let bucket = Arc::new(MemoryBucket::new("footage"));
        let catalog = Arc::new(MemoryCatalog::default());
        let mut gateway = Gateway::new();
        let one = Footage::camera(0);
        let other = Footage::camera(1);
        let mut records = gateway.span(&bucket, &one, 0, 20, 1);
        records.extend(gateway.span(&bucket, &one, 20 * SECONDS + 60, 5, 2));
        records.extend(gateway.span(&bucket, &other, 0, 10, 1));
        let changes: Vec<Change> = records.into_iter().map(|record| Change::Record(Box::new(record))).collect();
        catalog.apply(&changes).await.unwrap();
        let clock = Arc::new(SimulatedClock::new("2026-11-27T01:00:00Z".parse().unwrap()));
        Self { bucket, catalog, clock, public_key: gateway.signer.public_key() }
    }

    pub(crate) fn service(&self, access: Access, work: Work) -> Service {
        let bucket = ExportBucket {
            name: "footage".to_owned(),
            sink: self.bucket.clone(),
            listing: self.bucket.clone(),
            removal: self.bucket.clone(),
        };
        let exports = Exports::new(ExportParts {
            catalog: self.catalog.clone(),
            source: self.bucket.clone(),
            clock: self.clock.clone(),
            bucket,
            work,
            public_keys: vec![self.public_key.clone()],
        });
        let router = router(Api {
            catalog: self.catalog.clone(),
            source: self.bucket.clone(),
            clock: self.clock.clone(),
            exports: Some(exports.clone()),
            access,
            media_origins: framepost_api::MediaOrigins::default(),
            workings: None,
            telling: framepost_api::Telling::AsItHappens,
        });
        Service { router, exports }
    }

    fn open(&self) -> Service {
        self.service(Access::on_loopback(([127, 0, 0, 1], 8642).into()), Work::Background)
    }

    /// The objects of exports.
    fn exported(&self) -> Vec<String> {
        self.bucket.keys().into_iter().filter(|key| framepost_events::export::is_of_export(key)).collect()
    }
}

impl Service {
    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        support::send(&self.router, method, path, headers, body).await
    }

    async fn post(&self, query: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, &format!("/v1/exports{query}"), &headers, &body.to_string()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Makes exports until this one ended.
    async fn made(&self, path: &str) -> Value {
        let ended = async {
            loop {
                let answer = self.get(path).await.json();
                if answer["state"] != "running" {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = ended => answer,
            () = self.exports.run() => unreachable!("it goes on"),
        }
    }

    /// An export of all of `cam-0`, in a directory.
    async fn exported_to(&self, directory: &Path) -> Value {
        self.exported_as(&json!([range(0, 0, 200_000)]), directory).await
    }

    /// An export of these ranges, in a directory.
    async fn exported_as(&self, ranges: &Value, directory: &Path) -> Value {
        let answer = self.post("", &json!({"name": "gate", "ranges": ranges})).await;
        assert_eq!(answer.status.as_u16(), 202, "{}", answer.text());
        let made = self.made(answer.header("location")).await;
        assert_eq!(made["state"], "complete", "{made}");
        let archive = self.get(made["archive"].as_str().unwrap()).await;
        std::fs::write(directory.join("export.zip"), &archive.body).unwrap();
        let unpacked = Command::new("python3")
            .args(["-m", "zipfile", "-e", "export.zip", "."])
            .current_dir(directory)
            .status()
            .unwrap();
        assert!(unpacked.success(), "another program can unpack it");
        std::fs::rename(directory.join(format!("export-{}", made["id"].as_str().unwrap())), directory.join("export"))
            .unwrap();
        made
    }
}

/// A range of a camera, in milliseconds from the start of the footage.
pub(crate) fn range(camera: usize, from_ms: i64, to_ms: i64) -> Value {
    let at = |ms: i64| (Gateway::start() + SignedDuration::from_millis(ms)).to_string();
    let CameraName { site, camera } = Footage::camera(camera);
    json!({"site": site, "camera": camera, "from": at(from_ms), "to": at(to_ms)})
}
