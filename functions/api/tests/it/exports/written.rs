//! Exports are written as they were planned, also after a kill or a fault of the bucket, and listed.

use super::{Place, range};
use axum::http::Method;
use framepost_api::Access;
use framepost_api::export::Work;
use framepost_events::Sha256;
use framepost_ports::ErrorKind;
use framepost_ports::memory::{Fault, Operation};
use serde_json::json;
use std::process::Command;

#[tokio::test]
async fn an_export_is_as_it_was_planned_and_every_file_can_be_had() {
    let place = Place::new().await;
    let service = place.open();
    let asked = json!({"name": "gate, <Friday>", "ranges": [range(0, 1_500, 200_000), range(1, 0, 4_000)]});
    let planned = service.post("?plan=true", &asked).await;
    assert_eq!(planned.status.as_u16(), 200, "{}", planned.text());
    let planned = planned.json();
    assert_eq!((&planned["state"], planned["files"].as_array().map(Vec::len)), (&json!("planned"), Some(3)));
    assert!(planned["id"].is_null() && place.exported().is_empty(), "nothing is written: {planned}");
    // 58.5 s, then 15 s with another picture; and 4 s of the other camera.
    assert_eq!(planned["durationMs"], 58_500 + 15_000 + 4_000, "{planned}");

    let answer = service.post("", &asked).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["state"]), (202, &json!("running")));
    let path = answer.header("location").to_owned();
    let made = service.made(&path).await;
    for field in ["bytes", "durationMs", "name"] {
        assert_eq!(made[field], planned[field], "{field}");
    }
    assert_eq!((&made["state"], &made["bytesWritten"]), (&json!("complete"), &made["bytes"]), "{made}");
    for file in made["files"].as_array().unwrap() {
        let bytes = service.get(file["url"].as_str().unwrap()).await;
        assert_eq!(bytes.header("content-type"), "video/mp4");
        assert_eq!(Sha256::of(&bytes.body).to_string(), file["sha256"].as_str().unwrap());
        assert_eq!(bytes.body.len() as u64, file["bytes"].as_u64().unwrap());
        // It is what a clip of the same time is.
        let clip = format!(
            "/v1/clips/{}/{}.mp4?from={}&to={}&gaps=skip",
            file["site"].as_str().unwrap(),
            file["camera"].as_str().unwrap(),
            file["from"].as_str().unwrap(),
            file["to"].as_str().unwrap()
        );
        assert!(service.get(&clip).await.body == bytes.body, "{clip}");
    }
    let page = service.get(&format!("{path}/files/index.html")).await;
    assert!(page.text().contains("gate, &lt;Friday&gt;") && !page.text().contains("<Friday>"), "{}", page.text());
    assert!(page.header("content-disposition").starts_with("attachment"));
    for other in ["state/end.json", "..%2Fstate%2Fend.json", "nothing", "state"] {
        assert_eq!(service.get(&format!("{path}/files/{other}")).await.status.as_u16(), 404, "{other}");
    }
    let list = service.get("/v1/exports").await.json();
    assert_eq!(list["exports"], json!([made]));
}

#[tokio::test]
async fn the_archive_is_whole_in_ranges_and_other_programs_read_it() {
    let place = Place::new().await;
    let service = place.open();
    let directory = tempfile::tempdir().unwrap();
    let made = service.exported_to(directory.path()).await;
    let path = made["archive"].as_str().unwrap();
    let whole = service.get(path).await;
    assert_eq!((whole.header("content-type"), whole.header("accept-ranges")), ("application/zip", "bytes"));
    assert_eq!(whole.header("content-length"), whole.body.len().to_string());
    let mut random = fastrand::Rng::with_seed(3);
    for _ in 0..200 {
        let start = random.usize(0..whole.body.len());
        let end = random.usize(start..whole.body.len());
        let range = format!("bytes={start}-{end}");
        let part = service.send(Method::GET, path, &[("range", &range)], "").await;
        assert!(part.status.as_u16() == 206 && part.body == whole.body[start..=end], "{range}");
    }
    let tested =
        Command::new("python3").args(["-m", "zipfile", "-t"]).arg(directory.path().join("export.zip")).output();
    let said = String::from_utf8(tested.unwrap().stdout).unwrap();
    assert!(said.contains("Done testing") && !said.contains("bad"), "{said}");
}

#[tokio::test]
async fn an_interrupted_export_goes_on_and_writes_nothing_twice() {
    let place = Place::new().await;
    let service = place.open();
    let asked = json!({"name": "n", "ranges": [range(0, 0, 200_000), range(1, 0, 30_000)]});
    let answer = service.post("", &asked).await;
    let path = answer.header("location").to_owned();
    // The process is killed again and again, each time after some more puts.
    let before = place.bucket.puts();
    for _ in 0..40 {
        let service = place.open();
        let puts = place.bucket.puts();
        place.bucket.inject(Operation::Read, Fault::AnswerLost);
        let killed = async {
            while place.bucket.puts() == puts && service.get(&path).await.json()["state"] == "running" {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = killed => {}
            () = service.exports.run() => {}
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
        }
    }
    let made = place.open().made(&path).await;
    assert_eq!(made["state"], "complete", "{made}");
    // Three clips with proof and state, page, manifest, end.
    let keys = place.exported();
    assert_eq!(keys.len(), 1 + 3 * 3 + 3, "{keys:?}");
    assert!(place.bucket.puts() - before >= 12);
}

#[tokio::test]
async fn what_may_be_over_soon_is_waited_for_and_what_is_not_ends_it() {
    let place = Place::new().await;
    let service = place.open();
    let asked = json!({"name": "n", "ranges": [range(0, 0, 60_000)]});
    let path = service.post("", &asked).await.header("location").to_owned();
    for key in place.bucket.keys().into_iter().filter(|key| key.ends_with(".7.mp4") && key.starts_with("site-0")) {
        framepost_ports::ObjectRemoval::remove(&*place.bucket, &key).await.unwrap();
    }
    let failed = service.made(&path).await;
    assert_eq!(
        (&failed["state"], &failed["problem"]["detail"]),
        (&json!("failed"), &json!("some of its footage no longer exists"))
    );
    assert!(failed["archive"].is_null() && failed["files"][0]["url"].is_null(), "{failed}");
    assert_eq!(service.get(&format!("{path}/archive.zip")).await.status.as_u16(), 404);

    // Where requests do the work, each writes one file, and one that fails is done by the next.
    let service = place.service(Access::on_loopback(([127, 0, 0, 1], 8642).into()), Work::InCalls);
    let asked = json!({"name": "n", "ranges": [range(1, 0, 3_000), range(1, 6_000, 9_000)]});
    let path = service.post("", &asked).await.header("location").to_owned();
    place.bucket.inject(Operation::Put, Fault::Fail(ErrorKind::Busy));
    let mut seen = Vec::new();
    for _ in 0..4 {
        let answer = service.get(&path).await.json();
        let there = answer["files"].as_array().unwrap().iter().filter(|file| !file["url"].is_null()).count();
        seen.push((answer["state"].as_str().unwrap().to_owned(), there));
    }
    let expected = [("running", 0), ("running", 1), ("running", 2), ("complete", 2)];
    assert_eq!(seen, expected.map(|(state, there)| (state.to_owned(), there)));
}

#[tokio::test]
async fn the_newest_come_first_a_page_at_a_time() {
    let place = Place::new().await;
    let service = place.open();
    for n in 0..5 {
        place.clock.advance(std::time::Duration::from_secs(2));
        service.post("", &json!({"name": format!("export {n}"), "ranges": [range(0, 0, 3_000)]})).await;
    }
    let mut names = Vec::new();
    let mut next = String::new();
    loop {
        let page = service.get(&format!("/v1/exports?limit=2{next}")).await.json();
        let exports = page["exports"].as_array().unwrap();
        names.extend(exports.iter().map(|export| export["name"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&cursor={cursor}");
    }
    assert_eq!(names, (0..5).rev().map(|n| format!("export {n}")).collect::<Vec<_>>());
    assert_eq!(service.get("/v1/exports?cursor=AAAA").await.status.as_u16(), 400);
}
