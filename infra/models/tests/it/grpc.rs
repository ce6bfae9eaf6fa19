//! A model server over gRPC that does everything wrong.

use crate::servers::{Heard, assert_given_up, assert_read_for_each_request, blank, described, port};
use bytes::Bytes;
use framepost_models::oip::Token;
use framepost_models::{ModelDirectory, OipDetector};
use framepost_ports::{Detector as _, Effect, ErrorKind, chain};
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Response};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const METADATA: &str = "/inference.GRPCInferenceService/ModelMetadata";
const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

/// What the server does with a request for an answer.
#[derive(Debug, Clone)]
enum Fault {
    /// A status (<https://grpc.io/docs/guides/status-codes/>) and its message.
    Status(u16, &'static str),
    /// Unavailable for as many milliseconds.
    Pushback(u32),
    /// An answer to the end, with the length that it announces.
    Message(usize, Vec<u8>),
    /// A part of an answer, and the stream is reset.
    Reset,
    /// A part of an answer, and the connection ends.
    Dropped,
    /// An answer without a status.
    NoStatus,
    /// An answer of HTTP that is not one of gRPC.
    Http(u16, &'static str),
    /// More of a status than anybody reads.
    Endless,
    /// Nothing.
    Silent,
}

/// A field of protocol buffers: its number, and bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [vec![number << 3 | 2], varint(bytes.len()), bytes.to_vec()].concat()
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

/// A tensor's name, type and shape.
fn tensor(name: &str, shape: &[usize]) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|side| varint(*side)).collect();
    [field(1, name.as_bytes()), field(2, b"FP32"), field(3, &shape)].concat()
}

/// An answer with one output, and so many bytes of it.
fn answer(shape: &[usize], bytes: usize) -> Fault {
    let message = [field(5, &tensor("o", shape)), field(6, &vec![0; bytes])].concat();
    Fault::Message(message.len(), message)
}

struct Faulty {
    port: u16,
    /// For each request: its path, and its token.
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// Answers requests for the model's metadata rightly, and each other one with the next fault; with the last from then on.
async fn faulty(faults: Vec<Fault>) -> Faulty {
    serve(faults, None).await
}

/// The same, over TLS where that is given.
async fn serve(faults: Vec<Fault>, tls: Option<TlsAcceptor>) -> Faulty {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let faults = Arc::new(Mutex::new(faults));
    let log = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Some(tls) = &tls else {
                tokio::spawn(connection(stream, faults.clone(), log.clone()));
                continue;
            };
            // Who does not believe the certificate hangs up.
            let Ok(stream) = tls.accept(stream).await else { continue };
            tokio::spawn(connection(stream, faults.clone(), log.clone()));
        }
    });
    Faulty { port, heard }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    faults: Arc<Mutex<Vec<Fault>>>,
    heard: Arc<Mutex<Vec<Heard>>>,
) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let (drop_it, mut dropped) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            _ = dropped.recv() => return,
            accepted = connection.accept() => accepted,
        };
        let Some(Ok((request, respond))) = accepted else { return };
        let path = request.uri().path().to_owned();
        let token =
            request.headers().get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        heard.lock().unwrap().push((path.clone(), token.map(str::to_owned)));
        let fault = if path == METADATA {
            let message = field(4, &tensor("images", &[1, 3, 416, 416]));
            Fault::Message(message.len(), message)
        } else {
            let mut faults = faults.lock().unwrap();
            if faults.len() > 1 { faults.remove(0) } else { faults[0].clone() }
        };
        let drop_it = drop_it.clone();
        tokio::spawn(async move {
            let mut body = request.into_body();
            while let Some(Ok(piece)) = body.data().await {
                let _ = body.flow_control().release_capacity(piece.len());
            }
            if respond_with(respond, fault).is_none_or(|end| end == End::Connection) {
                // Once what was said is on its way.
                tokio::task::yield_now().await;
                let _ = drop_it.send(()).await;
            }
        });
    }
}

#[derive(PartialEq)]
enum End {
    Stream,
    Connection,
}

fn head(status: u16, kind: &'static str) -> Response<()> {
    Response::builder().status(status).header("content-type", kind).body(()).unwrap()
}

fn trailers(status: u16, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(status));
    trailers.insert("grpc-message", message.parse().unwrap());
    trailers
}

/// A message with the length before it (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
fn framed(announced: usize, message: &[u8]) -> Bytes {
    [&[0][..], &u32::try_from(announced).unwrap().to_be_bytes(), message].concat().into()
}

/// Says what the fault says. Returns `None` where the client is gone.
fn respond_with(mut respond: SendResponse<Bytes>, fault: Fault) -> Option<End> {
    let grpc = "application/grpc";
    match fault {
        Fault::Status(status, message) => {
            let mut response = head(200, grpc);
            response.headers_mut().extend(trailers(status, message));
            respond.send_response(response, true).ok()?;
        }
        Fault::Pushback(ms) => {
            let mut response = head(200, grpc);
            response.headers_mut().extend(trailers(14, "warming up"));
            response.headers_mut().insert("grpc-retry-pushback-ms", HeaderValue::from(ms));
            respond.send_response(response, true).ok()?;
        }
        Fault::Message(announced, message) => {
            let mut stream = respond.send_response(head(200, grpc), false).ok()?;
            stream.send_data(framed(announced, &message), false).ok()?;
            stream.send_trailers(trailers(0, "")).ok()?;
        }
        Fault::Reset => {
            let mut stream = respond.send_response(head(200, grpc), false).ok()?;
            stream.send_data(framed(1000, b"abc"), false).ok()?;
            stream.send_reset(h2::Reason::INTERNAL_ERROR);
        }
        Fault::Dropped => {
            let mut stream = respond.send_response(head(200, grpc), false).ok()?;
            stream.send_data(framed(1000, b"abc"), false).ok()?;
            // Dropped before the connection, it would be reset.
            std::mem::forget(stream);
            return Some(End::Connection);
        }
        Fault::NoStatus => {
            let mut stream = respond.send_response(head(200, grpc), false).ok()?;
            stream.send_data(framed(3, b"abc"), true).ok()?;
        }
        Fault::Http(status, body) => {
            let mut response = head(status, "text/html");
            response.headers_mut().insert("location", HeaderValue::from_static("http://127.0.0.1:9/"));
            let mut stream = respond.send_response(response, false).ok()?;
            stream.send_data(body.into(), true).ok()?;
        }
        // The stream would end with the value.
        Fault::Silent => std::mem::forget(respond),
        Fault::Endless => {
            let mut response = head(200, grpc);
            response.headers_mut().extend(trailers(13, &"x".repeat(1 << 20)));
            respond.send_response(response, true).ok()?;
        }
    }
    Some(End::Stream)
}

async fn detector(port: u16, model: &Path) -> OipDetector {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("grpc://127.0.0.1:{port}/v2/models/yolox-nano").parse().unwrap();
    OipDetector::new(url, ModelDirectory::local(model), Token::Fixed("secret".to_owned())).await.unwrap()
}

#[tokio::test]
async fn each_fault_of_a_server_over_grpc_says_what_can_be_done() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    for (fault, kind, effect) in [
        (Fault::Status(14, "down"), ErrorKind::Busy, Effect::Unknown),
        (Fault::Status(8, "quota"), ErrorKind::Busy, Effect::None),
        (Fault::Status(8, "Received message larger than max (2 vs. 1)"), ErrorKind::Invalid, Effect::None),
        (Fault::Status(3, "no such input"), ErrorKind::Invalid, Effect::None),
        (Fault::Status(5, "no such model"), ErrorKind::NotFound, Effect::None),
        (Fault::Status(12, "no such method"), ErrorKind::NotFound, Effect::None),
        (Fault::Status(7, "no"), ErrorKind::Denied, Effect::None),
        (Fault::Status(16, "who"), ErrorKind::Denied, Effect::None),
        (Fault::Status(13, "oops"), ErrorKind::Busy, Effect::Unknown),
        (Fault::Status(99, "what"), ErrorKind::Busy, Effect::Unknown),
        (Fault::Pushback(3_600_000), ErrorKind::Busy, Effect::Unknown),
        (answer(&[1, 2], 8), ErrorKind::Invalid, Effect::None),
        (answer(&[1, 3549, 6], 8), ErrorKind::Invalid, Effect::None),
        (answer(&[1, 3549, 6], 7), ErrorKind::Corrupt, Effect::None),
        (Fault::Message(0, vec![]), ErrorKind::Invalid, Effect::None),
        (Fault::Message(3, b"abc".to_vec()), ErrorKind::Corrupt, Effect::None),
        (Fault::Message(1 << 20, [0x2a, 0].repeat(1 << 19)), ErrorKind::Corrupt, Effect::None),
        (Fault::Message(65 << 20, b"abc".to_vec()), ErrorKind::Invalid, Effect::None),
        (Fault::Message(1000, b"abc".to_vec()), ErrorKind::Busy, Effect::Unknown),
        (Fault::NoStatus, ErrorKind::Busy, Effect::Unknown),
        (Fault::Reset, ErrorKind::Transport, Effect::Unknown),
        (Fault::Dropped, ErrorKind::Transport, Effect::Unknown),
        (Fault::Http(200, "<html>"), ErrorKind::Busy, Effect::Unknown),
        (Fault::Http(302, ""), ErrorKind::Busy, Effect::Unknown),
        (Fault::Http(503, ""), ErrorKind::Busy, Effect::Unknown),
        (Fault::Http(404, ""), ErrorKind::NotFound, Effect::None),
        (Fault::Endless, ErrorKind::Transport, Effect::Unknown),
    ] {
        let server = faulty(vec![fault.clone()]).await;
        let detector = detector(server.port, dir.path()).await;
        let error = detector.detect(&[blank()]).await.unwrap_err();
        let shown = format!("{fault:?}").chars().take(80).collect::<String>();
        assert_eq!((error.kind(), error.effect()), (kind, effect), "{shown}: {}", chain(&error));
        assert!(!chain(&error).contains("secret") && chain(&error).len() < 1000, "{}", chain(&error));
        let heard = server.heard.lock().unwrap();
        assert!(heard.iter().all(|(_, token)| token.as_deref() == Some("secret")), "{heard:?}");
        assert_eq!((heard[0].0.as_str(), heard[1].0.as_str()), (METADATA, INFER), "{shown}");
    }
}

#[tokio::test]
async fn over_grpc_a_token_is_read_from_its_file_for_each_request_and_is_never_shown() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = faulty(vec![answer(&[1, 3549, 6], 3549 * 6 * 4)]).await;
    let heard = || std::mem::take(&mut *server.heard.lock().unwrap()).into_iter().map(|(_, token)| token).collect();
    assert_read_for_each_request(&format!("grpc://127.0.0.1:{}/v2/models/yolox-nano", server.port), heard).await;
}

#[tokio::test]
async fn over_grpc_a_server_that_asks_for_a_moment_is_asked_again_and_one_that_is_not_there_is_no_answer() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let good = || answer(&[1, 3549, 6], 3549 * 6 * 4);
    let server = faulty(vec![Fault::Pushback(0), good()]).await;
    assert_eq!(detector(server.port, dir.path()).await.detect(&[blank()]).await.unwrap(), [[]]);
    assert_eq!(server.heard.lock().unwrap().len(), 3);
    let server = faulty(vec![Fault::Pushback(0)]).await;
    let error = detector(server.port, dir.path()).await.detect(&[blank()]).await.unwrap_err();
    assert_eq!((error.kind(), server.heard.lock().unwrap().len()), (ErrorKind::Busy, 4), "three times in all");
    // After a connection that ended, another one is made.
    let server = faulty(vec![Fault::Dropped, good()]).await;
    let detector = detector(server.port, dir.path()).await;
    assert_eq!(detector.detect(&[blank()]).await.unwrap_err().kind(), ErrorKind::Transport);
    assert_eq!(detector.detect(&[blank()]).await.unwrap(), [[]]);

    let error = self::detector(port(), dir.path()).await.detect(&[blank()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{}", chain(&error));
    // A server of HTTP/1.1.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let said = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, said).await;
        }
    });
    let error = self::detector(at, dir.path()).await.detect(&[blank()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport, "{}", chain(&error));
}

#[tokio::test]
async fn a_server_that_says_nothing_over_grpc_is_given_up_after_its_time() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let server = faulty(vec![Fault::Silent]).await;
    let detector = detector(server.port, dir.path()).await;
    detector.check().await.unwrap();
    assert_given_up(&detector).await;
}

#[tokio::test]
async fn a_model_that_the_server_over_grpc_has_otherwise_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let text = std::fs::read_to_string(dir.path().join("model.toml")).unwrap();
    std::fs::write(dir.path().join("model.toml"), text.replace("416", "640")).unwrap();
    let server = faulty(vec![Fault::Reset]).await;
    let error = detector(server.port, dir.path()).await.detect(&[blank()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(chain(&error).contains("model.toml says (\"images\", \"FP32\", [1, 3, 640, 640])"), "{}", chain(&error));
}

/// A certificate of `localhost`, which is its own authority, in `dir/server.pem`, and what serves with it. `None`, and a line that says
/// so, where there is no openssl.
fn certified(dir: &Path) -> Option<TlsAcceptor> {
    let [certificate, key] = ["server.pem", "server.key"].map(|name| dir.join(name));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    match openssl.output() {
        Ok(made) => assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr)),
        Err(error) => {
            crate::python::skip(&format!("openssl makes no certificate: {error}"));
            return None;
        }
    }
    let certificates = CertificateDer::pem_file_iter(&certificate).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_no_client_auth().with_single_cert(certificates, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Some(TlsAcceptor::from(Arc::new(config)))
}

const ASKED: &str = "FRAMEPOST_TEST_ASKED";

/// A process of its own, because the authorities that are trusted are read from its environment.
#[tokio::test]
#[ignore = "started by over_tls_a_server_is_asked_whose_certificate_is_trusted"]
async fn asker() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    described(dir.path());
    let url = std::env::var(ASKED).unwrap().parse().unwrap();
    let detector = OipDetector::new(url, ModelDirectory::local(dir.path()), Token::Fixed("secret".to_owned())).await;
    match detector.unwrap().detect(&[blank()]).await {
        Ok(found) => println!("found {found:?}"),
        Err(error) => println!("refused {:?}: {}", error.kind(), chain(&error)),
    }
}

#[tokio::test]
async fn over_tls_a_server_is_asked_whose_certificate_is_trusted() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tls) = certified(dir.path()) else { return };
    let server = serve(vec![answer(&[1, 3549, 6], 3549 * 6 * 4)], Some(tls)).await;
    for (host, is_its_authority_trusted, expected) in [
        ("127.0.0.1", true, "refused Transport"),
        ("localhost", false, "refused Transport"),
        ("localhost", true, "found [[]]"),
    ] {
        assert!(server.heard.lock().unwrap().is_empty(), "nothing is said before the certificate is believed");
        let mut asker = Command::new(std::env::current_exe().unwrap());
        asker.args(["--ignored", "--exact", "--nocapture", "grpc::asker"]);
        asker.env(ASKED, format!("grpcs://{host}:{}/v2/models/yolox-nano", server.port)).env_remove("SSL_CERT_FILE");
        if is_its_authority_trusted {
            asker.env("SSL_CERT_FILE", dir.path().join("server.pem"));
        }
        let output = tokio::task::spawn_blocking(move || asker.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(expected), "{host}, {is_its_authority_trusted}: {said}");
    }
    let heard = server.heard.lock().unwrap();
    assert_eq!(heard[..], [METADATA, INFER].map(|path| (path.to_owned(), Some("secret".to_owned()))));
}
