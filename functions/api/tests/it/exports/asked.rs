//! Who may ask for exports and remove them, and which requests are refused.

use super::{Place, range};
use axum::http::Method;
use framepost_api::export::Work;
use framepost_api::{Access, PathSigner, Right, Scope, StoredToken, Tokens};
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test]
async fn an_export_that_is_removed_leaves_nothing() {
    let place = Place::new().await;
    let service = place.open();
    let footage = place.bucket.keys();
    let asked = json!({"name": "n", "ranges": [range(0, 0, 60_000)]});
    let path = service.post("", &asked).await.header("location").to_owned();
    service.made(&path).await;
    let other = service.post("", &asked).await.header("location").to_owned();
    for path in [&path, &other] {
        assert_eq!(service.send(Method::DELETE, path, &[], "").await.status.as_u16(), 204);
        assert_eq!(service.get(path).await.status.as_u16(), 404);
        assert_eq!(service.send(Method::DELETE, path, &[], "").await.status.as_u16(), 404);
    }
    assert_eq!(place.bucket.keys(), footage);
}

#[tokio::test]
async fn what_cannot_be_exported_is_refused() {
    let place = Place::new().await;
    let service = place.open();
    let good = range(0, 0, 60_000);
    let many: Vec<Value> = (0..65).map(|_| good.clone()).collect();
    let mut unknown = good.clone();
    unknown["x"] = json!(1);
    for (body, status) in [
        (json!({"name": "", "ranges": [good]}), 400),
        (json!({"name": "x".repeat(201), "ranges": [good]}), 400),
        (json!({"name": "a\nb", "ranges": [good]}), 400),
        (json!({"name": "n", "ranges": []}), 400),
        (json!({"name": "n", "ranges": many}), 400),
        (json!({"name": "n", "ranges": [unknown]}), 400),
        (json!({"name": "n", "ranges": [good], "x": 1}), 400),
        (json!({"name": "n", "ranges": [range(0, 60_000, 0)]}), 400),
        (json!({"name": "n", "ranges": [range(0, 0, 32 * 86_400_000)]}), 400),
        (
            json!({"name": "n", "ranges": [{"site": "../x", "camera": "c", "from": good["from"], "to": good["to"]}]}),
            400,
        ),
        (json!({"name": "n", "ranges": [range(0, 70_000, 80_000)]}), 404),
        (json!({"name": "n", "ranges": [range(3, 0, 60_000)]}), 404),
        (json!({"name": "n", "ranges": [range(0, 0, 200_000)], "gaps": "fail"}), 409),
        (json!({"name": "n", "ranges": [range(0, 0, 60_000)], "gaps": "fail"}), 202),
        (json!("x"), 400),
    ] {
        let answer = service.post("", &body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text());
    }
    let body = json!({"name": "n", "ranges": [good]}).to_string();
    // What a page of another origin can send without being asked first.
    for of_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
        let answer = service.send(Method::POST, "/v1/exports", &[("content-type", of_type)], &body).await;
        assert_eq!(answer.status.as_u16(), 415, "{of_type}");
    }
    let long = format!("{body}{}", " ".repeat(70_000));
    let answer = service.send(Method::POST, "/v1/exports", &[("content-type", "application/json")], &long).await;
    assert_eq!(answer.status.as_u16(), 400);
    for id in ["x", "../requests", "%00", &"f".repeat(24), &"F".repeat(24)] {
        assert_eq!(service.get(&format!("/v1/exports/{id}")).await.status.as_u16(), 404, "{id}");
    }
    // One is being made already.
    for n in 0..8 {
        let good = range(0, 0, 60_000);
        let answer = service.post("", &json!({"name": "n", "ranges": [good]})).await;
        assert_eq!(answer.status.as_u16(), if n < 7 { 202 } else { 429 }, "{n}: {}", answer.text());
    }
}

#[tokio::test]
async fn an_export_exists_for_those_who_see_all_of_its_cameras() {
    let place = Place::new().await;
    let made = [("*", vec![Right::Keep]), ("site-0", vec![Right::Keep]), ("site-1", vec![Right::Keep]), ("*", vec![])]
        .map(|(scope, rights)| {
            let (text, stored) = StoredToken::make(vec![Scope::try_from(scope.to_owned()).unwrap()], None).unwrap();
            (text, stored.with(rights))
        });
    let stored: Vec<&StoredToken> = made.iter().map(|(_, stored)| stored).collect();
    let tokens = Arc::new(Tokens::of(&serde_json::to_string(&stored).unwrap()).unwrap());
    let access = Access::Tokens { tokens, oidc: None, signer: PathSigner::new(&[7; 32]) };
    let service = place.service(access, Work::InCalls);
    let [all, site, other, reader] = made.map(|(text, _)| format!("Bearer {text}"));
    let json_type = ("content-type", "application/json");
    let post = async |token: &str, body: &Value| {
        let headers = [("authorization", token), json_type];
        service.send(Method::POST, "/v1/exports", &headers, &body.to_string()).await
    };
    let get = async |token: &str, path: &str| service.send(Method::GET, path, &[("authorization", token)], "").await;
    let both = json!({"name": "both", "ranges": [range(0, 0, 3_000), range(1, 0, 3_000)]});
    assert_eq!(post(&reader, &both).await.status.as_u16(), 403);
    assert_eq!(post(&site, &both).await.status.as_u16(), 404, "a camera that it does not see");
    let path = post(&all, &both).await.header("location").to_owned();
    for _ in 0..3 {
        get(&all, &path).await;
    }
    let complete = get(&reader, &path).await.json();
    assert_eq!(complete["state"], "complete", "{complete}");
    let archive = complete["archive"].as_str().unwrap();
    let file = complete["files"][0]["url"].as_str().unwrap();
    for hidden in [&path, archive, file, &format!("/v1/sign?path={archive}"), &format!("{path}/files/manifest.json")] {
        for token in [&site, &other] {
            assert_eq!(get(token, hidden).await.status.as_u16(), 404, "{hidden}");
        }
        assert_eq!(get("Bearer x", hidden).await.status.as_u16(), 401, "{hidden}");
        assert_eq!(get(&reader, hidden).await.status.as_u16(), 200, "{hidden}");
    }
    assert_eq!(get(&site, "/v1/exports").await.json()["exports"], json!([]));
    let signed = get(&reader, &format!("/v1/sign?path={path}")).await.json()["path"].as_str().unwrap().to_owned();
    assert_eq!(get("", &signed).await.status.as_u16(), 200);
    assert_eq!(service.send(Method::DELETE, &signed, &[], "").await.status.as_u16(), 401, "it is for reading");
    for (token, status) in [(&site, 404), (&reader, 403), (&all, 204)] {
        let answer = service.send(Method::DELETE, &path, &[("authorization", token)], "").await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    }
}
