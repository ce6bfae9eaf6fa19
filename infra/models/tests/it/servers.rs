//! Model servers: KServe and MLServer, with the shared model; and one that does everything wrong.

use crate::judge::{YOLOX_NANO, assert_same, decoded, judge_of, picture, yolox_nano};
use crate::python::{script, shared_data, venv};
use bytes::Bytes;
use framepost_models::oip::Token;
use framepost_models::{ModelDirectory, OipDetector};
use framepost_ports::{Detector as _, Effect, ErrorKind, Picture, chain};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long Python may take to load a server on a busy machine.
const START: Duration = Duration::from_mins(3);

/// A server that is killed when the value is dropped.
struct Server {
    child: Child,
    log: std::path::PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Two ports that were free a moment ago.
fn ports() -> (u16, u16) {
    let one = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    (one.local_addr().unwrap().port(), port())
}

/// Starts a server and waits until it knows the model.
async fn start(command: &mut Command, port: u16, dir: &Path) -> Server {
    let log = dir.join(format!("server-{port}.log"));
    let out = std::fs::File::create(&log).unwrap();
    let child = command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
    let mut server = Server { child, log };
    let deadline = Instant::now() + START;
    let client = reqwest_client();
    loop {
        let ready = client.get(format!("http://127.0.0.1:{port}/v2/models/yolox-nano/ready")).send().await;
        if ready.is_ok_and(|answer| answer.status().is_success()) {
            return server;
        }
        let log = || std::fs::read_to_string(&server.log).unwrap_or_default();
        assert!(Instant::now() < deadline, "the server is not ready: {}", log());
        if let Some(status) = server.child.try_wait().unwrap() {
            panic!("the server ended with {status}: {}", log());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn detector(port: u16, model: &Path) -> OipDetector {
    detector_of(&format!("http://127.0.0.1:{port}/v2/models/yolox-nano"), model).await
}

async fn detector_of(url: &str, model: &Path) -> OipDetector {
    let url = url.parse().unwrap();
    OipDetector::new(url, ModelDirectory::local(model), Token::Fixed("secret".to_owned())).await.unwrap()
}

/// Asks the server about pictures of both clips, and compares with the reference.
async fn agrees(server: &str, dir: &Path, data: &Path) -> Option<bool> {
    let python = crate::python::python()?;
    let model = dir.join("yolox-nano");
    let detector = detector_of(&format!("{server}/v2/models/yolox-nano"), &model).await;
    let mut found = 0;
    for clip in ["bottle-detection.mp4", "one-by-one-person-detection.mp4"] {
        let paths: Vec<_> = decoded(&data.join("clips").join(clip), "1/4", dir).into_iter().take(4).collect();
        let pictures: Vec<Picture> = paths.iter().map(|path| picture(path)).collect();
        let ours = detector.detect(&pictures).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
        let reference = judge_of(&python, &model, &paths);
        for ((ours, reference), path) in ours.iter().zip(&reference).zip(&paths) {
            assert_same(ours, reference, &path.display().to_string());
            found += ours.len();
        }
    }
    assert!(found > 5, "{found}");
    Some(detector.takes_only_json())
}

#[tokio::test]
async fn kserve_finds_what_the_reference_finds_by_binary_tensors_and_by_grpc() {
    let Some(data) = shared_data() else { return };
    let Some(python) = venv("venv-models", "kserve") else { return };
    let dir = tempfile::tempdir().unwrap();
    yolox_nano(&data, &dir.path().join("yolox-nano"));
    let (http, grpc) = ports();
    let mut command = Command::new(python);
    command.arg("-B").arg(script("kserve_server.py")).arg(dir.path().join("yolox-nano/yolox_nano.onnx"));
    let _server = start(command.arg("yolox-nano").arg(http.to_string()).arg(grpc.to_string()), http, dir.path()).await;
    let rest = format!("http://127.0.0.1:{http}");
    assert_eq!(agrees(&rest, dir.path(), &data).await, Some(false), "it takes binary tensors");
    agrees(&format!("grpc://127.0.0.1:{grpc}"), dir.path(), &data).await;
}

#[tokio::test]
async fn mlserver_finds_what_the_reference_finds_by_json_and_by_grpc() {
    let Some(data) = shared_data() else { return };
    let Some(python) = venv("venv-mlserver", "mlserver, onnxruntime") else { return };
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("yolox-nano");
    yolox_nano(&data, &model);
    let (http, grpc) = ports();
    let metrics = port();
    let settings = format!(
        r#"{{"host":"127.0.0.1","http_port":{http},"grpc_port":{grpc},"metrics_port":{metrics},"parallel_workers":0}}"#
    );
    std::fs::write(dir.path().join("settings.json"), settings).unwrap();
    let uri = model.join("yolox_nano.onnx");
    let settings = format!(
        r#"{{"name":"yolox-nano","implementation":"mlserver_runtime.Onnx","parameters":{{"uri":{:?}}}}}"#,
        uri.display().to_string()
    );
    std::fs::write(dir.path().join("model-settings.json"), settings).unwrap();
    let mut command = Command::new(python.with_file_name("mlserver"));
    command.arg("start").arg(dir.path()).env("PYTHONPATH", script("")).env("PYTHONDONTWRITEBYTECODE", "1");
    let _server = start(&mut command, http, dir.path()).await;
    let rest = format!("http://127.0.0.1:{http}");
    assert_eq!(agrees(&rest, dir.path(), &data).await, Some(true), "it takes JSON only");
    agrees(&format!("grpc://127.0.0.1:{grpc}"), dir.path(), &data).await;
    let model = dir.path().join("yolox-nano");
    for (name, expected) in [("no-such-model", ErrorKind::NotFound), ("yolox-nano/versions/77", ErrorKind::NotFound)] {
        let url = format!("grpc://127.0.0.1:{grpc}/v2/models/{name}");
        let error = detector_of(&url, &model).await.detect(&[blank()]).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{name}: {}", chain(&error));
    }
}

/// What the faulty server does with a request for an answer.
#[derive(Debug, Clone)]
enum Fault {
    Answer(u16, &'static str, Vec<u8>),
    /// Announces more than it sends.
    Truncated,
    /// Closes without a word.
    Dead,
    /// Says nothing, and does not close.
    Silent,
}

/// The first line of a request, and the token that it had.
pub(crate) type Heard = (String, Option<String>);

struct Faulty {
    address: SocketAddr,
    /// What each request said.
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// Answers requests for the model's metadata rightly, and each other one with the next fault; with the last from then on.
fn faulty(faults: Vec<Fault>) -> Faulty {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = requests.clone();
    std::thread::spawn(move || {
        let mut faults = faults.into_iter();
        let mut fault = faults.next().unwrap();
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let Some(head) = request(&mut stream) else { continue };
            let line = head.lines().next().unwrap_or_default().to_owned();
            let token = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("authorization").then(|| value.strip_prefix("Bearer ").map(str::to_owned))?
            });
            log.lock().unwrap().push((line.clone(), token));
            let metadata = r#"{"name":"m","inputs":[{"name":"images","datatype":"FP32","shape":[1,3,416,416]}]}"#;
            let answer = |status: u16, headers: &str, body: &[u8]| {
                let start = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
                    body.len()
                );
                [start.as_bytes(), body].concat()
            };
            let bytes = match &fault {
                _ if line.starts_with("GET") => answer(200, "", metadata.as_bytes()),
                Fault::Answer(status, headers, body) => answer(*status, headers, body),
                Fault::Truncated => b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"outputs\":[".to_vec(),
                Fault::Dead => Vec::new(),
                Fault::Silent => {
                    silent.push(stream);
                    continue;
                }
            };
            let _ = stream.write_all(&bytes);
            if !line.starts_with("GET") {
                fault = faults.next().unwrap_or(fault);
            }
        }
    });
    Faulty { address, heard: requests }
}

/// Reads a request with its body. Returns its head.
fn request(stream: &mut std::net::TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some(head)
}

pub(crate) fn blank() -> Picture {
    Picture::new(4, 4, Bytes::from(vec![0; 48]), Duration::ZERO).unwrap()
}

pub(crate) fn described(dir: &Path) {
    let text = YOLOX_NANO.replace("\"coco80_labels.txt\"", "[\"person\"]");
    // The model is the server's, so there is no file.
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("file") && !line.starts_with("sha256")).collect();
    std::fs::write(dir.join("model.toml"), lines.join("\n")).unwrap();
}

fn json(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// An answer of the described model that sees nothing.
fn nothing() -> Vec<u8> {
    let zeros = vec!["0"; 3549 * 6].join(",");
    json(&format!(r#"{{"outputs":[{{"name":"o","shape":[1,3549,6],"datatype":"FP32","data":[{zeros}]}}]}}"#))
}

#[tokio::test]
async fn each_fault_of_a_server_says_what_can_be_done() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let wrong_shape = r#"{"outputs":[{"name":"o","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#;
    let short = r#"{"outputs":[{"name":"o","shape":[1,3549,6],"datatype":"FP32","data":[1,2]}]}"#;
    for (fault, kind, effect) in [
        (Fault::Answer(500, "", json("oops")), ErrorKind::Busy, Effect::Unknown),
        (Fault::Answer(503, "", json("")), ErrorKind::Busy, Effect::None),
        (Fault::Answer(503, "retry-after: 3600\r\n", json("")), ErrorKind::Busy, Effect::None),
        (Fault::Answer(429, "retry-after: 0\r\n", json("")), ErrorKind::Busy, Effect::None),
        (Fault::Answer(401, "", json("")), ErrorKind::Denied, Effect::None),
        (Fault::Answer(403, "", json("")), ErrorKind::Denied, Effect::None),
        (Fault::Answer(404, "", json("no such model")), ErrorKind::NotFound, Effect::None),
        (Fault::Answer(422, "", json("{}")), ErrorKind::Invalid, Effect::None),
        (Fault::Answer(302, "location: http://127.0.0.1:9/\r\n", json("")), ErrorKind::Intercepted, Effect::None),
        (Fault::Answer(200, "", json("<html>")), ErrorKind::Corrupt, Effect::None),
        (Fault::Answer(200, "inference-header-content-length: 99\r\n", json("{}")), ErrorKind::Corrupt, Effect::None),
        (Fault::Answer(200, "", json(wrong_shape)), ErrorKind::Invalid, Effect::None),
        (Fault::Answer(200, "", json(short)), ErrorKind::Invalid, Effect::None),
        (Fault::Answer(200, "", json(r#"{"outputs":[]}"#)), ErrorKind::Invalid, Effect::None),
        (Fault::Answer(200, "", vec![b' '; 70 * 1024 * 1024]), ErrorKind::Invalid, Effect::None),
        (Fault::Truncated, ErrorKind::Transport, Effect::Unknown),
        (Fault::Dead, ErrorKind::Transport, Effect::Unknown),
    ] {
        let server = faulty(vec![fault.clone()]);
        let detector = detector(server.address.port(), dir.path()).await;
        let error = detector.detect(&[blank()]).await.unwrap_err();
        let shown = match &fault {
            Fault::Answer(status, headers, body) => format!("{status} {headers} {} bytes", body.len()),
            other => format!("{other:?}"),
        };
        assert_eq!((error.kind(), error.effect()), (kind, effect), "{shown}: {}", chain(&error));
        assert!(!chain(&error).contains("secret"), "{}", chain(&error));
        let heard = server.heard.lock().unwrap();
        assert!(heard.iter().all(|(_, token)| token.as_deref() == Some("secret")), "{heard:?}");
        assert_eq!(heard[0].0, "GET /v2/models/yolox-nano HTTP/1.1");
        assert_eq!(heard[1].0, "POST /v2/models/yolox-nano/infer HTTP/1.1");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_moment_is_asked_again_and_one_that_is_not_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let busy = Fault::Answer(503, "retry-after: 0\r\n", json(""));
    let server = faulty(vec![busy, Fault::Answer(200, "", nothing())]);
    let found = detector(server.address.port(), dir.path()).await.detect(&[blank()]).await.unwrap();
    assert_eq!(found, [[]]);
    let error = detector(port(), dir.path()).await.detect(&[blank()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{}", chain(&error));
}

/// MLServer sometimes closes the connection while it refuses a body that is still being sent.
#[tokio::test]
async fn a_server_that_closes_while_it_refuses_is_asked_in_json() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let server = faulty(vec![Fault::Dead, Fault::Answer(200, "", nothing())]);
    let detector = detector(server.address.port(), dir.path()).await;
    assert_eq!(detector.detect(&[blank()]).await.unwrap(), [[]]);
    assert!(!detector.takes_only_json(), "it did not say that it takes no binary tensors");
}

/// The clock is simulated from the first question on, so that nobody waits for the limit.
#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_after_its_time() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let server = faulty(vec![Fault::Silent]);
    let detector = detector(server.address.port(), dir.path()).await;
    detector.check().await.unwrap();
    assert_given_up(&detector).await;
}

/// Asks about a picture, and asserts that there is no answer after half a minute.
pub(crate) async fn assert_given_up(detector: &OipDetector) {
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let error = detector.detect(&[blank()]).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Transport, Effect::Unknown), "{}", chain(&error));
    // Ten seconds where it was not yet connected.
    let waited = begun.elapsed().as_secs();
    assert!((10..=31).contains(&waited), "{waited} s: {}", chain(&error));
    tokio::time::resume();
}

#[tokio::test]
async fn vertex_ai_is_asked_at_its_own_url_with_the_documents_length_in_the_type() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let server = faulty(vec![Fault::Answer(200, "", nothing())]);
    let path = "/v1/projects/p/locations/europe-west4/endpoints/77:rawPredict";
    let url = format!("http://{}{path}", server.address);
    let error = detector_of(&url, dir.path()).await.detect(&[blank()]).await.unwrap_err();
    assert!(chain(&error).contains("no `input.name`, which this server cannot be asked for"), "{}", chain(&error));
    let text = std::fs::read_to_string(dir.path().join("model.toml")).unwrap();
    let named = text.replace("[input]\n", "[input]\nname = \"images\"\n");
    std::fs::write(dir.path().join("model.toml"), named).unwrap();
    assert_eq!(detector_of(&url, dir.path()).await.detect(&[blank()]).await.unwrap(), [[]]);
    let heard = server.heard.lock().unwrap();
    assert_eq!(heard.len(), 1, "it says nothing of its model");
    assert_eq!(heard[0], (format!("POST {path} HTTP/1.1"), Some("secret".to_owned())));
}

#[tokio::test]
async fn a_model_that_the_server_has_otherwise_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let text = std::fs::read_to_string(dir.path().join("model.toml")).unwrap();
    std::fs::write(dir.path().join("model.toml"), text.replace("416", "640")).unwrap();
    let server = faulty(vec![Fault::Dead]);
    let error = detector(server.address.port(), dir.path()).await.detect(&[blank()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(chain(&error).contains("model.toml says (\"images\", \"FP32\", [1, 3, 640, 640])"), "{}", chain(&error));
}

/// Keeps everything that is logged, at every level.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<String>>>);

impl tracing::field::Visit for Logged {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.lock().unwrap().push(format!("{field}={value:?}"));
    }
}

impl tracing::Subscriber for Logged {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        span.record(&mut self.clone());
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, values: &tracing::span::Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn a_token_is_read_from_its_file_for_each_request_and_is_never_shown() {
    let server = faulty(vec![Fault::Answer(200, "", nothing())]);
    let heard = || std::mem::take(&mut *server.heard.lock().unwrap()).into_iter().map(|(_, token)| token).collect();
    let logged = assert_read_for_each_request(&format!("http://{}/v2/models/yolox-nano", server.address), heard).await;
    assert!(logged.contains("connect"), "{logged}");
}

/// Asks a server that finds nothing. `heard` returns the token of each request since the last call. Returns what was logged.
pub(crate) async fn assert_read_for_each_request(url: &str, heard: impl Fn() -> Vec<Option<String>>) -> String {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let logged = Logged::default();
    let _logging = tracing::subscriber::set_default(logged.clone());
    let file = dir.path().join("token");
    let variable = |name: &str| (name == "FRAMEPOST_OIP_TOKEN_FILE").then(|| file.to_str().unwrap().to_owned());
    let token = Token::from_variables(&variable);
    let directory = ModelDirectory::local(dir.path());
    let detector = OipDetector::new(url.parse().unwrap(), directory, token).await.unwrap();
    let secret = |text: &str| Some(text.to_owned());

    std::fs::write(&file, "first-5ec2e7\n").unwrap();
    assert_eq!(detector.detect(&[blank()]).await.unwrap(), [[]]);
    assert_eq!(heard(), [secret("first-5ec2e7"), secret("first-5ec2e7")], "its model, and a picture");
    std::fs::write(&file, "second-5ec2e7").unwrap();
    assert_eq!(detector.detect(&[blank()]).await.unwrap(), [[]]);
    assert_eq!(heard(), [secret("second-5ec2e7")], "what stands there now");

    for (content, kind, expected) in [
        (None, ErrorKind::Io, "No such file or directory"),
        (Some(""), ErrorKind::Denied, "it is empty"),
        (Some("two 5ec2e7"), ErrorKind::Denied, "has characters that no token has"),
    ] {
        let _ = std::fs::remove_file(&file);
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let error = detector.detect(&[blank()]).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{}", chain(&error));
        assert!(chain(&error).contains(expected) && !chain(&error).contains("5ec2e7"), "{}", chain(&error));
        assert!(chain(&error).contains("the model server's token"), "{}", chain(&error));
        let names_it = chain(&error).contains("the file that FRAMEPOST_OIP_TOKEN_FILE names");
        assert_eq!(names_it, content.is_none(), "{}", chain(&error));
        assert_eq!(heard(), [], "nothing is asked without it");
    }
    let logged = logged.0.lock().unwrap().join("\n");
    assert!(!logged.contains("5ec2e7"), "{logged}");
    logged
}

#[tokio::test]
async fn a_token_goes_nowhere_without_tls() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    for (url, token, is_good) in [
        ("http://models.example/v2/models/m", Token::Fixed("secret".to_owned()), false),
        ("http://models.example/v2/models/m", Token::None, true),
        ("https://models.example/v2/models/m", Token::Fixed("secret".to_owned()), true),
        ("grpc://models.example/v2/models/m", Token::Fixed("secret".to_owned()), false),
        ("grpc://models.example/v2/models/m", Token::None, true),
        ("grpcs://models.example/v2/models/m", Token::Fixed("secret".to_owned()), true),
        ("grpcs://user:password@models.example/v2/models/m", Token::None, false),
        ("https://user:password@models.example/v2/models/m", Token::None, false),
        ("https://models.example/v2/models/m?key=x", Token::None, false),
    ] {
        let made = OipDetector::new(url.parse().unwrap(), ModelDirectory::local(dir.path()), token).await;
        assert_eq!(made.is_ok(), is_good, "{url}");
    }
    for (url, name) in [
        ("https://h/v2/models/yolox-nano", Some("yolox-nano")),
        ("https://h/triton/v2/models/m/versions/3", Some("m")),
        ("grpc://h:8001/v2/models/m/versions/3", Some("m")),
        (
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/77:rawPredict",
            Some("77"),
        ),
        ("https://h/other", None),
    ] {
        assert_eq!(OipDetector::model_name(&url.parse().unwrap()), name, "{url}");
    }
}
