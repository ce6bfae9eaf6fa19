//! The numbers that the gateway gives of itself.

use super::scene::{PATIENCE, Scene, record, until};
use super::scripted::{CLIP, GROUP, Scripted, Step};
use edge_uploader::camera::CameraEvent;
use edge_uploader::clock::TrustedClock;
use edge_uploader::metrics;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Status and headers, and the body.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

/// Returns the value of `sample`, given with its labels, in an OpenMetrics text; panics without one.
pub(crate) fn value(body: &str, sample: &str) -> u64 {
    let found = body.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{sample} is missing in\n{body}")).parse().unwrap()
}

#[tokio::test]
async fn metrics_are_open_metrics_with_the_numbers_of_each_camera() {
    let scene = Scene::new();
    let gateway = Arc::new(scene.start().await);
    let address = metrics::serve("127.0.0.1:0".parse().unwrap(), Arc::downgrade(&gateway)).await.unwrap();
    let mut steps = vec![CLIP.parameters()];
    steps.extend(CLIP.frames(12 * GROUP, 0, Duration::from_secs(10)));
    steps.push(Step::Event(CameraEvent::PacketsLost(7)));
    let recorded = record(&gateway, "gate", Scripted::live([steps]), TrustedClock::Gateway);
    let yard = record(&gateway, "yard", Scripted::refusing(), TrustedClock::Gateway);
    until("it is uploaded", || {
        recorded.stats.packets_lost.load(Relaxed) == 7 && gateway.upload_stats().created_objects >= 3
    })
    .await;
    until("nothing waits", || gateway.spool().pending().0 == 0).await;

    let (head, body) = get(address, "/metrics").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert!(head.contains("application/openmetrics-text"), "{head}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    assert_eq!(value(&body, "framepost_edge_frames_total{camera=\"gate\"}"), 144);
    assert_eq!(value(&body, "framepost_edge_frames_total{camera=\"yard\"}"), 0);
    assert_eq!(value(&body, "framepost_edge_packets_lost_total{camera=\"gate\"}"), 7);
    assert_eq!(value(&body, "framepost_edge_connects_total{camera=\"gate\"}"), 1);
    assert_eq!(value(&body, "framepost_edge_random_access_frames_total{camera=\"gate\"}"), 12);
    assert_eq!(value(&body, "framepost_edge_chunks_between_total{camera=\"gate\"}"), 0);
    assert_eq!(value(&body, "framepost_edge_camera_unstored{camera=\"gate\"}"), 0);
    assert_eq!(value(&body, "framepost_edge_camera_up{camera=\"gate\"}"), 1);
    assert_eq!(value(&body, "framepost_edge_camera_up{camera=\"yard\"}"), 0);
    assert_eq!(value(&body, "framepost_edge_chunks_total{camera=\"gate\"}"), 3);
    assert_eq!(value(&body, "framepost_edge_uploaded_objects_total"), 3);
    assert_eq!(value(&body, "framepost_edge_spool_objects"), 0);
    let received = value(&body, "framepost_edge_received_bytes_total{camera=\"gate\"}");
    let uploaded = value(&body, "framepost_edge_uploaded_bytes_total");
    assert!(uploaded > 0 && received > uploaded / 2, "{received} {uploaded}");
    well_formed(&body);

    assert_eq!(get(address, "/healthz").await.1, "ok\n");
    assert!(get(address, "/").await.0.starts_with("http/1.1 404"));
    gateway.stop();
    recorded.ended().await;
    yard.ended().await;
    gateway.shutdown(PATIENCE).await;
    drop(gateway);
    assert!(get(address, "/healthz").await.0.starts_with("http/1.1 503"));
    assert!(get(address, "/metrics").await.1.ends_with("# EOF\n"));
}

/// The grammar, as far as it can go wrong here: each sample belongs to the family declared before it, no family is declared
/// and no sample is given twice.
fn well_formed(body: &str) {
    let mut family = "";
    let mut families = Vec::new();
    let mut samples = Vec::new();
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let Some(("TYPE", rest)) = comment.split_once(' ') else { continue };
            family = rest.split(' ').next().unwrap();
            assert!(!families.contains(&family), "{family} twice");
            families.push(family);
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(sample.starts_with(family), "{sample} after {family}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(!samples.contains(&sample), "{sample} twice");
            samples.push(sample);
        }
    }
}
