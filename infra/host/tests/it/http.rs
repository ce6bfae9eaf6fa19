//! Messages over real HTTP, each answered as its sender understands it.

#![cfg(feature = "http")]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use framepost_events::ObjectFinalized;
use framepost_events::finalized::Notice;
use framepost_host::Handler;
use framepost_host::http::{HttpLimits, Senders, run};
use framepost_ports::memory::ParkedLetters;
use framepost_ports::{DeadLetters, ErrorKind, Function, Outcome, Reason};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, Semaphore, oneshot};
use tokio::task::JoinHandle;

/// Does what the key says, and remembers what it was asked.
struct ByKey {
    asked: Mutex<Vec<ObjectFinalized>>,
    all_together: Barrier,
    go_on: Semaphore,
}

/// As many as have to be there at a time before one of them goes on.
const TOGETHER: usize = 8;

impl Default for ByKey {
    fn default() -> Self {
        Self { asked: Mutex::default(), all_together: Barrier::new(TOGETHER), go_on: Semaphore::new(0) }
    }
}

#[async_trait::async_trait]
impl Function<ObjectFinalized> for ByKey {
    fn name(&self) -> &'static str {
        "by-key"
    }

    async fn handle(&self, event: ObjectFinalized) -> Outcome {
        let key = event.key.clone();
        self.asked.lock().unwrap().push(event);
        match key.as_str() {
            "panic" => panic!("as asked"),
            "retry" => Outcome::Retry { after: Duration::from_millis(7001), reason: Reason::new("busy", "as asked") },
            "reject" => Outcome::Reject(Reason::new("not-media", "as asked")),
            "skip" => Outcome::Skip(Reason::new("not-ours", "as asked")),
            "together" => {
                self.all_together.wait().await;
                Outcome::Done
            }
            "wait" => {
                self.go_on.acquire().await.unwrap().forget();
                Outcome::Done
            }
            _ => Outcome::Done,
        }
    }
}

struct Running {
    url: String,
    function: Arc<ByKey>,
    parked: Option<Arc<ParkedLetters>>,
    client: Client,
    stop: oneshot::Sender<()>,
    service: JoinHandle<()>,
}

#[derive(Clone, Copy)]
enum Rejects {
    Parked,
    Logged,
}

async fn start(rejects: Rejects, limits: HttpLimits) -> Running {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let function = Arc::new(ByKey::default());
    let parked = matches!(rejects, Rejects::Parked).then(Arc::<ParkedLetters>::default);
    let handler = Handler::new(function.clone(), parked.clone().map(|parked| parked as Arc<dyn DeadLetters>));
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { stopped.await.unwrap_or(()) };
    let service = tokio::spawn(run(handler, Senders::Admitted, limits, listener, shutdown));
    Running { url, function, parked, client: Client::new(), stop, service }
}

impl Running {
    async fn post(&self, headers: &BTreeMap<String, String>, body: impl Into<reqwest::Body>) -> Response {
        let mut request = self.client.post(&self.url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.unwrap()
    }

    async fn push(&self, key: &str) -> Response {
        self.post(&BTreeMap::new(), push(key).to_string()).await
    }

    fn letters(&self) -> Vec<framepost_ports::DeadLetter> {
        self.parked.as_ref().unwrap().letters()
    }

    fn asked(&self) -> Vec<ObjectFinalized> {
        std::mem::take(&mut self.function.asked.lock().unwrap())
    }
}

/// What Cloud Storage says of an object, as Pub/Sub pushes it.
fn push(key: &str) -> Value {
    let resource = json!({ "kind": "storage#object", "bucket": "footage", "name": key, "generation": "1763651307123456",
        "metageneration": "1", "size": "5", "timeCreated": "2026-11-20T15:08:27.130Z" });
    let attributes = json!({ "eventType": "OBJECT_FINALIZE", "payloadFormat": "JSON_API_V1", "bucketId": "footage",
        "objectId": key, "objectGeneration": "1763651307123456", "eventTime": "2026-11-20T15:08:27.142871Z" });
    json!({ "subscription": "projects/example-project/subscriptions/framepost-probe", "deliveryAttempt": 2, "message": {
        "attributes": attributes, "data": BASE64_STANDARD.encode(resource.to_string()),
        "messageId": "12948714093211", "message_id": "12948714093211",
        "publishTime": "2026-11-20T15:08:27.201Z", "publish_time": "2026-11-20T15:08:27.201Z" } })
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/samples")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[tokio::test]
async fn every_senders_message_gets_to_the_function() {
    let running = start(Rejects::Logged, HttpLimits::default()).await;
    let mut tried = 0;
    for entry in std::fs::read_dir(samples()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".expected.json") else { continue };
        // Pulled ones have no request; the suite of `events` reads them.
        if name.starts_with("gcs-pulled") {
            continue;
        }
        let expected: Value = read(&samples().join(&file)).unwrap();
        let headers: BTreeMap<String, String> =
            read(&samples().join(format!("{name}.headers.json"))).unwrap_or_default();
        let body = std::fs::read(samples().join(format!("{name}.json"))).unwrap_or_default();
        let answer = running.post(&headers, body).await.status();
        let asked = running.asked();
        tried += 1;
        let Ok(notices) = serde_json::from_value::<Vec<Notice>>(expected["notices"].clone()) else {
            assert_eq!((answer, asked.len()), (StatusCode::BAD_REQUEST, 0), "{name}");
            continue;
        };
        let finalized: Vec<ObjectFinalized> = notices
            .into_iter()
            .filter_map(|notice| match notice {
                Notice::Finalized(event) => Some(event),
                Notice::Removed(_) | Notice::Ignored { .. } => None,
            })
            .collect();
        assert_eq!((answer, asked), (StatusCode::NO_CONTENT, finalized), "{name}");
    }
    assert!(tried > 30, "{tried} samples");
}

#[tokio::test]
async fn each_outcome_has_its_answer() {
    let running = start(Rejects::Parked, HttpLimits::default()).await;
    for (key, expected) in [("a b", 204), ("skip", 204), ("reject", 204), ("retry", 503), ("panic", 503)] {
        assert_eq!(running.push(key).await.status(), expected, "{key}");
    }
    assert_eq!(running.push("retry").await.headers()["retry-after"], "8");
    let letters = running.letters();
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.function, letter.reason.code.as_str()), ("by-key", "not-media"));
    assert!(letter.attributes.contains(&("objectId".to_owned(), "reject".to_owned())), "{:?}", letter.attributes);
    let resource: Value = serde_json::from_slice(&letter.body).unwrap();
    assert_eq!(resource["name"], "reject", "the message itself, as it was published");
    running.parked.as_ref().unwrap().fail_next(ErrorKind::Busy);
    assert_eq!(running.push("reject").await.status(), 503, "not acknowledged before it is parked");
}

#[tokio::test]
async fn a_message_that_is_no_event_is_parked_and_a_request_that_is_no_message_is_not() {
    let text =
        |data: &str| json!({ "message": { "data": BASE64_STANDARD.encode(data), "messageId": "1" } }).to_string();
    let headers = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let event = headers(&[
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "//x"),
        ("ce-type", "com.example.unknown"),
        ("authorization", "Bearer secret"),
        ("cookie", "secret"),
    ]);
    let unwrapped = headers(&[("x-goog-pubsub-message-id", "9")]);
    let messages = [(headers(&[]), text("junk")), (event, "{}".to_owned()), (unwrapped, "junk".to_owned())];
    let bare =
        ["", "junk", "[]", "{}", r#"{"message":"text"}"#, r#"{"message":{"data":"%"}}"#, r#"{"message":{"data":5}}"#];

    let parking = start(Rejects::Parked, HttpLimits::default()).await;
    let logging = start(Rejects::Logged, HttpLimits::default()).await;
    for (headers, body) in &messages {
        assert_eq!(parking.post(headers, body.clone()).await.status(), 204, "{headers:?} {body}");
        assert_eq!(logging.post(headers, body.clone()).await.status(), 400, "{headers:?} {body}");
    }
    for body in bare {
        assert_eq!(parking.post(&BTreeMap::new(), body).await.status(), 400, "{body}");
    }
    let letters = parking.letters();
    assert_eq!(letters.len(), messages.len());
    for letter in &letters {
        assert_eq!(letter.reason.code, "not-an-event");
        assert!(letter.attributes.iter().all(|(_, value)| !value.contains("secret")), "{:?}", letter.attributes);
    }
    assert_eq!(letters[0].body, "junk");
    assert!(parking.asked().is_empty());
}

#[tokio::test]
async fn what_takes_too_much_is_refused() {
    let limits = HttpLimits {
        body_bytes: 4096,
        head: Duration::from_millis(300),
        body: Duration::from_millis(300),
        ..HttpLimits::default()
    };
    let running = start(Rejects::Logged, limits).await;
    let mut large = push("a b");
    large["message"]["attributes"]["pad"] = "x".repeat(4096).into();
    assert_eq!(running.post(&BTreeMap::new(), large.to_string()).await.status(), 413);

    let address = running.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let until_closed = async |sent: &str| {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // The rest of what was sent is not read, so the end may be a reset.
        let _ = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer))
            .await
            .expect("the connection is ended");
        answer
    };
    let slow_body = until_closed("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{").await;
    assert!(slow_body.starts_with("HTTP/1.1 408 "), "{slow_body}");
    let slow_head = until_closed("POST / HTTP/1.1\r\nhost: x\r\n").await;
    assert!(!slow_head.contains(" 20"), "{slow_head}");
    // What does not even say which version of HTTP it speaks.
    assert_eq!(until_closed("").await, "");
    assert_eq!(until_closed("PRI * HT").await, "");
    let large_head = until_closed(&format!("POST / HTTP/1.1\r\nhost: x\r\na: {}\r\n", "a".repeat(100_000))).await;
    assert!(large_head.is_empty() || large_head.starts_with("HTTP/1.1 431 "), "{large_head}");
    assert!(running.asked().is_empty());
    assert_eq!(running.push("a b").await.status(), 204);
}

#[tokio::test]
async fn a_crowd_of_connections_takes_no_place_of_a_sender() {
    let limits = HttpLimits { connections: 8, head: Duration::from_mins(1), ..HttpLimits::default() };
    let running = start(Rejects::Logged, limits).await;
    let address = running.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    // One whose message is being handled keeps its connection.
    let url = running.url.clone();
    let client = running.client.clone();
    let in_hand = tokio::spawn(async move { client.post(url).body(push("wait").to_string()).send().await });
    while running.function.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut crowd = Vec::new();
    for part in ["", "POST / HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"].iter().cycle().take(60) {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(part.as_bytes()).await.unwrap();
        crowd.push(stream);
    }
    let fresh = Client::new();
    assert_eq!(fresh.post(&running.url).body(push("a b").to_string()).send().await.unwrap().status(), 204);
    running.function.go_on.add_permits(1);
    assert_eq!(in_hand.await.unwrap().unwrap().status(), 204);
    // All but as many as there may be are ended.
    for stream in &mut crowd[..50] {
        let ended = async { while let Ok(1..) = stream.read(&mut [0; 1024]).await {} };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the connection is ended");
    }
}

#[tokio::test]
async fn health_is_asked_with_get_and_messages_come_with_post() {
    let running = start(Rejects::Logged, HttpLimits::default()).await;
    let ask = async |method: Method, path: &str| {
        let url = format!("{}{path}", running.url);
        running.client.request(method, url).body(push("a b").to_string()).send().await.unwrap().status()
    };
    assert_eq!(ask(Method::GET, "health").await, 200);
    assert_eq!(ask(Method::GET, "").await, 405);
    assert_eq!(ask(Method::PUT, "").await, 405);
    assert_eq!(ask(Method::POST, "any/path?x=y").await, 204);
}

#[tokio::test]
async fn many_are_handled_at_a_time_and_not_more_than_allowed() {
    let running = start(Rejects::Logged, HttpLimits { concurrency: 8, ..HttpLimits::default() }).await;
    // Each waits for the others, so this ends only if they are handled together.
    let all = futures::future::join_all((0..TOGETHER).map(|_| running.push("together"))).await;
    assert!(all.iter().all(|answer| answer.status() == 204));
    running.asked();

    let waiting = futures::future::join_all((0..20).map(|_| running.push("wait")));
    let counting = async {
        for round in 1..=20 {
            while running.function.asked.lock().unwrap().len() < round.clamp(8, 20) {
                tokio::task::yield_now().await;
            }
            // One goes on, and one more comes.
            let there = running.function.asked.lock().unwrap().len();
            assert!(there < round + 8, "{there} with {} answered", round - 1);
            running.function.go_on.add_permits(1);
        }
    };
    let (all, ()) = tokio::join!(waiting, counting);
    assert!(all.iter().all(|answer| answer.status() == 204));
}

#[tokio::test]
async fn at_the_end_what_is_in_hand_is_answered_and_nothing_more_is_taken() {
    let running = start(Rejects::Logged, HttpLimits::default()).await;
    let url = running.url.clone();
    let client = running.client.clone();
    let function = running.function.clone();
    let in_hand = tokio::spawn(async move { client.post(url).body(push("wait").to_string()).send().await });
    while function.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    running.stop.send(()).unwrap();
    // Another connection: the first one's is closed after its answer.
    while TcpStream::connect(running.url.trim_start_matches("http://").trim_end_matches('/')).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.service.is_finished());
    function.go_on.add_permits(1);
    assert_eq!(in_hand.await.unwrap().unwrap().status(), 204);
    running.service.await.unwrap();
}

#[tokio::test]
async fn a_sender_that_goes_away_frees_its_place() {
    let running = start(Rejects::Logged, HttpLimits { concurrency: 1, ..HttpLimits::default() }).await;
    let body = push("wait").to_string();
    let address = running.url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    while running.function.asked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(stream);
    assert_eq!(running.push("a b").await.status(), 204);
}
