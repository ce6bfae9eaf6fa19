//! Cloud Vision against a stub with the shapes of its published discovery document
//! (`https://vision.googleapis.com/$discovery/rest?version=v1`: `BatchAnnotateImagesResponse`, `LocalizedObjectAnnotation`).

#![cfg(feature = "detect")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use framepost_gcp::{GoogleOptions, VisionDetector};
use framepost_ports::{Detector as _, Effect, ErrorKind, Picture, chain};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

fn picture() -> Picture {
    Picture::new(64, 48, Bytes::from(vec![90; 64 * 48 * 3]), Duration::ZERO).unwrap()
}

/// Answers one request and returns it.
fn answer_once(status: u16, body: &'static str) -> (String, std::thread::JoinHandle<Value>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("POST /v1/images:annotate"), "{head}");
        let lower = head.to_ascii_lowercase();
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut request = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut request).unwrap();
        let length = body.len();
        let kind = "content-type: application/json";
        write!(stream, "HTTP/1.1 {status} X\r\n{kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .unwrap();
        serde_json::from_slice(&request).unwrap()
    });
    (url, served)
}

async fn detector(endpoint: &str) -> VisionDetector {
    VisionDetector::connect(&GoogleOptions { endpoint: Some(endpoint.parse().unwrap()) }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn localised_objects_become_detections() {
    let body = r#"{"responses":[{"localizedObjectAnnotations":[
        {"mid":"/m/01g317","name":"Person","score":0.875,"boundingPoly":{"normalizedVertices":
            [{"x":0.25,"y":0.5},{"x":0.75,"y":0.5},{"x":0.75,"y":1.25},{"x":0.25,"y":1.25}]}},
        {"mid":"/m/04dr76w","name":"Bottle","score":0.5,"boundingPoly":{"normalizedVertices":
            [{"y":0.25},{"x":0.5,"y":0.25},{"x":0.5},{}]}},
        {"mid":"/m/x","name":"Nothing","score":0.5}]}]}"#;
    let (endpoint, served) = answer_once(200, body);
    let detector = detector(&endpoint).await;
    assert_eq!(detector.model().detector, "vision");
    let found = detector.detect(&[picture()]).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let shown: Vec<(&str, f64, [f64; 4])> = found[0]
        .iter()
        .map(|d| (d.label.as_str(), d.score, [d.bounds.left, d.bounds.top, d.bounds.width, d.bounds.height]))
        .collect();
    assert_eq!(shown, [("person", 0.875, [0.25, 0.5, 0.5, 0.5]), ("bottle", 0.5, [0.0, 0.0, 0.5, 0.25])]);
    let request = served.join().unwrap();
    let asked = &request["requests"][0];
    // `OBJECT_LOCALIZATION`: the SDK writes an enumeration as its number, which JSON of protocol buffers allows.
    assert_eq!(asked["features"][0]["type"], 19);
    let jpeg = STANDARD.decode(asked["image"]["content"].as_str().unwrap()).unwrap();
    assert_eq!(&jpeg[..3], [0xff, 0xd8, 0xff]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_error_says_what_can_be_done_and_whether_it_may_be_billed() {
    let too_large =
        r#"{"error":{"code":400,"message":"Request payload size exceeds the limit","status":"INVALID_ARGUMENT"}}"#;
    for (status, body, kind, effect) in [
        (
            400,
            r#"{"error":{"code":400,"message":"Bad image","status":"INVALID_ARGUMENT"}}"#,
            ErrorKind::Invalid,
            Effect::None,
        ),
        (400, too_large, ErrorKind::Invalid, Effect::None),
        (
            401,
            r#"{"error":{"code":401,"message":"Expired","status":"UNAUTHENTICATED"}}"#,
            ErrorKind::Denied,
            Effect::None,
        ),
        (403, r#"{"error":{"code":403,"message":"No","status":"PERMISSION_DENIED"}}"#, ErrorKind::Denied, Effect::None),
        (
            429,
            r#"{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED"}}"#,
            ErrorKind::Busy,
            Effect::None,
        ),
        (503, r#"{"error":{"code":503,"message":"Later","status":"UNAVAILABLE"}}"#, ErrorKind::Busy, Effect::None),
        (500, r#"{"error":{"code":500,"message":"Oh","status":"INTERNAL"}}"#, ErrorKind::Busy, Effect::Unknown),
        (502, "<html>proxy</html>", ErrorKind::Intercepted, Effect::Unknown),
        (200, r#"{"responses":[{"error":{"code":3,"message":"Bad image data."}}]}"#, ErrorKind::Invalid, Effect::None),
        (200, r#"{"responses":[{"error":{"code":8,"message":"Quota"}}]}"#, ErrorKind::Busy, Effect::Unknown),
        (200, r#"{"responses":[{"error":{"code":7,"message":"No"}}]}"#, ErrorKind::Denied, Effect::None),
        (200, r#"{"responses":[]}"#, ErrorKind::Corrupt, Effect::Unknown),
    ] {
        let (endpoint, served) = answer_once(status, body);
        let error = detector(&endpoint).await.detect(&[picture()]).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (kind, effect), "{status} {body}: {}", chain(&error));
        served.join().unwrap();
    }
}
