//! The gateway's metrics at `/metrics` and its health at `/healthz`.
//!
//! Names follow the Prometheus conventions: base units, `_total` for counters. The only label is `camera`.

use crate::gateway::{CameraCounters, CameraState, Episode, Gateway};
use framepost_listener::{ConnectionLimits, Versions};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A scrape takes milliseconds. Scrapers and probes are few and come again.
const LIMITS: ConnectionLimits = ConnectionLimits {
    versions: Versions::Http1,
    connections: 32,
    header_time: Duration::from_secs(30),
    idle_time: Duration::from_secs(30),
    answer_time: Duration::from_secs(30),
    lifetime: Duration::from_mins(5),
    header_bytes: 16 * 1024,
    drain: Duration::from_secs(10),
};

/// Serves the metrics of `gateway` until the process ends. Returns the address that it listens on.
pub async fn serve(listen: SocketAddr, gateway: Weak<Gateway>) -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    tracing::info!(url = format!("http://{address}/metrics"), "metrics");
    let service = move || {
        let gateway = gateway.clone();
        hyper::service::service_fn(move |request| {
            let answer = answer(&request, &gateway);
            async move { Ok::<_, Infallible>(answer) }
        })
    };
    tokio::spawn(framepost_listener::serve(listener, "metrics", LIMITS, service, CancellationToken::new()));
    Ok(address)
}

fn answer<B>(request: &Request<B>, gateway: &Weak<Gateway>) -> Response<Full<Bytes>> {
    let (status, content_type, body) = match request.uri().path() {
        "/metrics" => (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", render(gateway)),
        "/healthz" => match gateway.upgrade() {
            Some(gateway) => health(&gateway),
            None => (StatusCode::SERVICE_UNAVAILABLE, "text/plain", "stopping\n".to_owned()),
        },
        _ => (StatusCode::NOT_FOUND, "text/plain", "try /metrics or /healthz\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    response
}

/// Checks whether the frames of every camera are stored. Returns one line for each camera whose frames are not.
fn health(gateway: &Gateway) -> (StatusCode, &'static str, String) {
    let line = |camera: &CameraCounters, Episode { lasts, why }: Episode| {
        format!("{}: frames arrive and none has been stored for {} s: {why}\n", camera.name, lasts.as_secs())
    };
    let cameras = gateway.cameras();
    let bad: String = cameras.iter().filter_map(|camera| Some(line(camera, camera.unstored()?))).collect();
    if bad.is_empty() {
        (StatusCode::OK, "text/plain", "ok\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "text/plain", bad)
    }
}

fn render(gateway: &Weak<Gateway>) -> String {
    let mut registry = Registry::with_prefix("framepost_edge");
    registry.register_collector(Box::new(Snapshot(gateway.clone())));
    let mut body = String::new();
    if text::encode(&mut body, &registry).is_err() {
        body.clear();
    }
    body
}

/// The values at the time of the scrape.
#[derive(Debug)]
struct Snapshot(Weak<Gateway>);

/// Name, help text and value of a counter of a camera.
type CameraCounter = (&'static str, &'static str, fn(&CameraCounters) -> u64);

const CAMERA_COUNTERS: [CameraCounter; 13] = [
    ("frames", "Video frames received", |camera| camera.frames.load(Relaxed)),
    ("random_access_frames", "Random access frames received", |camera| camera.random_access_frames.load(Relaxed)),
    ("received_bytes", "Bytes of frames received", |camera| camera.bytes.load(Relaxed)),
    ("frames_dropped", "Frames dropped because the disk was too slow", |camera| camera.frames_dropped.load(Relaxed)),
    ("packets_lost", "RTP packets lost in transit", |camera| camera.packets_lost.load(Relaxed)),
    ("connects", "Sessions that began", |camera| camera.connects.load(Relaxed)),
    ("times_replaced", "Frames whose own times were not plausible and were replaced", |camera| {
        camera.times_replaced.load(Relaxed)
    }),
    ("clock_steps", "Lasting jumps of the camera's times", |camera| camera.clock_steps.load(Relaxed)),
    ("chunks", "Chunks closed", |camera| camera.chunks.load(Relaxed)),
    ("chunks_between", "Chunks closed that start between random access frames", |camera| {
        camera.chunks_between.load(Relaxed)
    }),
    ("chunks_active", "Chunks closed in which the camera sent more than twice its quiet level", |camera| {
        camera.chunks_active.load(Relaxed)
    }),
    ("spans", "Spans closed", |camera| camera.spans.load(Relaxed)),
    ("gaps", "Gaps recorded", |camera| camera.gaps.load(Relaxed)),
];

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(gateway) = self.0.upgrade() else { return Ok(()) };
        let cameras = gateway.cameras();
        for (name, help, value) in CAMERA_COUNTERS {
            each_camera(&mut encoder, name, help, &cameras, |camera| ConstCounter::new(value(camera)))?;
        }
        each_camera(&mut encoder, "camera_up", "1 while frames come", &cameras, |camera| {
            ConstGauge::new(i64::from(camera.state() == CameraState::Recording))
        })?;
        each_camera(&mut encoder, "camera_unstored", "1 while frames arrive and none is stored", &cameras, |camera| {
            ConstGauge::new(i64::from(camera.unstored().is_some()))
        })?;

        let measured: Vec<Arc<CameraCounters>> =
            cameras.iter().filter(|camera| camera.activity().is_some()).cloned().collect();
        let help = "How many times its quiet level the camera sent in the last chunk";
        each_camera(&mut encoder, "camera_activity", help, &measured, |camera| {
            ConstGauge::new(camera.activity().unwrap_or_default())
        })?;

        let stats = gateway.spool().stats();
        let (waiting_objects, waiting_bytes) = gateway.spool().pending();
        let quarantined = stats.iter().map(|camera| camera.quarantined_objects).sum();
        let upload = gateway.upload_stats();
        let retries = upload.retries.total();
        for (name, help, unit, value) in [
            ("spool", "Closed objects that wait for the bucket", Some(Unit::Bytes), waiting_bytes),
            ("spool_objects", "Closed objects that wait for the bucket", None, waiting_objects),
            ("quarantine_objects", "Objects that the bucket refuses for good", None, quarantined),
            ("uploads_in_flight", "Objects being uploaded", None, upload.in_flight),
        ] {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, unit.as_ref(), gauge.metric_type())?)?;
        }
        for (name, help, value) in [
            ("uploaded_objects", "Objects put into the bucket", upload.created_objects),
            ("uploaded_bytes", "Bytes of objects put into the bucket", upload.stored_bytes),
            ("sent_bytes", "Bytes sent, those of failed attempts included", upload.sent_bytes),
            ("upload_retries", "Attempts that failed and are repeated", retries),
            ("system_clock_sets", "How many times the gateway's clock was set", gateway.system_clock_sets()),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

fn each_camera<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    cameras: &[Arc<CameraCounters>],
    metric: impl Fn(&CameraCounters) -> M,
) -> Result<(), std::fmt::Error> {
    let Some(first) = cameras.first() else { return Ok(()) };
    let mut family = encoder.encode_descriptor(name, help, None, metric(first).metric_type())?;
    for camera in cameras {
        let labels = [("camera", camera.name.as_str())];
        metric(camera).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
