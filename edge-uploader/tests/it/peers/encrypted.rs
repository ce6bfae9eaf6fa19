//! `rtsps://`: whose certificate is believed.

use super::script::{Peer, Request, frames, options, status, stream, usual};
use edge_uploader::camera::rtsp::{Certificate, RtspOptions};
use framepost_events::Sha256;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// Self-signed for 127.0.0.1 and localhost, with a key that protects nothing.
const CERTIFICATE: &[u8] = include_bytes!("certificate.der");
const KEY: &[u8] = include_bytes!("key.der");

/// A port at which TLS is spoken in front of `peer`.
async fn in_front_of(peer: &Peer) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = rustls::pki_types::PrivateKeyDer::try_from(KEY).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CERTIFICATE.into()], key)
        .expect("a certificate and its key");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let behind = peer.port;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut outer = acceptor.accept(stream).await?;
                let mut inner = TcpStream::connect(("127.0.0.1", behind)).await?;
                tokio::io::copy_bidirectional(&mut outer, &mut inner).await
            });
        }
    });
    port
}

fn believing(text: &str) -> RtspOptions {
    #[derive(serde::Deserialize)]
    struct Camera {
        certificate: Certificate,
    }
    let camera: Camera = toml::from_str(&format!("certificate = {text}")).expect("a setting");
    RtspOptions { certificate: camera.certificate, ..options() }
}

#[tokio::test]
async fn a_certificate_is_believed_as_far_as_the_setting_says() {
    let peer = Peer::start(|request| usual(request).into_bytes(), stream(8));
    let port = in_front_of(&peer).await;
    let url = format!("rtsps://127.0.0.1:{port}/live");
    let own = Sha256::of(CERTIFICATE);
    let other = Sha256::of(b"another certificate");
    for (setting, believed) in [
        ("\"system\"".to_owned(), false),
        (format!("{{ sha256 = \"{own}\" }}"), true),
        (format!("{{ sha256 = \"{other}\" }}"), false),
        ("\"unchecked\"".to_owned(), true),
    ] {
        let found = frames(&url, believing(&setting), 8).await;
        assert_eq!(found.is_ok(), believed, "{setting}: {:?}", found.err());
        if let Err(error) = found {
            let said = framepost_ports::chain(&error);
            assert!(said.contains("certificate"), "{setting}: {said}");
        }
    }
    // What is asked for is asked for as such.
    assert!(peer.requests().iter().all(|request| request.uri.starts_with("rtsps://")));
}

#[tokio::test]
async fn no_redirection_leads_out_of_the_protection() {
    let open = Peer::start(|request| usual(request).into_bytes(), stream(8));
    let to = format!("Location: {}\r\n", open.url(""));
    let first = Peer::start(move |request: &Request| status(request, "302 Found", &to).into_bytes(), Vec::new());
    let url = format!("rtsps://127.0.0.1:{}/live", in_front_of(&first).await);
    assert!(frames(&url, believing("\"unchecked\""), 1).await.is_err());
    assert!(open.requests().is_empty());
}
