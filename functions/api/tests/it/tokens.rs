//! What holders of tokens see, and others do not.

use crate::support::{ALL, Service};
use axum::http::Method;
use framepost_api::{Access, PathSigner, Right, Scope, StoredToken, Tokens};
use std::sync::Arc;

/// A service, and tokens for everything, for `site-0`, for a camera of `site-1`, and one that ended.
pub(crate) async fn service() -> (Service, [String; 4]) {
    let ended = Some("2026-11-20T00:00:00Z".parse().unwrap());
    let made = [("*", None), ("site-0", None), ("site-1/cam-1", None), ("*", ended)]
        .map(|(scope, ends)| StoredToken::make(vec![Scope::try_from(scope.to_owned()).unwrap()], ends).unwrap())
        .map(|(text, stored)| (text, stored.with(vec![Right::Keep])));
    let stored: Vec<&StoredToken> = made.iter().map(|(_, stored)| stored).collect();
    let tokens = Arc::new(Tokens::of(&serde_json::to_string(&stored).unwrap()).unwrap());
    let access = Access::Tokens { tokens, oidc: None, signer: PathSigner::new(&[7; 32]) };
    (Service::with(access).await, made.map(|(text, _)| format!("Bearer {text}")))
}

#[tokio::test]
async fn what_a_token_may_not_see_does_not_exist() {
    let (service, [all, site, camera, _]) = service().await;
    let cameras = async |token: &str| {
        let answer = service.ask(Method::GET, "/v1/cameras", &[("authorization", token)]).await.json();
        answer["cameras"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["camera"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(cameras(&all).await, ["cam-0", "cam-1"]);
    assert_eq!((cameras(&site).await, cameras(&camera).await), (vec!["cam-0".to_owned()], vec!["cam-1".to_owned()]));
    let range = ALL.split_once("&from").unwrap().1;
    let chunk = &service.keys[0];
    for path in [
        format!("/v1/timeline?{ALL}"),
        "/v1/detections?site=site-0&camera=cam-0&from=2026-11-20T23:58:00Z&to=2026-11-20T23:59:00Z".to_owned(),
        "/v1/days?site=site-0&camera=cam-0&from=2026-11-20&to=2026-11-21".to_owned(),
        format!("/v1/playlists/site-0/cam-0.m3u8?from{range}"),
        format!("/v1/chunks/{chunk}"),
        format!("/v1/media/{chunk}"),
        format!("/v1/sign?path=/v1/media/{chunk}"),
        "/v1/sign?path=/v1/clips/site-0/cam-0.mp4".to_owned(),
    ] {
        let status =
            async |token: &str| service.ask(Method::GET, &path, &[("authorization", token)]).await.status.as_u16();
        assert_eq!((status(&site).await, status(&camera).await), (200, 404), "{path}");
    }
    for path in [
        "/v1/chunks?limit=1000",
        "/v1/sightings?limit=1000",
        "/v1/chunks?site=site-0",
        "/v1/sightings?site=site-0&camera=cam-0",
    ] {
        let text = service.ask(Method::GET, path, &[("authorization", &camera)]).await.text();
        assert!(!text.contains("site-0"), "{path}: {text}");
    }
    let headers = [("authorization", camera.as_str()), ("last-event-id", "0")];
    let events = service.begin("/v1/events", &headers, "site-1").await;
    assert!(!events.contains("site-0"), "{events}");
}

#[tokio::test]
async fn who_has_no_token_that_counts_is_not_let_in() {
    let (service, [all, _, _, ended]) = service().await;
    let key = &service.keys[0];
    // {"alg":"none"} {"sub":"admin"}
    let unsigned = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.";
    let cut = &all[..all.len() - 1];
    for token in ["", "Bearer", "Bearer ", "Basic YTpi", unsigned, cut, &ended, &all.replace("Bearer ", "")] {
        for path in
            ["/v1/cameras".to_owned(), format!("/v1/media/{key}"), "/openapi.json".to_owned(), "/v1/nothing".to_owned()]
        {
            let answer = service.ask(Method::GET, &path, &[("authorization", token)]).await;
            assert_eq!(answer.status.as_u16(), 401, "{token} {path}");
            assert!(answer.header("www-authenticate").starts_with("Bearer"));
        }
    }
}

#[tokio::test]
async fn a_signed_path_is_good_for_itself_alone() {
    let (service, [_, site, ..]) = service().await;
    let [first, second] = [&service.keys[0], &service.keys[1]];
    let asked = format!("/v1/sign?path=/v1/media/{first}");
    let signed = service.ask(Method::GET, &asked, &[("authorization", &site)]).await.json();
    let path = signed["path"].as_str().unwrap();
    assert_eq!(service.get(path).await.status.as_u16(), 200);
    for altered in [path.replace(first.as_str(), second), path.replace("expires=1", "expires=9"), format!("{path}A")] {
        assert_eq!(service.get(&altered).await.status.as_u16(), 401, "{altered}");
    }
    for refused in
        ["/v1/cameras", "/v1/chunks", "https://elsewhere.example/v1/media/x", "//elsewhere.example/v1/media/x", "", "x"]
    {
        let answer = service.ask(Method::GET, &format!("/v1/sign?path={refused}"), &[("authorization", &site)]).await;
        assert_eq!(answer.status.as_u16(), 400, "{refused}: {}", answer.text());
    }
    // A playlist brings the signatures of its media.
    let range = ALL.split_once("&from").unwrap().1.replace('&', "%26").replace('=', "%3D");
    let asked = format!("/v1/sign?path=/v1/playlists/site-0/cam-0.m3u8?from{range}");
    let signed = service.ask(Method::GET, &asked, &[("authorization", &site)]).await.json();
    let playlist = service.get(signed["path"].as_str().unwrap()).await;
    assert_eq!(playlist.status.as_u16(), 200, "{}", playlist.text());
    let text = playlist.text();
    let media = text.lines().find(|line| line.starts_with("../../media/")).unwrap();
    assert_eq!(service.get(&media.replace("../..", "/v1")).await.status.as_u16(), 200, "{media}");
    let bare = media.split('?').next().unwrap();
    assert_eq!(service.get(&bare.replace("../..", "/v1")).await.status.as_u16(), 401);
}
