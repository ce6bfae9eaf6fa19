//! The console's page and its files.

use crate::support::Service;
use axum::http::Method;
use framepost_api::{Access, PathSigner, Tokens};
use std::sync::Arc;

#[tokio::test]
async fn the_page_may_load_nothing_from_elsewhere_and_is_sent_once() {
    let service = Service::start().await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/console/app.js", "text/javascript; charset=utf-8"),
        ("/console/console.css", "text/css; charset=utf-8"),
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        assert_eq!(answer.header("content-type"), content_type);
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        let again = service.ask(Method::GET, path, &[("if-none-match", answer.header("etag"))]).await;
        assert_eq!(again.status.as_u16(), 304, "{path}");
        let packed = service.ask(Method::GET, path, &[("accept-encoding", "gzip")]).await;
        assert!(packed.body.len() < answer.body.len() || answer.body.len() < 1024, "{path}");
    }
}

#[tokio::test]
async fn the_page_needs_no_token_and_what_it_shows_does() {
    let tokens = Arc::new(Tokens::of("[]").unwrap());
    let service = Service::with(Access::Tokens { tokens, oidc: None, signer: PathSigner::new(&[7; 32]) }).await;
    assert_eq!(service.get("/").await.status.as_u16(), 200);
    assert_eq!(service.get("/console/app.js").await.status.as_u16(), 200);
    assert_eq!(service.get("/v1/cameras").await.status.as_u16(), 401);
}
