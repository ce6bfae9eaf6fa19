//! The console's page and its files.

use crate::support::Service;
use axum::http::Method;
use framepost_api::{Access, PathSigner, Tokens};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The paths of a page's files that begin like this, as the page has them.
fn paths<'a>(page: &'a str, before: &str) -> Vec<&'a str> {
    page.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[tokio::test]
async fn the_page_may_load_nothing_from_elsewhere_and_is_sent_once() {
    let service = Service::start().await;
    let page = service.get("/").await.text();
    let app = paths(&page, "<script type=\"module\" src=\"")[0];
    let style = paths(&page, "<link rel=\"stylesheet\" href=\"")[0];
    for (path, content_type) in [
        ("/".to_owned(), "text/html; charset=utf-8"),
        (format!("/{app}"), "text/javascript; charset=utf-8"),
        (format!("/{style}"), "text/css; charset=utf-8"),
    ] {
        let path = path.as_str();
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

/// A browser asks for the page each time, and for its files once for each version. The page names all modules, so that a browser
/// requests them at once, and not each one after the module that imports it.
#[tokio::test]
async fn the_files_of_the_page_are_asked_for_at_once_and_once() {
    let service = Service::start().await;
    let page = service.get("/").await;
    assert_eq!(page.header("cache-control"), "private, no-cache");
    let page = page.text();
    let modules = paths(&page, "<link rel=\"modulepreload\" href=\"");
    let app = paths(&page, "<script type=\"module\" src=\"")[0];
    let directory = app.strip_suffix("app.js").unwrap();
    let named: BTreeSet<_> = modules.iter().chain([&app]).map(|path| path.strip_prefix(directory).unwrap()).collect();
    let mut imported = BTreeSet::from(["app.js".to_owned()]);
    for name in &named {
        let module = service.get(&format!("/{directory}{name}")).await;
        assert_eq!(module.header("cache-control"), "private, max-age=31536000, immutable", "{name}");
        imported.extend(paths(&module.text(), "from \"./").into_iter().map(ToOwned::to_owned));
    }
    assert_eq!(named, imported.iter().map(String::as_str).collect());
    // Another version of the program may be asked for the files of this one while it is replaced.
    let other = service.get("/console/0123456789abcdef/app.js").await;
    assert_eq!(other.header("cache-control"), "private, no-cache");
    assert_eq!(other.text(), service.get(&format!("/{app}")).await.text());
}

#[tokio::test]
async fn the_page_needs_no_token_and_what_it_shows_does() {
    let tokens = Arc::new(Tokens::of("[]").unwrap());
    let service = Service::with(Access::Tokens { tokens, oidc: None, signer: PathSigner::new(&[7; 32]) }).await;
    assert_eq!(service.get("/").await.status.as_u16(), 200);
    assert_eq!(service.get("/console/1/app.js").await.status.as_u16(), 200);
    assert_eq!(service.get("/v1/cameras").await.status.as_u16(), 401);
}
