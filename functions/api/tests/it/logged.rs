//! The log of who watched or exported what.

use crate::exports::{Place, range};
use axum::http::Method;
use framepost_api::export::Work;
use framepost_api::{Access, PathSigner, Right, Scope, StoredToken, Tokens};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The fields of each event that is logged, as text, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<BTreeMap<String, String>>>>);

struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(BTreeMap::new());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Log {
    /// The last entry of this event.
    fn last(&self, event: &str) -> BTreeMap<String, String> {
        let entries = self.0.lock().unwrap();
        let of_event = |entry: &&BTreeMap<String, String>| entry.get("event").is_some_and(|of| of == event);
        entries.iter().rev().find(of_event).cloned().unwrap_or_else(|| panic!("{event}: {entries:?}"))
    }
}

/// Each test has a thread of its own, and so has what it logs.
#[tokio::test]
async fn who_watched_or_exported_what_is_in_the_log_without_secrets() {
    let log = Log::default();
    let _logging = tracing::subscriber::set_default(log.clone());
    let place = Place::new().await;
    let (token, stored) = StoredToken::make(vec![Scope::try_from("site-0".to_owned()).unwrap()], None).unwrap();
    let stored = stored.with(vec![Right::Keep]);
    let tokens = Arc::new(Tokens::of(&serde_json::to_string(&[&stored]).unwrap()).unwrap());
    let access = Access::Tokens { tokens, oidc: None, signer: PathSigner::new(&[7; 32]) };
    let service = place.service(access, Work::InCalls);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];

    let clip = range(0, 0, 4_000);
    let [from, to] = ["from", "to"].map(|name| clip[name].as_str().unwrap());
    let path = "/v1/clips/site-0/cam-0.mp4";
    let answer = service.send(Method::GET, &format!("{path}?from={from}&to={to}"), &headers, "").await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let entry = log.last("footage-sent");
    let said = |name: &str| entry.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!((said("path"), said("from"), said("to"), said("status")), (path, from, to, "200"));
    let caller = said("caller").to_owned();
    assert!(!caller.is_empty() && token.contains(&caller), "the token's id: {caller}");

    // A playlist and what it names are watched, too.
    let chunks = service.send(Method::GET, "/v1/chunks?limit=1", &headers, "").await.json();
    let media = chunks["chunks"][0]["media"].as_str().unwrap();
    let playlist = "/v1/playlists/site-0/cam-0.m3u8";
    for (asked, path) in [(format!("{playlist}?from={from}&to={to}"), playlist), (media.to_owned(), media)] {
        let answer = service.send(Method::GET, &asked, &headers, "").await;
        assert_eq!(answer.status.as_u16(), 200, "{asked}: {}", answer.text());
        let entry = log.last("footage-sent");
        assert_eq!((entry["caller"].as_str(), entry["path"].as_str()), (caller.as_str(), path));
    }

    // By a signed path nobody says who asks: who had it signed is known.
    let query: String =
        url::form_urlencoded::byte_serialize(format!("{path}?from={from}&to={to}").as_bytes()).collect();
    let answer = service.send(Method::GET, &format!("/v1/sign?path={query}"), &headers, "").await.json();
    let entry = log.last("path-signed");
    let said = |name: &str| entry.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!((said("caller"), said("path"), said("from"), said("to")), (caller.as_str(), path, from, to));
    assert_eq!(said("expires"), answer["expires"].as_str().unwrap());
    let signed = answer["path"].as_str().unwrap();
    assert_eq!(service.send(Method::GET, signed, &[], "").await.status.as_u16(), 200, "{signed}");
    let entry = log.last("footage-sent");
    assert_eq!((entry["caller"].as_str(), entry["path"].as_str()), ("signed", path));
    let (_, signature) = signed.rsplit_once('=').unwrap();

    let body = json!({"name": "gate", "ranges": [clip]}).to_string();
    let answer = service.send(Method::POST, "/v1/exports", &headers, &body).await;
    let export = answer.header("location").to_owned();
    let entry = log.last("export-asked");
    assert_eq!(entry["caller"], caller);
    assert!(entry["ranges"].contains("cam-0") && entry["ranges"].contains(from), "{entry:?}");
    service.send(Method::DELETE, &export, &headers, "").await;
    assert_eq!(log.last("export-removed")["caller"], caller);

    let secret = token.splitn(3, '_').last().unwrap();
    let all = format!("{:?}", log.0.lock().unwrap());
    assert!(secret.len() > 20 && !all.contains(secret), "{all}");
    assert!(signature.len() > 20 && !all.contains(signature), "{all}");
}
