//! An API over made-up footage, and its answers.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use framepost_api::{Access, Api, MediaOrigins, Telling, Workings, router};
use framepost_events::record::{Data, Record};
use framepost_ports::Catalog;
use framepost_ports::catalog::Change;
use framepost_ports::contract::Footage;
use framepost_ports::memory::{MemoryBucket, MemoryCatalog, SimulatedClock};
use framepost_sql::SqliteCatalog;
use futures::StreamExt as _;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tower::ServiceExt as _;

/// An API whose one camera of `site-0` has 20 chunks of 3 s, and then after a gap of 60 s 20 more. Another site has its own.
pub(crate) struct Service {
    router: Router,
    catalog: Arc<dyn Catalog>,
    pub(crate) keys: Vec<String>,
    /// What the catalogue was told of the camera.
    pub(crate) records: Vec<Record>,
    /// What it was told of the other site's.
    pub(crate) others: Vec<Record>,
}

/// Sends a request without a connection. Its host is the api's own address unless `headers` name another.
pub(crate) async fn send(router: &Router, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "127.0.0.1:8642");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The bytes of a chunk: each its own.
pub(crate) fn bytes(key: &str, size: u64) -> Vec<u8> {
    let seed = key.bytes().map(u64::from).sum::<u64>();
    (0..size).map(|n| u8::try_from((seed + n * 7) % 251).unwrap()).collect()
}

impl Service {
    /// For everybody on this machine.
    pub(crate) async fn start() -> Self {
        Self::with(Access::on_loopback(([127, 0, 0, 1], 8642).into())).await
    }

    pub(crate) async fn with(access: Access) -> Self {
        Self::on(access, None).await
    }

    /// On a host that can tell how its functions are.
    pub(crate) async fn on(access: Access, workings: Option<Arc<dyn Workings>>) -> Self {
        Self::of(Arc::new(MemoryCatalog::default()), access, workings, Telling::AsItHappens).await
    }

    /// For everybody on this machine, with a catalogue that answers by statements of SQL.
    pub(crate) async fn in_sql(file: &Path) -> Self {
        let catalog = Arc::new(SqliteCatalog::open(file).await.unwrap());
        Self::of(catalog, Access::on_loopback(([127, 0, 0, 1], 8642).into()), None, Telling::AsItHappens).await
    }

    /// Where nobody can be told of events as they happen.
    pub(crate) async fn in_turns() -> Self {
        let access = Access::on_loopback(([127, 0, 0, 1], 8642).into());
        Self::of(Arc::new(MemoryCatalog::default()), access, None, Telling::InTurns).await
    }

    async fn of(
        catalog: Arc<dyn Catalog>,
        access: Access,
        workings: Option<Arc<dyn Workings>>,
        telling: Telling,
    ) -> Self {
        let mut footage = Footage::new(11);
        let camera = Footage::camera(0);
        let other = Footage::camera(1);
        let bucket = MemoryBucket::new("footage");
        let mut records: Vec<Record> = Vec::new();
        let mut keys = Vec::new();
        for camera in [&camera, &other] {
            for n in 0..40 {
                let (ms, counter) = if n < 20 { (n * 3_000, n) } else { (n * 3_000 + 60_000, n - 20) };
                let made = footage.chunk(camera, ms, u64::try_from(counter).unwrap(), "1");
                if let Data::ChunkProbed(chunk) = &made[0].data {
                    bucket.insert(&chunk.object.key, "video/mp4", vec![], bytes(&chunk.object.key, chunk.size_bytes));
                    if camera == &Footage::camera(0) {
                        keys.push(chunk.object.key.clone());
                    }
                }
                records.extend(made);
            }
            records.push(footage.gap(camera, 60_000, 60_000));
        }
        let changes: Vec<Change> = records.iter().map(|record| Change::Record(Box::new(record.clone()))).collect();
        catalog.apply(&changes).await.unwrap();
        let (records, others) = records.into_iter().partition(|record| record.data.object().key.starts_with("site-0/"));
        let clock = Arc::new(SimulatedClock::new("2026-11-21T00:01:05Z".parse().unwrap()));
        let router = router(Api {
            catalog: catalog.clone(),
            source: Arc::new(bucket),
            clock,
            exports: None,
            access,
            media_origins: MediaOrigins::default(),
            workings,
            telling,
        });
        Self { router, catalog, keys, records, others }
    }

    /// Tells the catalogue of more.
    pub(crate) async fn tell(&self, changes: impl IntoIterator<Item = Change>) {
        self.catalog.apply(&changes.into_iter().collect::<Vec<_>>()).await.unwrap();
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(method, path, headers, "").await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(&self.router, method, path, headers, body).await
    }

    /// The beginning of an answer without end, up to where it has `end`.
    pub(crate) async fn begin(&self, path: &str, headers: &[(&str, &str)], end: &str) -> String {
        let mut request = Request::builder().uri(path).header("host", "127.0.0.1:8642");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let mut body = response.into_body().into_data_stream();
        let mut text = String::new();
        while !text.contains(end) {
            text.push_str(&String::from_utf8_lossy(&body.next().await.unwrap().unwrap()));
        }
        text
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }
}

/// All footage of the camera.
pub(crate) const ALL: &str = "site=site-0&camera=cam-0&from=2026-11-20T23:00:00Z&to=2026-11-21T01:00:00Z";
