//! `framepost model get` with an `https:` URL, as the publisher's is, from behind a proxy that has to be asked for a tunnel.

use crate::model::{SHARED, framepost, left_in, shared_models, words};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

const HOST: &str = "models.invalid";

/// A certificate of the host, which is its own authority, in `dir/server.pem`, and what serves with it. `None`, and a line that
/// says so, where there is no openssl.
fn certified(dir: &Path) -> Option<Arc<ServerConfig>> {
    let [certificate, key] = ["server.pem", "server.key"].map(|name| dir.join(name));
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    openssl.args(["-subj", &format!("/CN={HOST}"), "-addext", &format!("subjectAltName=DNS:{HOST}")]);
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"]).arg(&key).arg("-out").arg(&certificate);
    match openssl.output() {
        Ok(made) => assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr)),
        Err(error) => {
            eprintln!("skipped: openssl makes no certificate: {error}");
            return None;
        }
    }
    let certificates = CertificateDer::pem_file_iter(&certificate).unwrap().collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_file(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Some(Arc::new(builder.with_no_client_auth().with_single_cert(certificates, key).unwrap()))
}

/// Reads up to the end of a head. Returns its first line.
fn head(stream: &mut impl Read) -> std::io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned())
}

/// A proxy with the host at the end of each of its tunnels. Returns its address and what it hears: what it is asked itself, and
/// what the host is asked.
fn proxy(tls: Arc<ServerConfig>, model: Vec<u8>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = heard.clone();
    std::thread::spawn(move || {
        let answer = |mut stream: TcpStream| -> std::io::Result<()> {
            log.lock().unwrap().push(head(&mut stream)?);
            stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            let connection = ServerConnection::new(tls.clone()).map_err(std::io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            log.lock().unwrap().push(head(&mut stream)?);
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", model.len())?;
            stream.write_all(&model)?;
            stream.conn.send_close_notify();
            stream.flush()
        };
        for stream in listener.incoming().flatten() {
            // Who does not believe the certificate goes away.
            let _ = answer(stream);
        }
    });
    (address, heard)
}

#[test]
fn a_model_comes_over_tls_through_the_proxy_of_the_environment() {
    let Some(shared) = shared_models() else { return };
    let dir = tempfile::tempdir().unwrap();
    let Some(tls) = certified(dir.path()) else { return };
    let models = dir.path().join("models");
    let (address, heard) = proxy(tls, std::fs::read(shared.join("yolox_nano.onnx")).unwrap());
    let url = format!("https://{HOST}/yolox_nano.onnx");
    let mut command = framepost(&models);
    for name in ["https_proxy", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "SSL_CERT_DIR"] {
        command.env_remove(name);
    }
    command.env("HTTPS_PROXY", format!("http://{address}")).env("SSL_CERT_FILE", dir.path().join("server.pem"));
    let got = command.args(["get", "yolox-nano", "--url", &url, "--sha256", SHARED]).output().unwrap();
    assert!(got.status.success(), "{}", words(&got));
    assert_eq!(left_in(&models), ["yolox-nano"]);
    let expected = [format!("CONNECT {HOST}:443 HTTP/1.1"), "GET /yolox_nano.onnx HTTP/1.1".to_owned()];
    assert_eq!(*heard.lock().unwrap(), expected);
}
