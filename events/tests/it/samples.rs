//! Golden samples of every sender: `samples/<sender>-<case>.json` is a message's body, `….headers.json` or
//! `….attributes.json` what comes beside it (a body may be missing then), `….expected.json` what has to come out: the
//! notices, or a part of the error's text.

use framepost_events::attributes::Attributes;
use framepost_events::finalized::{self, Notice};
use framepost_events::{Error, ObjectKey};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Pairs = BTreeMap<String, String>;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples")
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = std::fs::read(path).ok()?;
    Some(serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

fn pairs(pairs: &Pairs) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

fn parse(name: &str) -> Result<Vec<Notice>, Error> {
    let file = |part: &str| directory().join(format!("{name}{part}.json"));
    let body = std::fs::read(file("")).unwrap_or_default();
    match (read::<Pairs>(&file(".headers")), read::<Pairs>(&file(".attributes"))) {
        (None, None) => finalized::parse(&body),
        (Some(headers), None) => finalized::parse_http(pairs(&headers), &body),
        (None, Some(attributes)) => finalized::parse_pubsub(pairs(&attributes), &body),
        (Some(_), Some(_)) => panic!("{name}: headers and attributes"),
    }
}

#[test]
fn every_sample_gives_what_is_expected() {
    let names: BTreeSet<String> = std::fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.strip_suffix(".json").map(|name| name.split('.').next().unwrap_or(name).to_owned()))
        .collect();
    for sender in ["s3-", "sns-", "eventbridge-", "gcs-push-", "gcs-pulled-", "gcs-unwrapped-", "eventarc-", "local-"] {
        assert!(names.iter().any(|name| name.starts_with(sender)), "there is no sample of {sender}");
    }
    for name in &names {
        let expected: Value = read(&directory().join(format!("{name}.expected.json")))
            .unwrap_or_else(|| panic!("{name}: there is no {name}.expected.json"));
        match (parse(name), expected.get("error").and_then(Value::as_str)) {
            (Ok(notices), None) => {
                assert_eq!(json!({ "notices": notices }), expected, "{name}");
            }
            (Err(error), Some(part)) => {
                assert!(error.to_string().contains(part), "{name}: {error}");
            }
            (Ok(notices), Some(part)) => panic!("{name}: expected the error {part:?}, found {notices:?}"),
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
}

/// The same message by another way is the same work.
#[test]
fn the_way_does_not_change_the_identity() {
    let identity = |name: &str| match parse(name).unwrap().remove(0) {
        Notice::Finalized(event) => event.identity(),
        other => panic!("{name}: {other:?}"),
    };
    let removal = |name: &str| match parse(name).unwrap().remove(0) {
        Notice::Removed(event) => event.identity(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(removal("s3-removed"), removal("eventbridge-deleted"));
    assert_eq!(removal("gcs-push-delete"), removal("eventarc-deleted-binary"));
    assert_eq!(identity("s3-put"), identity("eventbridge-put"));
    for name in ["gcs-push-none", "gcs-pulled-finalize", "gcs-unwrapped-finalize", "eventarc-finalized-structured"] {
        assert_eq!(identity(name), identity("gcs-push-finalize"), "{name}");
    }
}

#[test]
fn sample_keys_are_read_and_written_the_same() {
    let keys = std::fs::read_to_string(directory().join("keys.txt")).unwrap();
    assert!(keys.lines().count() > 3);
    for key in keys.lines() {
        assert_eq!(key.parse::<ObjectKey>().unwrap().to_string(), key);
    }
}

#[test]
fn sample_metadata_is_read_and_written_the_same() {
    for name in ["chunk.txt", "chunk-between.txt", "span-end.txt"] {
        let text = std::fs::read_to_string(directory().join("metadata").join(name)).unwrap();
        let pairs: Vec<(&str, &str)> = text.lines().map(|line| line.split_once(": ").unwrap()).collect();
        let written = Attributes::from_metadata(pairs.iter().copied()).unwrap().to_metadata().unwrap();
        let written: Vec<(&str, &str)> = written.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(written, pairs, "{name}");
    }
}
