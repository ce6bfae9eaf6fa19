//! What a check says once somebody changed `manifest.json`, which nobody signs: each field is either made again out of what was
//! signed, or named as not covered by a signature.

use super::{Place, range};
use framepost_api::export::{Report, verify};
use framepost_events::Sha256;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// An export of a camera, and its check with the gateway's key.
struct Exported {
    place: Place,
    directory: tempfile::TempDir,
}

impl Exported {
    async fn of(ranges: Value) -> Self {
        let place = Place::new().await;
        let directory = tempfile::tempdir().unwrap();
        place.open().exported_as(&ranges, directory.path()).await;
        Self { place, directory }
    }

    fn manifest(&self) -> Value {
        let bytes = std::fs::read(self.directory.path().join("export/manifest.json")).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Checks a copy that somebody changed.
    fn changed(&self, change: impl FnOnce(&Path, &mut Value)) -> std::io::Result<Report> {
        let copy = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(self.directory.path().join("export")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        let mut manifest = self.manifest();
        change(copy.path(), &mut manifest);
        std::fs::write(copy.path().join("manifest.json"), manifest.to_string()).unwrap();
        verify(copy.path(), std::slice::from_ref(&self.place.public_key))
    }
}

/// What a check has to say.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Refused,
    /// A fault with these words.
    Fault(&'static str),
    /// Words that no signature covers.
    Unsigned(&'static str),
}

/// The pointers (RFC 6901) to all values that have none in them.
fn leaves(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| leaves(field, &format!("{at}/{name}"), found)),
        Value::Array(items) => items.iter().take(1).for_each(|item| leaves(item, &format!("{at}/0"), found)),
        _ => drop(found.insert(at.to_owned())),
    }
}

/// The same time, so many milliseconds later.
fn later(time: &Value, ms: i64) -> Value {
    let time: Timestamp = time.as_str().unwrap().parse().unwrap();
    json!(time + SignedDuration::from_millis(ms))
}

#[tokio::test]
async fn each_field_of_the_manifest_is_made_again_or_named_as_unsigned() {
    use Expected::{Fault, Refused, Unsigned};
    type Change = fn(&Value) -> Value;
    const HOUR_MS: i64 = 3_600_000;
    let export = Exported::of(json!([range(0, 0, 200_000)])).await;
    let text: Change = |_| json!("other");
    let number: Change = |number| json!(number.as_u64().unwrap() + 1);
    let digest: Change = |_| json!("0".repeat(64));
    let table: [(&str, Change, Expected); 33] = [
        ("/format", |_| json!("framepost-export-v2"), Refused),
        ("/id", text, Fault("no id of an export")),
        ("/id", |id| json!(format!("0{}", &id.as_str().unwrap()[1..])), Fault("its id is not of the time")),
        ("/id", |id| json!(format!("{}0000", &id.as_str().unwrap()[..20])), Unsigned("0000")),
        ("/name", text, Unsigned("export \"other\"")),
        ("/createdAt", |time| later(time, 10 * HOUR_MS), Fault("its id is not of the time")),
        ("/createdBy", text, Unsigned("by other")),
        ("/ranges/0/site", text, Fault("it is of no range")),
        ("/ranges/0/camera", text, Fault("it is of no range")),
        ("/ranges/0/from", |time| later(time, 1_000), Fault("it is of no range")),
        ("/ranges/0/from", |time| later(time, -HOUR_MS), Unsigned("nothing is shown")),
        ("/ranges/0/to", |time| later(time, -1_000), Fault("it is of no range")),
        ("/ranges/0/to", |time| later(time, HOUR_MS), Unsigned("nothing is shown")),
        ("/files/0/name", text, Fault("it cannot be read")),
        ("/files/0/bytes", number, Fault("were exported")),
        ("/files/0/sha256", digest, Fault("its SHA-256 is")),
        ("/files/0/site", text, Fault("it is not of other/cam-0")),
        ("/files/0/camera", text, Fault("it is not of site-0/other")),
        ("/files/0/from", |time| later(time, 100), Fault("its head is not that")),
        ("/files/0/from", |time| later(time, 10_000), Fault("its head is not that")),
        ("/files/0/from", |time| later(time, -HOUR_MS), Fault("it is of no range")),
        ("/files/0/to", |time| later(time, 5_000), Unsigned("001-site-0-cam-0")),
        ("/files/0/to", |time| later(time, -61_000), Fault("its head is not that")),
        ("/files/0/to", |time| later(time, -100_000), Fault("it begins behind the clip's end")),
        ("/files/0/durationMs", number, Fault("it plays for 60000 ms")),
        ("/files/0/proof/name", text, Fault("it cannot be read")),
        ("/files/0/proof/bytes", number, Fault("were exported")),
        ("/files/0/proof/sha256", digest, Fault("its SHA-256 is")),
        ("/page/name", text, Fault("it cannot be read")),
        ("/page/name", |_| json!("manifest.json"), Fault("the page of an export is called")),
        ("/page/bytes", number, Fault("were exported")),
        ("/page/sha256", digest, Fault("its SHA-256 is")),
        ("/publicKeys/0", digest, Unsigned("0000")),
    ];
    let mut all = BTreeSet::from(["/createdBy".to_owned()]);
    leaves(&export.manifest(), "", &mut all);
    let tried: BTreeSet<String> = table.iter().map(|(at, ..)| (*at).to_owned()).collect();
    assert_eq!(tried, all, "each field is tried");
    let before = export.changed(|_, _| {}).unwrap();
    assert_eq!((&before.faults, &before.unchecked), (&vec![], &vec![]), "{before:#?}");
    for (at, change, expected) in table {
        let report = export.changed(|_, manifest| {
            let (parent, name) = at.rsplit_once('/').unwrap();
            match manifest.pointer_mut(parent).unwrap() {
                Value::Array(items) => items[0] = change(&items[0]),
                parent => parent[name] = change(&parent[name].clone()),
            }
        });
        match (expected, report) {
            (Refused, Err(_)) => {}
            (Fault(words), Ok(report)) => {
                assert!(report.faults.iter().any(|fault| fault.contains(words)), "{at}: {words}: {report:#?}");
            }
            (Unsigned(words), Ok(report)) => {
                let new: Vec<&String> = report.unsigned.iter().filter(|what| !before.unsigned.contains(what)).collect();
                assert!(new.iter().any(|what| what.contains(words)), "{at}: {words}: {report:#?}");
            }
            (expected, report) => panic!("{at}: {expected:?}: {report:#?}"),
        }
    }
}

/// Who renames a file everywhere, makes another page, or leaves a clip out with all that names it.
#[tokio::test]
async fn changes_that_fit_each_other_are_found_or_named() {
    let export = Exported::of(json!([range(0, 0, 200_000)])).await;
    let before = export.changed(|_, _| {}).unwrap();
    let report = export.changed(|directory, manifest| {
        let name = manifest["files"][0]["name"].as_str().unwrap().to_owned();
        let proof_name = manifest["files"][0]["proof"]["name"].as_str().unwrap().to_owned();
        let text = std::fs::read_to_string(directory.join(&proof_name)).unwrap();
        let proof = text.replace(&name, "001-site-0-cam-0-2026-11-20T12-00-00.000Z.mp4");
        std::fs::rename(directory.join(&name), directory.join("001-site-0-cam-0-2026-11-20T12-00-00.000Z.mp4"))
            .unwrap();
        std::fs::write(directory.join("001-site-0-cam-0-2026-11-20T12-00-00.000Z.proof.json"), &proof).unwrap();
        manifest["files"][0]["name"] = json!("001-site-0-cam-0-2026-11-20T12-00-00.000Z.mp4");
        manifest["files"][0]["proof"] = json!({"name": "001-site-0-cam-0-2026-11-20T12-00-00.000Z.proof.json",
            "bytes": proof.len(), "sha256": Sha256::of(proof.as_bytes()).to_string()});
    });
    assert!(
        report.as_ref().unwrap().faults.iter().any(|fault| fault.contains("it would be called 001-")),
        "{report:#?}"
    );

    let report = export
        .changed(|directory, manifest| {
            let page = std::fs::read_to_string(directory.join("index.html")).unwrap().replace("cam-0", "cam-7");
            std::fs::write(directory.join("index.html"), &page).unwrap();
            manifest["page"]["sha256"] = json!(Sha256::of(page.as_bytes()).to_string());
        })
        .unwrap();
    assert!(report.unchecked.iter().any(|what| what.starts_with("index.html: it is not the page")), "{report:#?}");

    let report = export
        .changed(|_, manifest| {
            let created: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
            let id = format!("{:08x}{}", u32::MAX - u32::try_from(created.as_second()).unwrap(), "0".repeat(16));
            (manifest["createdAt"], manifest["id"]) = (json!(created), json!(id));
        })
        .unwrap();
    assert!(report.unsigned[0].contains("made 2026-11-21T00:00:00Z"), "{report:#?}");

    let leave_out_second = |directory: &Path, manifest: &mut Value| {
        let clip = manifest["files"].as_array_mut().unwrap().remove(1);
        for name in [&clip["name"], &clip["proof"]["name"]] {
            std::fs::remove_file(directory.join(name.as_str().unwrap())).unwrap();
        }
    };
    let new = |report: &Report| -> Vec<String> {
        report.unsigned.iter().filter(|what| !before.unsigned.contains(what)).cloned().collect()
    };
    let report = export.changed(leave_out_second).unwrap();
    assert!(new(&report).iter().any(|what| what.contains("nothing is shown")), "{report:#?}");
    let report = export.changed(|directory, manifest| {
        leave_out_second(directory, manifest);
        manifest["ranges"][0]["to"] = manifest["files"][0]["to"].clone();
    });
    assert!(new(&report.unwrap()).iter().any(|what| what.starts_with("asked for: ")));
}

/// A chunk names the one before it, also if that is in another clip.
#[tokio::test]
async fn a_clip_that_is_left_out_of_the_middle_of_a_recording_is_missed() {
    let ranges = [range(0, 0, 18_000), range(0, 18_000, 36_000), range(0, 36_000, 60_000)];
    let export = Exported::of(json!(ranges)).await;
    let report = export.changed(|_, _| {}).unwrap();
    assert_eq!((&report.faults, &report.unchecked), (&vec![], &vec![]), "{report:#?}");
    // What was before was not asked for.
    assert!(!report.unsigned.iter().any(|what| what.contains("nothing is shown")), "{report:#?}");
    let report = export
        .changed(|directory, manifest| {
            let clip = manifest["files"].as_array_mut().unwrap().remove(1);
            for name in [&clip["name"], &clip["proof"]["name"]] {
                std::fs::remove_file(directory.join(name.as_str().unwrap())).unwrap();
            }
            let to = manifest["ranges"][2]["to"].clone();
            manifest["ranges"].as_array_mut().unwrap().truncate(1);
            manifest["ranges"][0]["to"] = to;
        })
        .unwrap();
    assert!(report.faults.iter().any(|fault| fault.contains("it names a chunk before it that is not")), "{report:#?}");
}
