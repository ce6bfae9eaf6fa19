//! What is held, and by whom.

use crate::support::{Answer, Service};
use crate::tokens::service;
use axum::http::Method;
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

fn wanted(site: &str, camera: &str) -> Value {
    json!({"site": site, "camera": camera, "from": "2026-11-20T23:58:00.0000015Z", "to": "2026-11-20T23:59:00.0000015Z",
        "reason": "Unfall am Tor"})
}

async fn post(service: &Service, headers: &[(&str, &str)], body: &Value) -> Answer {
    service.send(Method::POST, "/v1/holds", headers, &body.to_string()).await
}

async fn ids(service: &Service, token: &str, query: &str) -> Vec<String> {
    let answer = service.ask(Method::GET, &format!("/v1/holds{query}"), &[("authorization", token)]).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    let holds = answer.json()["holds"].as_array().unwrap().clone();
    holds.iter().map(|hold| hold["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_hold_is_made_found_and_ended() {
    let service = Service::start().await;
    let made = post(&service, &[JSON], &wanted("site-0", "cam-0")).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let hold = made.json();
    // All that was asked for, in whole microseconds.
    assert_eq!(
        (&hold["from"], &hold["to"]),
        (&json!("2026-11-20T23:58:00.000001Z"), &json!("2026-11-20T23:59:00.000002Z"))
    );
    assert_eq!((&hold["reason"], &hold["createdAt"]), (&json!("Unfall am Tor"), &json!("2026-11-21T00:01:05Z")));
    assert!(hold.get("createdBy").is_none(), "nobody has a name here");
    let path = made.header("location").to_owned();
    assert_eq!(service.get(&path).await.json(), hold);

    let second = post(&service, &[JSON], &wanted("site-0", "cam-0")).await.json();
    let first_page = service.get("/v1/holds?limit=1").await.json();
    let next = first_page["next"].as_str().unwrap();
    let second_page = service.get(&format!("/v1/holds?limit=1&cursor={next}")).await.json();
    assert!(second_page.get("next").is_none());
    let mut found = [&first_page, &second_page].map(|page| page["holds"][0]["id"].as_str().unwrap().to_owned());
    let mut expected = [&hold, &second].map(|hold| hold["id"].as_str().unwrap().to_owned());
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    for (query, count) in [
        ("?site=site-0", 2),
        ("?site=site-0&camera=cam-0", 2),
        ("?site=site-1", 0),
        ("?from=2026-11-20T23:59:00.000002Z", 0),
        ("?to=2026-11-20T23:58:00.000002Z", 2),
    ] {
        assert_eq!(ids(&service, "", query).await.len(), count, "{query}");
    }

    for status in [204, 404, 404] {
        assert_eq!(service.ask(Method::DELETE, &path, &[]).await.status, status);
    }
    assert_eq!(service.get(&path).await.status, 404);
    assert_eq!(ids(&service, "", "").await.len(), 1);
}

#[tokio::test]
async fn nobody_holds_or_frees_what_he_may_not_see() {
    let (service, [all, site, camera, ended]) = service().await;
    let of = async |token: &str, site: &str, camera: &str| {
        post(&service, &[JSON, ("authorization", token)], &wanted(site, camera)).await
    };
    let mine = of(&site, "site-0", "cam-0").await;
    assert_eq!(mine.status, 201);
    assert!(mine.json()["createdBy"].is_string());
    let other = of(&camera, "site-1", "cam-1").await;
    assert_eq!(other.status, 201);
    assert_eq!(of(&camera, "site-0", "cam-0").await.status, 404);
    assert_eq!(of(&site, "site-1", "cam-1").await.status, 404);
    assert_eq!(of(&ended, "site-0", "cam-0").await.status, 401);
    let id = |answer: &Answer| answer.json()["id"].as_str().unwrap().to_owned();
    let mine = id(&mine);
    let other = id(&other);
    assert_eq!(ids(&service, &all, "").await.len(), 2);
    assert_eq!(ids(&service, &all, "?site=site-1").await, std::slice::from_ref(&other));
    for query in ["", "?site=site-0", "?site=site-0&camera=cam-0"] {
        assert_eq!(ids(&service, &site, query).await, std::slice::from_ref(&mine), "{query}");
        let expected = if query.is_empty() { vec![other.clone()] } else { vec![] };
        assert_eq!(ids(&service, &camera, query).await, expected, "{query}");
    }
    for method in [Method::GET, Method::DELETE] {
        let path = format!("/v1/holds/{mine}");
        assert_eq!(service.ask(method, &path, &[("authorization", &camera)]).await.status, 404);
    }
    assert_eq!(ids(&service, &site, "").await, [mine]);
}

#[tokio::test]
async fn only_a_whole_request_in_json_makes_one() {
    let service = Service::start().await;
    let good = wanted("site-0", "cam-0");
    // What a form or a script of another origin sends without asking first.
    for declared in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("text/plain; application/json")]
    {
        let headers: Vec<(&str, &str)> = declared.into_iter().map(|declared| ("content-type", declared)).collect();
        assert_eq!(post(&service, &headers, &good).await.status, 415, "{declared:?}");
    }
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, status) in [
        (with("camera", json!("cam-9")), 404),
        (with("site", json!("../x")), 400),
        (with("camera", json!("' OR 1=1 --")), 400),
        (with("to", json!("2026-11-20T23:58:00Z")), 400),
        (with("to", json!("9999-01-01T00:00:00Z")), 400),
        (with("from", json!("yesterday")), 400),
        (with("from", json!(9_223_372_036_854_775_807_u64)), 400),
        (with("reason", json!("x".repeat(1001))), 400),
        (with("reason", json!("a\0b")), 400),
        (with("reason", json!("x".repeat(100_000))), 400),
        (with("reason", Value::Null), 400),
        (with("unknown", json!(1)), 400),
        (json!([]), 400),
        (json!("x"), 400),
    ] {
        let answer = post(&service, &[JSON], &body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    for query in ["?limit=0", "?limit=1001", "?cursor=x", "?camera=cam-0", "?site=..", "?unknown=1"] {
        assert_eq!(service.get(&format!("/v1/holds{query}")).await.status, 400, "{query}");
    }
    assert!(ids(&service, "", "").await.is_empty());
    let reason = with("reason", json!("ä".repeat(1000)));
    assert_eq!(post(&service, &[("content-type", "Application/JSON; charset=utf-8")], &reason).await.status, 201);
}
