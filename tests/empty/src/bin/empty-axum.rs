//! An HTTP service that does nothing: what the benchmark holds the real ones against.

use axum::Router;
use axum::http::StatusCode;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?;
    axum::serve(listener, Router::new().fallback(async || StatusCode::NO_CONTENT)).await
}
