//! What is found.

use crate::support::{ALL, Service};
use axum::http::Method;
use framepost_ports::catalog::Change;
use framepost_ports::contract::Footage;
use serde_json::Value;

#[tokio::test]
async fn cameras_and_a_timeline_with_its_gap() {
    let service = Service::start().await;
    let cameras = service.get("/v1/cameras").await.json();
    assert_eq!(cameras["cameras"].as_array().unwrap().len(), 2, "{cameras}");
    assert_eq!(cameras["cameras"][0]["last"], "2026-11-21T00:01:00Z");
    let timeline = service.get(&format!("/v1/timeline?{ALL}&countSeconds=60")).await.json();
    assert_eq!(timeline["recorded"].as_array().unwrap().len(), 2, "{timeline}");
    assert_eq!(timeline["recorded"][0]["chunks"], 20);
    assert_eq!(timeline["gaps"][0]["cause"], "camera-lost");
    assert_eq!(
        (&timeline["gaps"][0]["from"], &timeline["gaps"][0]["to"]),
        (&"2026-11-20T23:59:00Z".into(), &"2026-11-21T00:00:00Z".into())
    );
    assert_eq!(timeline["segments"].as_array().unwrap().len(), 40);
    let counted: u64 =
        timeline["counts"].as_array().unwrap().iter().map(|count| count["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, timeline["sightings"].as_array().unwrap().len() as u64);
    assert!(counted > 0 && !timeline["notLookedAt"].as_array().unwrap().is_empty(), "{timeline}");
    // What is recorded is looked at, or it is said why not.
    let wide = service.get(&format!("/v1/timeline?{ALL}&resolution=3600")).await.json();
    assert_eq!(wide["recorded"].as_array().unwrap().len(), 1);
    assert_eq!(wide["gaps"].as_array().unwrap().len(), 1, "a gap is never joined away");
}

#[tokio::test]
async fn lists_go_on_page_by_page() {
    let service = Service::start().await;
    for (path, name) in [("/v1/chunks", "chunks"), ("/v1/sightings", "sightings")] {
        let all = service.get(&format!("{path}?limit=1000")).await.json()[name].as_array().unwrap().clone();
        assert!(all.len() > 10, "{}", all.len());
        let mut found = Vec::<Value>::new();
        let mut cursor = String::new();
        for _ in 0..=all.len() {
            let page = service.get(&format!("{path}?limit=7{cursor}")).await.json();
            found.extend(page[name].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(found, all, "{path}");
    }
    let one = service.get(&format!("/v1/chunks/{}", service.keys[0])).await.json();
    assert_eq!(one["key"], service.keys[0].as_str());
    assert_eq!(one["mimeType"], "video/mp4; codecs=\"avc1.64001f\"");
}

/// The parts of a day, page by page, are all of it together, and each has its own hours.
#[tokio::test]
async fn sightings_are_found_by_the_time_of_day() {
    let service = Service::start().await;
    let all = service.get("/v1/sightings?limit=1000").await.json()["sightings"].as_array().unwrap().clone();
    let mut times: Vec<String> = all.iter().map(|one| one["from"].as_str().unwrap()[11..19].to_owned()).collect();
    times.sort();
    let middle = times[times.len() / 2].as_str();
    let mut found = 0;
    for (part, is_late) in [(format!("timeTo={middle}"), false), (format!("timeFrom={middle}"), true)] {
        let mut cursor = String::new();
        for _ in 0..=all.len() {
            let page = service.get(&format!("/v1/sightings?{part}&limit=3{cursor}")).await.json();
            for sighting in page["sightings"].as_array().unwrap() {
                let time = &sighting["from"].as_str().unwrap()[11..19];
                assert!(all.contains(sighting) && (time >= middle) == is_late, "{part}: {sighting}");
                found += 1;
            }
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
    }
    assert_eq!(found, all.len());
    for wrong in ["timeFrom=25:00", "timeFrom=08:00&zone=Europe/Nowhere", "timeTo=tomorrow"] {
        assert_eq!(service.get(&format!("/v1/sightings?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let service = Service::start().await;
    let path = format!("/v1/chunks?{ALL}");
    let first = service.get(&path).await;
    let again = service.ask(Method::GET, &path, &[("if-none-match", first.header("etag"))]).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16(), again.body.len()), (200, 304, 0));
    let packed = service.ask(Method::GET, &path, &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.body.len() * 3 < first.body.len(), "{} of {}", packed.body.len(), first.body.len());
}

#[tokio::test]
async fn the_description_names_every_route_and_the_page_shows_it() {
    let service = Service::start().await;
    let description = service.get("/openapi.json").await.json();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"), "{}", description["openapi"]);
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths.len(), 20, "{paths:?}");
    let page = service.get("/docs").await;
    assert!(page.text().contains("<code>GET /v1/timeline</code>"), "{}", page.text());
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!page.text().contains("<script") && !page.text().contains("http://") && !page.text().contains("https://"));
}

#[tokio::test]
async fn days_are_those_of_a_time_zone() {
    let service = Service::start().await;
    let days = async |zone: &str| {
        let path = format!("/v1/days?site=site-0&camera=cam-0&from=2026-11-01&to=2026-11-30&zone={zone}");
        let answer = service.get(&path).await.json();
        let days = answer["days"].as_array().unwrap().clone();
        days.iter()
            .map(|day| (day["day"].as_str().unwrap().to_owned(), day["seconds"].as_f64().unwrap()))
            .collect::<Vec<_>>()
    };
    let day = |day: &str, seconds: f64| (day.to_owned(), seconds);
    assert_eq!(days("UTC").await, [day("2026-11-20", 60.0), day("2026-11-21", 60.0)]);
    assert_eq!(days("Europe/Berlin").await, [day("2026-11-21", 120.0)]);
    assert_eq!(days("America/New_York").await, [day("2026-11-20", 120.0)]);
    let bad =
        service.get("/v1/days?site=site-0&camera=cam-0&from=2026-11-01&to=2026-11-30&zone=../../etc/passwd").await;
    assert_eq!((bad.status.as_u16(), &bad.json()["parameter"]), (400, &"zone".into()));
    let long = service.get("/v1/days?site=site-0&camera=cam-0&from=0001-01-01&to=9999-12-31").await;
    assert_eq!(long.status.as_u16(), 400);
}

#[tokio::test]
async fn records_come_as_they_are_written_from_where_a_reader_was() {
    let service = Service::start().await;
    let path = "/v1/events?site=site-0&camera=cam-0";
    let first = service.begin(path, &[("last-event-id", "0")], "id: 3\n").await;
    assert!(first.contains("id: 1\n") && first.contains("event: io.framepost.chunk.probed.v1\n"), "{first}");
    let later = service.begin(path, &[("last-event-id", "2")], "id: 3\n").await;
    assert!(!later.contains("id: 1\n") && !later.contains("id: 2\n"), "{later}");
    let data = later.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let record: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&record["data"]["site"], &record["data"]["camera"]), (&"site-0".into(), &"cam-0".into()));
}

/// A reader that asks as a browser's `EventSource` does misses nothing, and nothing waits for it in between.
#[tokio::test]
async fn where_nobody_can_wait_records_come_in_turns() {
    let service = Service::in_turns().await;
    let last = |text: &str| text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned();
    let path = "/v1/events?site=site-0&camera=cam-0";
    let begun = service.get(path).await;
    let text = String::from_utf8(begun.body).unwrap();
    assert!(text.contains("retry: 2000\n") && !text.contains("event: "), "what was before is not told: {text}");
    let more = Footage::new(12).chunk(&Footage::camera(0), 400_000, 0, "1");
    service.tell(more.into_iter().map(|record| Change::Record(Box::new(record)))).await;
    let then = service.ask(Method::GET, path, &[("last-event-id", &last(&text))]).await;
    let told = String::from_utf8(then.body).unwrap();
    assert_eq!(told.matches("event: io.framepost.chunk.probed.v1\n").count(), 1, "{told}");
    let nothing = service.ask(Method::GET, path, &[("last-event-id", &last(&told))]).await;
    let nothing = String::from_utf8(nothing.body).unwrap();
    assert!(!nothing.contains("event: ") && last(&nothing) == last(&told), "{nothing}");
    let all = service.ask(Method::GET, path, &[("last-event-id", "0")]).await;
    let all = String::from_utf8(all.body).unwrap();
    assert_eq!(all.matches("event: io.framepost.chunk.probed.v1\n").count(), 41, "{all}");
}
