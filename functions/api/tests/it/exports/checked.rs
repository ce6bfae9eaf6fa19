//! What a check of an export finds, and what it finds once somebody changed the export.

use super::{Place, range};
use framepost_api::export::verify;
use framepost_events::Sha256;
use serde_json::{Value, json};

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
