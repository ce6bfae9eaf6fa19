//! Rekognition: moto's canned labels, and each error that the service documents.

#![cfg(feature = "detect")]

use crate::services::cloud;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use framepost_aws::{Credentials, RekognitionDetector, S3Options, Session};
use framepost_ports::{Detector as _, Effect, ErrorKind, Picture, chain};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

fn picture() -> Picture {
    Picture::new(64, 48, Bytes::from(vec![90; 64 * 48 * 3]), Duration::ZERO).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn motos_labels_become_detections() {
    let Some(cloud) = cloud().await else { return };
    let detector = RekognitionDetector::new(&cloud.session);
    assert_eq!((detector.model().detector.as_str(), detector.model().name.as_str()), ("rekognition", "detect-labels"));
    assert!(detector.price().unwrap().dollars > 0.0);
    let found = detector.detect(&[picture(), picture()]).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert_eq!(found.len(), 2);
    let [phone] = found[0].as_slice() else { panic!("{found:?}") };
    assert_eq!(phone.label, "mobile phone");
    assert!((phone.score - 0.999_364).abs() < 1e-5, "{phone:?}");
    assert!(
        (phone.bounds.left - 0.360_402).abs() < 1e-5 && (phone.bounds.height - 0.856_229).abs() < 1e-5,
        "{phone:?}"
    );
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
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        assert!(head.contains("x-amz-target: rekognitionservice.detectlabels"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut request = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut request).unwrap();
        let length = body.len();
        let kind = "content-type: application/x-amz-json-1.1";
        write!(stream, "HTTP/1.1 {status} X\r\n{kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .unwrap();
        serde_json::from_slice(&request).unwrap()
    });
    (url, served)
}

async fn detector(endpoint: &str) -> RekognitionDetector {
    let options = S3Options {
        endpoint_url: Some(endpoint.parse().unwrap()),
        region: Some("eu-central-1".to_owned()),
        credentials: Some(Credentials { access_key_id: "a".to_owned(), secret_access_key: "b".to_owned() }),
        ..S3Options::default()
    };
    RekognitionDetector::new(&Session::new(options).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_labels_with_boxes_are_detections_and_a_box_stays_in_the_picture() {
    let body = r#"{"Labels":[{"Name":"Outdoors","Confidence":99.0,"Instances":[]},
        {"Name":"Person","Confidence":80.0,"Instances":[
            {"Confidence":75.0,"BoundingBox":{"Left":-0.1,"Top":0.5,"Width":0.35,"Height":0.75}},
            {"BoundingBox":{"Left":0.5,"Top":0.0,"Width":0.25,"Height":0.25}},
            {"Confidence":90.0}]}]}"#;
    let (endpoint, served) = answer_once(200, body);
    let found = detector(&endpoint).await.detect(&[picture()]).await.unwrap();
    let shown: Vec<(&str, f64, [f64; 4])> = found[0]
        .iter()
        .map(|d| (d.label.as_str(), d.score, [d.bounds.left, d.bounds.top, d.bounds.width, d.bounds.height]))
        .collect();
    let [("person", first, [0.0, 0.5, width, 0.5]), ("person", second, [0.5, 0.0, 0.25, 0.25])] = shown[..] else {
        panic!("{shown:?}")
    };
    assert!((first - 0.75).abs() < 1e-6 && (second - 0.8).abs() < 1e-6 && (width - 0.25).abs() < 1e-6, "{shown:?}");
    let request = served.join().unwrap();
    let jpeg = STANDARD.decode(request["Image"]["Bytes"].as_str().unwrap()).unwrap();
    assert_eq!(&jpeg[..3], [0xff, 0xd8, 0xff]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_error_says_what_can_be_done_and_is_not_paid_for_twice() {
    for (status, body, kind, effect) in [
        (400, r#"{"__type":"ThrottlingException","message":"slow down"}"#, ErrorKind::Busy, Effect::None),
        // "DetectLabels", Errors: it has the status 500 there.
        (500, r#"{"__type":"ThrottlingException","message":"slow down"}"#, ErrorKind::Busy, Effect::Unknown),
        (400, r#"{"__type":"ProvisionedThroughputExceededException"}"#, ErrorKind::Busy, Effect::None),
        (400, r#"{"__type":"LimitExceededException"}"#, ErrorKind::Busy, Effect::None),
        (400, r#"{"__type":"ServiceQuotaExceededException"}"#, ErrorKind::Busy, Effect::None),
        (429, "", ErrorKind::Busy, Effect::None),
        (400, r#"{"__type":"AccessDeniedException","message":"no"}"#, ErrorKind::Denied, Effect::None),
        (400, r#"{"__type":"UnrecognizedClientException"}"#, ErrorKind::Denied, Effect::None),
        (400, r#"{"__type":"ExpiredTokenException"}"#, ErrorKind::Denied, Effect::None),
        (403, "", ErrorKind::Denied, Effect::None),
        (400, r#"{"__type":"InvalidImageFormatException"}"#, ErrorKind::Invalid, Effect::None),
        (400, r#"{"__type":"ImageTooLargeException"}"#, ErrorKind::Invalid, Effect::None),
        (413, "", ErrorKind::Invalid, Effect::None),
        (400, r#"{"__type":"InvalidParameterException"}"#, ErrorKind::Invalid, Effect::None),
        (500, r#"{"__type":"InternalServerError"}"#, ErrorKind::Busy, Effect::Unknown),
        (503, "", ErrorKind::Busy, Effect::None),
    ] {
        // The server takes one connection: a second attempt would find nobody and be another error.
        let (endpoint, served) = answer_once(status, body);
        let error = detector(&endpoint).await.detect(&[picture()]).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (kind, effect), "{status} {body}: {}", chain(&error));
        served.join().unwrap();
    }
}
