//! The sink's result for each answer that a put can get, from a server that lies.

use framepost_gcp::{GcsBucket, GoogleOptions};
use framepost_ports::{Effect, ErrorKind, Likeness, ObjectSink as _, Put, chain};
use framepost_tests::answers::{CONTENT_BYTES, Room, object, put_fails};
use framepost_tests::lying_server::{Answer, LyingServer};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn connect(server: &LyingServer) -> GcsBucket {
    let options = GoogleOptions { endpoint: Some(server.url().parse().unwrap()) };
    GcsBucket::connect(&"gs://footage".parse().unwrap(), &options).unwrap()
}

fn crc32c() -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(crc32c::crc32c(&vec![7; CONTENT_BYTES]).to_be_bytes())
}

fn made(crc32c: &str, bytes: usize) -> Vec<u8> {
    json!({ "kind": "storage#object", "size": bytes.to_string(), "crc32c": crc32c, "generation": "1" })
        .to_string()
        .into_bytes()
}

fn document(status: u16, message: &str) -> Answer {
    let errors = json!([{ "message": message, "domain": "global", "reason": "x" }]);
    let body = json!({ "error": { "code": status, "message": message, "errors": errors } });
    Answer::Whole(status, body.to_string().into_bytes())
}

fn page(status: u16) -> Answer {
    Answer::Whole(status, b"<html><body><h1>Welcome to the hotel's network</h1></body></html>".to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_answer_says_who_gave_it_and_what_may_have_come_of_the_put() {
    let server = LyingServer::start();
    let sink = connect(&server);
    let ours = made(&crc32c(), CONTENT_BYTES);
    server.script([Answer::Whole(200, ours.clone())]);
    assert_eq!(sink.put(&object("a b/ü.mp4")).await.unwrap(), Put::Created);
    for there in [
        document(412, "At least one of the pre-conditions you specified did not hold."),
        document(403, "gateway does not have storage.objects.delete access to the Google Cloud Storage object."),
    ] {
        server.script([there]);
        assert_eq!(sink.put(&object("k")).await.unwrap(), Put::AlreadyExists);
    }
    let cut = |bytes: &[u8]| Answer::Cut(200, bytes.to_vec());
    for (name, answer, kind, effect) in [
        ("busy", document(503, "backend error"), ErrorKind::Busy, Effect::None),
        ("rate", document(429, "rate limit"), ErrorKind::Busy, Effect::None),
        ("internal", document(500, "internal"), ErrorKind::Busy, Effect::Unknown),
        ("denied", document(403, "no storage.objects.create access"), ErrorKind::Denied, Effect::None),
        ("credentials", document(401, "Invalid Credentials"), ErrorKind::Denied, Effect::None),
        ("no bucket", document(404, "The specified bucket does not exist."), ErrorKind::NotFound, Effect::None),
        ("name", document(400, "Invalid object name"), ErrorKind::Invalid, Effect::None),
        ("crc", document(400, "Provided CRC32C doesn't match calculated CRC32C"), ErrorKind::Corrupt, Effect::None),
        ("page 403", page(403), ErrorKind::Intercepted, Effect::None),
        ("page 412", page(412), ErrorKind::Intercepted, Effect::None),
        ("page 400", page(400), ErrorKind::Intercepted, Effect::None),
        ("page 502", page(502), ErrorKind::Intercepted, Effect::Unknown),
        ("page 511", page(511), ErrorKind::Intercepted, Effect::Unknown),
        ("portal", page(200), ErrorKind::Intercepted, Effect::None),
        ("empty success", Answer::Whole(200, Vec::new()), ErrorKind::Intercepted, Effect::None),
        ("no checksum", Answer::Whole(200, br#"{"size":"100000"}"#.to_vec()), ErrorKind::Intercepted, Effect::None),
        ("null", Answer::Whole(200, b"null".to_vec()), ErrorKind::Intercepted, Effect::None),
        ("other bytes", Answer::Whole(200, made("AAAAAA==", CONTENT_BYTES)), ErrorKind::Corrupt, Effect::None),
        ("other length", Answer::Whole(200, made(&crc32c(), 7)), ErrorKind::Corrupt, Effect::None),
        ("redirect", Answer::Redirect(307), ErrorKind::Intercepted, Effect::None),
        ("moved", Answer::Redirect(301), ErrorKind::Intercepted, Effect::None),
        ("cut", cut(&ours), ErrorKind::Transport, Effect::Unknown),
        ("reset", Answer::Reset, ErrorKind::Transport, Effect::Unknown),
        ("garbage", Answer::Raw(vec![0xa5; 4096]), ErrorKind::Transport, Effect::Unknown),
        ("half a head", Answer::Raw(b"HTTP/1.1 200 OK\r\nConte".to_vec()), ErrorKind::Transport, Effect::Unknown),
    ] {
        server.script([answer]);
        put_fails(&sink, name, kind, effect).await;
    }
    assert_eq!(server.strayed(), 0, "a redirect was followed");
    let first = &server.requests()[0];
    let path = "/upload/storage/v1/b/footage/o?uploadType=multipart&ifGenerationMatch=0&name=a%20b%2F%C3%BC.mp4";
    assert!(first.head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{}", first.head);
    assert!(!first.head.to_ascii_lowercase().contains("authorization"), "a credential over plain HTTP");
    described(&first.head, &first.body, "a b/ü.mp4");
}

/// Checks a body of two parts: what the object is to be, and its bytes.
fn described(head: &str, body: &[u8], key: &str) {
    let boundary = head.split("boundary=").nth(1).unwrap().split("\r\n").next().unwrap();
    assert!(boundary.len() <= 70, "{boundary}");
    let text = String::from_utf8_lossy(body);
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    let [before, description, content, after] = parts[..] else { panic!("{} parts", parts.len()) };
    assert_eq!((before, after), ("", "--\r\n"));
    let (_, json) = description.trim_end().split_once("\r\n\r\n").unwrap();
    let said: Value = serde_json::from_str(json).unwrap();
    assert_eq!((&said["name"], &said["contentType"]), (&json!(key), &json!("video/mp4")));
    assert_eq!(said["crc32c"], json!(crc32c()));
    assert_eq!(said["metadata"]["framepost-sha256"], json!(object(key).sha256.to_string()));
    let (_, content) = content.split_once("\r\n\r\n").unwrap();
    assert_eq!(content.strip_suffix("\r\n").unwrap().as_bytes(), vec![7; CONTENT_BYTES]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_longer_than_there_is_room_for() {
    let server = LyingServer::start();
    let sink = connect(&server);
    server.script([Answer::Whole(200, made(&crc32c(), CONTENT_BYTES))]);
    sink.put(&object("first")).await.unwrap();
    let room = Room::begin();
    for answer in [
        Answer::Endless(500),
        Answer::Endless(403),
        Answer::Endless(412),
        Answer::Endless(200),
        Answer::EndlessChunks(503),
        Answer::EndlessChunks(200),
        Answer::EndlessHead,
    ] {
        for call in ["put", "look"] {
            let what = format!("{call}: {answer:?}");
            server.script([answer.clone()]);
            let error = match call {
                "put" => room.fails(&what, sink.put(&object("huge"))).await,
                _ => room.fails(&what, sink.look("huge")).await,
            };
            assert!(matches!(error.kind(), ErrorKind::Intercepted | ErrorKind::Transport), "{what}: {error}");
            assert!(chain(&error).len() < 1000, "{what}");
        }
    }
    room.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_end_is_given_up() {
    let server = LyingServer::start();
    let sink = connect(&server);
    server.script([Answer::Drip(403), Answer::Drip(200)]);
    let start = Instant::now();
    let object = object("slow");
    let (looked, put) = tokio::join!(sink.look("slow"), sink.put(&object));
    assert_eq!(looked.unwrap_err().kind(), ErrorKind::Transport);
    let error = put.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Transport, Effect::Unknown));
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_shows_what_is_there_to_whoever_may_look() {
    let server = LyingServer::start();
    let sink = connect(&server);
    let ours = object("k");
    let seen = |sha256: &str| {
        let found = json!({ "size": "100000", "crc32c": crc32c(), "metadata": { "framepost-sha256": sha256 } });
        Answer::Whole(200, found.to_string().into_bytes())
    };
    server.script([seen(&ours.sha256.to_string())]);
    let found = sink.look("a/k").await.unwrap();
    assert_eq!(found.compare(100_000, ours.sha256, None), Likeness::Same);
    assert_eq!(found.compare(100_000, ours.sha256, Some(1)), Likeness::Other);
    server.script([seen(&object("other").sha256.to_string().replace('a', "b"))]);
    assert_eq!(sink.look("a/k").await.unwrap().compare(100_000, ours.sha256, None), Likeness::Other);
    for (answer, kind) in [
        (document(403, "no storage.objects.get access"), ErrorKind::Denied),
        (document(404, "No such object: footage/a/k"), ErrorKind::NotFound),
        (page(403), ErrorKind::Intercepted),
        (page(200), ErrorKind::Intercepted),
    ] {
        server.script([answer]);
        assert_eq!(sink.look("a/k").await.unwrap_err().kind(), kind);
    }
    let head = &server.requests()[0].head;
    assert!(head.starts_with("GET /storage/v1/b/footage/o/a%2Fk?fields="), "{head}");
}
