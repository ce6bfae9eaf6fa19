//! What IAM is asked to sign, and what is made of its answers.

use super::*;
use framepost_events::Sha256;
use framepost_tests::lying_server::{self, LyingServer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

const NAME: &str = "api@example-project.iam.gserviceaccount.com";

fn account(server: &LyingServer) -> Signer {
    let options = GoogleOptions { endpoint: Some(server.url().parse().unwrap()) };
    Account { iam: Api::connect(&options).unwrap(), name: OnceCell::new_with(Some(NAME.to_owned())) }.into()
}

fn get(bucket: &'static str) -> PresignedGet<'static> {
    let lasts = Duration::from_mins(15);
    PresignedGet { bucket, key: "plant-7/a b/ü.mp4", content_type: "video/mp4", lasts }
}

fn signature(bytes: &[u8]) -> lying_server::Answer {
    let body = json!({ "keyId": "1", "signedBlob": BASE64_STANDARD.encode(bytes) });
    lying_server::Answer::Whole(200, body.to_string().into_bytes())
}

/// The text to sign for a URL, as <https://docs.cloud.google.com/storage/docs/authentication/canonical-requests> has it.
fn text_to_sign(url: &Url) -> String {
    let query = url.query().unwrap().split('&').filter(|part| !part.starts_with("X-Goog-Signature="));
    let mut query: Vec<&str> = query.collect();
    query.sort_unstable();
    let query = query.join("&");
    let path = url.path();
    let host = url.host_str().unwrap();
    let canonical = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
    let of: BTreeMap<_, _> = url.query_pairs().collect();
    let time = &of["X-Goog-Date"];
    let scope = format!("{}/auto/storage/goog4_request", &time[..8]);
    assert_eq!(of["X-Goog-Credential"], format!("{NAME}/{scope}"));
    format!("GOOG4-RSA-SHA256\n{time}\n{scope}\n{}", Sha256::of(canonical.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_for_one_object_and_has_the_signature_of_exactly_that() {
    for (bucket, start) in [
        ("footage", "https://footage.storage.googleapis.com/plant-7/a%20b/%C3%BC.mp4?"),
        ("my.footage", "https://storage.googleapis.com/my.footage/plant-7/a%20b/%C3%BC.mp4?"),
    ] {
        let server = LyingServer::start();
        server.script([signature(b"\x01\xab")]);
        let made = presigned(&account(&server), get(bucket), None).await.unwrap();
        assert!(made.starts_with(start), "{made}");
        let url: Url = made.parse().unwrap();
        let of: BTreeMap<_, _> = url.query_pairs().collect();
        for (name, expected) in [
            ("X-Goog-Algorithm", "GOOG4-RSA-SHA256"),
            ("X-Goog-Expires", "900"),
            ("X-Goog-Signature", "01ab"),
            ("response-content-type", "video/mp4"),
            ("response-content-disposition", "attachment"),
        ] {
            assert_eq!(of[name], expected, "{name}");
        }
        let asked = &server.requests()[0];
        let path = format!("POST /v1/projects/-/serviceAccounts/{NAME}:signBlob HTTP/1.1\r\n");
        assert!(asked.head.starts_with(&path), "{}", asked.head);
        let body: Value = serde_json::from_slice(&asked.body).unwrap();
        let payload = BASE64_STANDARD.decode(body["payload"].as_str().unwrap()).unwrap();
        assert_eq!(String::from_utf8(payload).unwrap(), text_to_sign(&url));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_signature_is_an_error_of_its_kind() {
    use lying_server::Answer::{Reset, Whole};
    let refused = |status: u16, message: &str| {
        let body = json!({ "error": { "code": status, "message": message, "status": "PERMISSION_DENIED" } });
        Whole(status, body.to_string().into_bytes())
    };
    for (name, answer, expected) in [
        ("no right", refused(403, "Permission 'iam.serviceAccounts.signBlob' denied"), ErrorKind::Denied),
        ("busy", refused(503, "busy"), ErrorKind::Busy),
        ("a page", Whole(200, b"<html>Welcome</html>".to_vec()), ErrorKind::Intercepted),
        ("no base64", Whole(200, br#"{"signedBlob":"?"}"#.to_vec()), ErrorKind::Intercepted),
        ("too long", Whole(200, vec![b' '; LARGEST_ANSWER_BYTES + 1]), ErrorKind::Intercepted),
        ("reset", Reset, ErrorKind::Transport),
    ] {
        let server = LyingServer::start();
        server.script([answer]);
        let error = presigned(&account(&server), get("footage"), None).await.expect_err(name);
        assert_eq!(error.kind(), expected, "{name}: {}", framepost_ports::chain(&error));
    }
}

#[tokio::test]
async fn nobody_signs_for_an_emulator() {
    let options = GoogleOptions { endpoint: Some("http://127.0.0.1:4443".parse().unwrap()) };
    assert!(signer(&options).unwrap().is_none());
}
