//! A function that answers requests, over real HTTP.

#![cfg(feature = "http")]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Uri;
use axum::routing::get;
use framepost_host::http::{HttpLimits, serve};
use reqwest::{Client, StatusCode};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

fn client() -> Client {
    // Fails where another test of this process was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

#[tokio::test]
async fn answers_are_streamed_and_those_begun_are_finished() {
    let (parts, mut given) = mpsc::channel::<Bytes>(1);
    let stream =
        futures::stream::poll_fn(move |context| given.poll_recv(context).map(|part| part.map(Ok::<Bytes, Infallible>)));
    let stream = Arc::new(Mutex::new(Some(stream)));
    let streamed = move || {
        let stream = stream.lock().unwrap().take().unwrap();
        async { Body::from_stream(stream) }
    };
    let router = Router::new()
        .route("/v1/stream", get(streamed))
        .fallback(async |uri: Uri| (StatusCode::NOT_FOUND, uri.path().to_owned()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let service = tokio::spawn(serve(router, HttpLimits::default(), listener, async { drop(stopped.await) }));
    let client = client();
    assert_eq!(client.get(format!("{url}/health")).send().await.unwrap().status(), StatusCode::OK);
    // The function sees whole paths, and answers them itself.
    let other = client.get(format!("{url}/v1/other")).send().await.unwrap();
    assert_eq!((other.status(), other.text().await.unwrap()), (StatusCode::NOT_FOUND, "/v1/other".to_owned()));
    // The first part is there before there is a second one.
    let mut streamed = client.get(format!("{url}/v1/stream")).send().await.unwrap();
    parts.send(Bytes::from_static(b"first")).await.unwrap();
    assert_eq!(streamed.chunk().await.unwrap().unwrap(), "first");
    stop.send(()).unwrap();
    parts.send(Bytes::from_static(b"second")).await.unwrap();
    assert_eq!(streamed.chunk().await.unwrap().unwrap(), "second");
    drop(parts);
    assert_eq!(streamed.chunk().await.unwrap(), None);
    service.await.unwrap();
}

/// A function that reads bodies is protected from those that are too large or too slow.
#[tokio::test]
async fn bodies_have_limits_of_size_and_time() {
    let read = async |body: Body| match axum::body::to_bytes(body, usize::MAX).await {
        Ok(body) => (StatusCode::OK, body.len().to_string()),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    };
    let router = Router::new().route("/v1/read", axum::routing::post(read));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = HttpLimits { body_bytes: 4096, body: Duration::from_millis(300), ..HttpLimits::default() };
    tokio::spawn(serve(router, limits, listener, std::future::pending()));
    let client = client();
    let url = format!("http://{address}/v1/read");
    let sent = async |bytes: usize| client.post(&url).body(vec![b'x'; bytes]).send().await.unwrap();
    assert_eq!(sent(4096).await.text().await.unwrap(), "4096");
    assert_eq!(sent(4097).await.status(), StatusCode::BAD_REQUEST);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"POST /v1/read HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nconnection: close\r\n\r\n{")
        .await
        .unwrap();
    let mut answer = String::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await;
    assert!(ended.is_ok() && answer.starts_with("HTTP/1.1 400 "), "{answer}");
}
