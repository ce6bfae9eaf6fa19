//! A function that answers requests, over real HTTP.

#![cfg(feature = "http")]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Uri;
use axum::routing::get;
use framepost_host::http::{Limits, serve};
use reqwest::{Client, StatusCode};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

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
    let service = tokio::spawn(serve(router, Limits::default(), listener, async { drop(stopped.await) }));
    let client = Client::new();
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
    service.await.unwrap().unwrap();
}
