//! What a hostile caller tries.

use crate::support::{ALL, Service};
use axum::http::Method;
use serde_json::Value;

#[tokio::test]
async fn no_parameter_takes_what_it_is_not_for() {
    let directory = tempfile::tempdir().unwrap();
    let service = Service::in_sql(&directory.path().join("catalog.db")).await;
    let lists = ["/v1/cameras", "/v1/chunks?limit=1000", "/v1/sightings?limit=1000"];
    let mut before = Vec::new();
    for list in lists {
        before.push(service.get(list).await.text());
    }
    assert!(before.iter().all(|list| list.contains("site-0")), "there is something to lose");
    let bad = [
        "",
        "x",
        "%27%20OR%201%3D1--",
        "%27%29%3BDELETE%20FROM%20chunk%3B--",
        "%22%20UNION%20SELECT%20name%20FROM%20camera--",
        "%00",
        "..%2F..%2Fetc%2Fpasswd",
        "9223372036854775808",
        "-1",
        "NaN",
        "%F0%9F%92%A5",
    ];
    let queries = [
        ("/v1/timeline", vec!["site", "camera", "from", "to", "resolution", "countSeconds", "unknown"]),
        ("/v1/chunks", vec!["site", "from", "to", "order", "limit", "cursor", "unknown"]),
        ("/v1/sightings", vec!["site", "from", "to", "minScore", "limit", "cursor", "unknown"]),
        ("/v1/detections", vec!["site", "camera", "from", "to", "unknown"]),
        ("/v1/playlists/site-0/cam-0.m3u8", vec!["from", "to", "since", "unknown"]),
    ];
    for (path, parameters) in queries {
        for parameter in parameters {
            for value in bad {
                let kept: Vec<&str> = ALL.split('&').filter(|part| !part.starts_with(parameter)).collect();
                let kept = if path.contains("playlists") { vec![] } else { kept };
                let kept: Vec<&str> = if matches!(path, "/v1/chunks" | "/v1/sightings") { vec![] } else { kept };
                let answer = service.get(&format!("{path}?{}&{parameter}={value}", kept.join("&"))).await;
                let status = answer.status.as_u16();
                let is_fine = matches!((parameter, value, status), (_, _, 400))
                    // An empty text, or a number that is in the range.
                    || (status == 200 && answer.body.len() < 100_000 && matches!(parameter, "site" | "camera" | "resolution" | "minScore"));
                assert!(is_fine, "{path} {parameter}={value}: {status} {}", answer.text());
                if status == 400 {
                    let problem = answer.json();
                    assert_eq!(answer.header("content-type"), "application/problem+json");
                    assert!(problem["title"].is_string() && problem["status"] == 400, "{problem}");
                }
            }
        }
    }
    // Texts that are looked for as they are: nothing has them, and no statement is made of them.
    let quoted = ["%27%20OR%201%3D1--", "%27%29%3BDELETE%20FROM%20sighting%3B--", "%25", "person%27--"];
    for parameter in ["label", "camera", "zone"] {
        for value in quoted {
            let answer = service.get(&format!("/v1/sightings?{parameter}={value}")).await;
            let found = answer.status.as_u16() == 200 && !answer.json()["sightings"].as_array().unwrap().is_empty();
            assert!(matches!(answer.status.as_u16(), 200 | 400) && !found, "{parameter}={value}: {}", answer.text());
        }
    }
    let within = "from=2026-11-20T23:58:00Z&to=2026-11-20T23:59:00Z";
    for value in quoted {
        for path in [
            format!("/v1/sightings?timeFrom={value}"),
            format!("/v1/sightings?timeTo={value}"),
            format!("/v1/days?site={value}&camera=cam-0&from=2026-11-20&to=2026-11-21"),
            format!("/v1/events?site={value}"),
            format!("/v1/events?camera={value}&site=site-0"),
            format!("/v1/sign?path={value}"),
            format!("/v1/chunks/{value}"),
            format!("/v1/media/{value}"),
            format!("/v1/holds/{value}"),
            format!("/v1/exports/{value}"),
            format!("/v1/playlists/{value}/cam-0.m3u8?{within}"),
            format!("/v1/playlists/site-0/{value}.m3u8?{within}"),
            format!("/v1/clips/site-0/{value}.mp4?{within}"),
            format!("/v1/clips/site-0/cam-0.mp4?from={value}&to=2026-11-20T23:59:00Z"),
            format!("/v1/clips/site-0/cam-0.mp4?{within}&gaps={value}"),
        ] {
            let answer = service.get(&path).await;
            assert!(matches!(answer.status.as_u16(), 400 | 404), "{path}: {} {}", answer.status, answer.text());
        }
    }
    for (list, before) in lists.into_iter().zip(before) {
        assert_eq!(service.get(list).await.text(), before, "{list}");
    }
}

#[tokio::test]
async fn only_what_is_catalogued_is_read() {
    let service = Service::start().await;
    for path in [
        "/v1/media/../../etc/passwd",
        "/v1/media/..%2F..%2Fetc%2Fpasswd",
        "/v1/media/%2Fetc%2Fpasswd",
        "/v1/media/catalog.db",
        "/v1/media/",
        "/v1/media/site-0/2026-11-20/cam-0/23/58-00Z.0.mp4%00.txt",
        "/v1/chunks/..%2Fcatalog.db",
        "/v1/playlists/site-9/cam-0.m3u8",
        "/v1/playlists/site-0/cam-0",
        "/v1/playlists/site-0/..m3u8",
        "/v1/nothing",
        "/console/",
        "/console/../Cargo.toml",
        "/console/1/../Cargo.toml",
        "/console/1/..%2Fapp.js",
        "/console/app.js",
    ] {
        let answer = service.get(path).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}: {}", answer.text());
        assert!(!answer.text().contains("passwd") && !answer.text().contains(".db"), "{path}: {}", answer.text());
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let answer = service.ask(method.clone(), &format!("/v1/media/{}", service.keys[0]), &[]).await;
        assert_eq!(answer.status.as_u16(), 405, "{method}");
    }
}

/// Ten thousand cursors that nobody was given, made out of good ones, of both lists and for the wrong list.
#[tokio::test]
async fn a_made_up_cursor_shows_nothing_else_and_breaks_nothing() {
    let (service, [everything, site, ..]) = crate::tokens::service().await;
    let get = async |path: String, token: &str| service.ask(Method::GET, &path, &[("authorization", token)]).await;
    let mut random = fastrand::Rng::with_seed(14);
    // Given to somebody who sees both sites, and to somebody who sees one.
    let mut good: Vec<String> = Vec::new();
    for list in ["chunks", "sightings"] {
        for token in [&everything, &site] {
            let page = get(format!("/v1/{list}?limit=3"), token).await.json();
            good.push(page["next"].as_str().expect("there is more").to_owned());
        }
    }
    let mut statuses = [0, 0];
    for n in 0..10_000 {
        let mut cursor = good[n % 4].clone().into_bytes();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(0..cursor.len());
            match random.u8(0..4) {
                0 => cursor.truncate(at.max(1)),
                1 => cursor.insert(at, b"AZaz09-_"[random.usize(0..8)]),
                _ => cursor[at] = b"AZaz09-_"[random.usize(0..8)],
            }
        }
        let cursor = String::from_utf8(cursor).unwrap();
        let list = ["chunks", "sightings"][random.usize(0..2)];
        let answer = get(format!("/v1/{list}?limit=3&cursor={cursor}"), &site).await;
        let text = answer.text();
        match answer.status.as_u16() {
            200 => {
                statuses[0] += 1;
                assert!(
                    !text.contains("site-1") && answer.json()[list].as_array().unwrap().len() <= 3,
                    "{cursor}: {text}"
                );
            }
            400 => {
                statuses[1] += 1;
                assert_eq!(answer.json()["parameter"], "cursor", "{cursor}: {text}");
            }
            status => panic!("{list} {cursor}: {status} {text}"),
        }
    }
    assert!(statuses.iter().all(|count| *count > 10), "some are read, and most are not: {statuses:?}");
}

#[tokio::test]
async fn a_page_under_a_name_of_its_own_reaches_nothing() {
    let service = Service::start().await;
    for host in ["rebound.example", "rebound.example:8642", "127.0.0.1.nip.io:8642", ""] {
        for path in ["/v1/cameras", "/openapi.json", "/docs", "/v1/nothing", "/", "/console/1/app.js"] {
            let answer = service.ask(Method::GET, path, &[("host", host)]).await;
            assert_eq!(answer.status.as_u16(), 403, "{host} {path}");
        }
    }
    let own = service.ask(Method::GET, "/v1/cameras", &[("host", "localhost:8642")]).await;
    assert_eq!(own.status.as_u16(), 200);
    assert!(own.headers.get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn long_stretches_are_refused() {
    let service = Service::start().await;
    let of = |from: &str, to: &str| format!("site=site-0&camera=cam-0&from={from}&to={to}");
    let ever = of("-009999-01-02T01:59:59Z", "9999-12-30T22:00:00Z");
    for path in ["/v1/timeline", "/v1/detections", "/v1/chunks", "/v1/sightings"] {
        let answer = service.get(&format!("{path}?{ever}")).await;
        assert_eq!(answer.status.as_u16(), 400, "{path}");
        let problem: Value = answer.json();
        assert_eq!(problem["parameter"], "to", "{problem}");
        let backwards = service.get(&format!("{path}?{}", of("2026-11-21T00:00:00Z", "2026-11-20T00:00:00Z"))).await;
        assert_eq!(backwards.status.as_u16(), 400, "{path}");
    }
}
