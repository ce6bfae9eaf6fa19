//! What is exported, and what a check of it finds.

use crate::made::{Gateway, SECONDS};
use crate::support::Answer;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use framepost_api::export::{ExportBucket, ExportParts, Exports, Work, verify};
use framepost_api::{Access, Api, PathSigner, Right, Scope, StoredToken, Tokens, router};
use framepost_events::Sha256;
use framepost_ports::ErrorKind;
use framepost_ports::catalog::{CameraName, Catalog as _, Change};
use framepost_ports::contract::Footage;
use framepost_ports::memory::{Fault, MemoryBucket, MemoryCatalog, Operation, SimulatedClock};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tower::ServiceExt as _;

/// 20 chunks of `cam-0`, a gap of 60 s, 5 more with another picture; and 10 of `cam-1` of another site.
pub(crate) struct Place {
    pub(crate) bucket: Arc<MemoryBucket>,
    catalog: Arc<MemoryCatalog>,
    clock: Arc<SimulatedClock>,
    public_key: framepost_events::manifest::PublicKey,
}

/// An API over it, and what makes its exports.
pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) exports: Exports,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let bucket = Arc::new(MemoryBucket::new("footage"));
        let catalog = Arc::new(MemoryCatalog::default());
        let mut gateway = Gateway::new();
        let one = Footage::camera(0);
        let other = Footage::camera(1);
        let mut records = gateway.span(&bucket, &one, 0, 20, 1);
        records.extend(gateway.span(&bucket, &one, 20 * SECONDS + 60, 5, 2));
        records.extend(gateway.span(&bucket, &other, 0, 10, 1));
        let changes: Vec<Change> = records.into_iter().map(|record| Change::Record(Box::new(record))).collect();
        catalog.apply(&changes).await.unwrap();
        let clock = Arc::new(SimulatedClock::new("2026-11-27T01:00:00Z".parse().unwrap()));
        Self { bucket, catalog, clock, public_key: gateway.signer.public_key() }
    }

    pub(crate) fn service(&self, access: Access, work: Work) -> Service {
        let bucket = ExportBucket {
            name: "footage".to_owned(),
            sink: self.bucket.clone(),
            listing: self.bucket.clone(),
            removal: self.bucket.clone(),
        };
        let exports = Exports::new(ExportParts {
            catalog: self.catalog.clone(),
            source: self.bucket.clone(),
            clock: self.clock.clone(),
            bucket,
            work,
            public_keys: vec![self.public_key.clone()],
        });
        let router = router(Api {
            catalog: self.catalog.clone(),
            source: self.bucket.clone(),
            clock: self.clock.clone(),
            exports: Some(exports.clone()),
            access,
            workings: None,
        });
        Service { router, exports }
    }

    fn open(&self) -> Service {
        self.service(Access::on_loopback(([127, 0, 0, 1], 8642).into()), Work::Background)
    }

    /// The objects of exports.
    fn exported(&self) -> Vec<String> {
        self.bucket.keys().into_iter().filter(|key| framepost_events::export::is_of_export(key)).collect()
    }
}

impl Service {
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:8642");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn post(&self, query: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, &format!("/v1/exports{query}"), &headers, &body.to_string()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Makes exports until this one ended.
    async fn made(&self, path: &str) -> Value {
        let ended = async {
            loop {
                let answer = self.get(path).await.json();
                if answer["state"] != "running" {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = ended => answer,
            () = self.exports.run() => unreachable!("it goes on"),
        }
    }

    /// An export of all of `cam-0`, in a directory.
    async fn exported_to(&self, directory: &Path) -> Value {
        let answer = self.post("", &json!({"name": "gate", "ranges": [range(0, 0, 200_000)]})).await;
        assert_eq!(answer.status.as_u16(), 202, "{}", answer.text());
        let made = self.made(answer.header("location")).await;
        assert_eq!(made["state"], "complete", "{made}");
        let archive = self.get(made["archive"].as_str().unwrap()).await;
        std::fs::write(directory.join("export.zip"), &archive.body).unwrap();
        let unpacked = Command::new("python3")
            .args(["-m", "zipfile", "-e", "export.zip", "."])
            .current_dir(directory)
            .status()
            .unwrap();
        assert!(unpacked.success(), "another program can unpack it");
        std::fs::rename(directory.join(format!("export-{}", made["id"].as_str().unwrap())), directory.join("export"))
            .unwrap();
        made
    }
}

/// A range of a camera, in milliseconds from the start of the footage.
pub(crate) fn range(camera: usize, from_ms: i64, to_ms: i64) -> Value {
    let at = |ms: i64| (Gateway::start() + SignedDuration::from_millis(ms)).to_string();
    let CameraName { site, camera } = Footage::camera(camera);
    json!({"site": site, "camera": camera, "from": at(from_ms), "to": at(to_ms)})
}

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
async fn a_clip_that_ends_within_a_chunk_has_less_of_it_and_proves_all_of_it() {
    let place = Place::new().await;
    let service = place.open();
    // The second picture of the second fragment of the second chunk is the last one.
    let answer = service.post("", &json!({"name": "gate", "ranges": [range(1, 500, 5_000)]})).await;
    let made = service.made(answer.header("location")).await;
    let clip = service.get(made["files"][0]["url"].as_str().unwrap()).await.body;
    let boxes = |kind: &[u8]| clip.windows(4).filter(|four| *four == kind).count();
    // The head has none, and six fragments have one each: of the last one only the bytes are left.
    assert_eq!((boxes(b"moof"), boxes(b"mdat"), boxes(b"free")), (5, 6, 1));
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("export.zip");
    std::fs::write(&archive, service.get(made["archive"].as_str().unwrap()).await.body).unwrap();
    let report = verify(&archive, std::slice::from_ref(&place.public_key)).unwrap();
    assert_eq!(report.faults, [] as [&str; 0]);
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
async fn a_check_says_what_was_checked_of_a_directory_and_of_an_archive() {
    let place = Place::new().await;
    let directory = tempfile::tempdir().unwrap();
    place.open().exported_to(directory.path()).await;
    let own = place.public_key.clone();
    let other = framepost_events::manifest::ManifestSigner::from_secret(&[6; 32]).public_key();
    for name in ["export", "export.zip"] {
        let at = directory.path().join(name);
        let report = verify(&at, std::slice::from_ref(&own)).unwrap();
        assert_eq!((&report.faults, &report.unchecked), (&vec![], &vec![]), "{report:#?}");
        let text = report.lines.join("\n");
        assert!(
            text.contains("20 of 20 chunks, valid") && text.contains("that name the one before them: 19"),
            "{text}"
        );
        let report = verify(&at, &[]).unwrap();
        assert!(report.faults.is_empty() && report.unchecked[0].contains(own.id()), "{report:#?}");
        let report = verify(&at, std::slice::from_ref(&other)).unwrap();
        assert_eq!(report.faults.len(), 25, "every chunk is signed with another key: {report:#?}");
    }
}

/// An export that somebody changed, who made all digests of the manifest fit again.
struct Altered {
    directory: std::path::PathBuf,
    manifest: Value,
}

impl Altered {
    fn clip(&self) -> std::path::PathBuf {
        self.directory.join(self.manifest["files"][0]["name"].as_str().unwrap())
    }

    fn change_clip(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(self.clip()).unwrap();
        change(&mut bytes);
        std::fs::write(self.clip(), bytes).unwrap();
    }

    fn change_proof(&self, change: impl FnOnce(&mut Value)) {
        let at = self.directory.join(self.manifest["files"][0]["proof"]["name"].as_str().unwrap());
        let mut proof: Value = serde_json::from_slice(&std::fs::read(&at).unwrap()).unwrap();
        change(&mut proof);
        std::fs::write(at, proof.to_string()).unwrap();
    }

    fn seal(mut self) {
        let listed = |listed: &mut Value| {
            let bytes = std::fs::read(self.directory.join(listed["name"].as_str().unwrap())).unwrap();
            listed["bytes"] = json!(bytes.len());
            listed["sha256"] = json!(Sha256::of(&bytes).to_string());
        };
        for file in self.manifest["files"].as_array_mut().unwrap() {
            listed(file);
            listed(&mut file["proof"]);
        }
        std::fs::write(self.directory.join("manifest.json"), self.manifest.to_string()).unwrap();
    }
}

/// Takes the `n`th chunk out of a clip and its proof.
fn take_out(altered: &Altered, n: usize) {
    let mut taken = (0, 0);
    altered.change_proof(|proof| {
        let chunks = proof["chunks"].as_array_mut().unwrap();
        let chunk = chunks.remove(n);
        taken = (chunk["at"].as_u64().unwrap(), chunk["mediaBytes"].as_u64().unwrap());
        for chunk in &mut chunks[n..] {
            chunk["at"] = json!(chunk["at"].as_u64().unwrap() - taken.1);
        }
    });
    let at = usize::try_from(taken.0).unwrap();
    let len = usize::try_from(taken.1).unwrap();
    altered.change_clip(|clip| drop(clip.drain(at..at + len)));
}

#[tokio::test]
async fn whatever_is_changed_is_found() {
    let place = Place::new().await;
    let directory = tempfile::tempdir().unwrap();
    place.open().exported_to(directory.path()).await;
    let original = directory.path().join("export");
    type Change = fn(&Altered);
    let changes: [(&str, Change, &str); 12] = [
        (
            "a picture",
            |of| of.change_clip(|clip| *clip.last_mut().unwrap() ^= 1),
            "does not show it as it was exported",
        ),
        ("a chunk out of the middle", |of| take_out(of, 7), "1 chunks before it are missing"),
        ("the first chunk", |of| take_out(of, 0), "its head is not that"),
        (
            "the digest with the picture",
            |of| {
                of.change_clip(|clip| *clip.last_mut().unwrap() ^= 1);
                of.change_proof(|proof| proof["chunks"][19]["sha256"] = json!("0".repeat(64)));
            },
            "does not show it",
        ),
        (
            "what is signed",
            |of| of.change_proof(|proof| proof["chunks"][3]["claim"]["to"] = json!("2026-11-20T23:58:12.0001Z")),
            "its signature is not valid",
        ),
        (
            "the key",
            |of| {
                of.change_proof(|proof| {
                    proof["chunks"][3]["key"] = json!("site-0/2026-11-20/cam-9/23/58-09Z.3.mp4");
                });
            },
            "it is not of site-0/cam-0",
        ),
        (
            "the signature away",
            |of| of.change_proof(|proof| drop(proof["chunks"][3]["claim"].take())),
            "it is not signed",
        ),
        (
            "the times that are shown",
            |of| of.change_clip(|clip| shift_a_time(clip)),
            "does not show it as it was exported",
        ),
        (
            "the times that are shown, and what stood there",
            |of| {
                of.change_clip(|clip| shift_a_time(clip));
                of.change_proof(|proof| proof["chunks"][0]["undo"] = undo_of_a_time(proof));
            },
            "its times in the clip are not those",
        ),
        ("the edit list", |of| of.change_clip(|clip| change_after(clip, *b"elst", 20)), "its head is not that"),
        ("the sample entry", |of| of.change_clip(|clip| change_after(clip, *b"stsd", 6)), "its head is not that"),
        (
            "how long a chunk plays",
            |of| of.change_proof(|proof| proof["chunks"][5]["seconds"] = json!("30")),
            "its head is not that",
        ),
    ];
    for (name, change, expected) in changes {
        let directory = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(&original).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
        }
        let manifest = serde_json::from_slice(&std::fs::read(original.join("manifest.json")).unwrap()).unwrap();
        let altered = Altered { directory: directory.path().to_owned(), manifest };
        change(&altered);
        // The digests of the manifest alone tell.
        let report = verify(directory.path(), std::slice::from_ref(&place.public_key)).unwrap();
        assert!(
            report.faults.iter().any(|fault| fault.contains("its SHA-256 is") || fault.contains("bytes, and")),
            "{name}"
        );
        altered.seal();
        let report = verify(directory.path(), std::slice::from_ref(&place.public_key)).unwrap();
        assert!(report.faults.iter().any(|fault| fault.contains(expected)), "{name}: {report:#?}");
    }
    std::fs::write(original.join("more.mp4"), b"x").unwrap();
    let report = verify(&original, &[]).unwrap();
    assert!(report.unchecked.iter().any(|what| what.starts_with("more.mp4: ")), "{report:#?}");
    std::fs::remove_file(original.join("index.html")).unwrap();
    assert!(verify(&original, &[]).unwrap().faults[0].starts_with("index.html: "));
}

fn find(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).position(|window| window == what).unwrap()
}

fn change_after(clip: &mut [u8], kind: [u8; 4], offset: usize) {
    let at = find(clip, &kind) + 4 + offset;
    clip[at] ^= 1;
}

/// Shifts the time of the first chunk's second fragment by a 90 000th of a second.
fn shift_a_time(clip: &mut [u8]) {
    let first = find(clip, b"tfdt") + 4;
    let second = first + find(&clip[first..], b"tfdt") + 4;
    clip[second + 11] ^= 1;
}

/// What would have to stand in a proof for [`shift_a_time`].
fn undo_of_a_time(proof: &Value) -> Value {
    // In the first fragment `moof mfhd traf tfhd tfdt trun` have 8 + 16 + 8 + 16 + 20 + 28 bytes.
    let moof: u64 = 8 + 16 + 8 + 16 + 20 + 28;
    let first_data = 5_000;
    let at = moof + 8 + first_data + 8 + 16 + 8 + 16 + 12;
    let mut undo = proof["chunks"][0]["undo"].as_array().unwrap().clone();
    undo.push(json!({"at": at, "was": "AAAAAAABX5A="}));
    json!(undo)
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
