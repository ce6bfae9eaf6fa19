//! The function as the program that a cloud runs.
#![allow(clippy::unwrap_used, reason = "tests")]
#![cfg(feature = "gcp")]

use std::process::{Command, Output};

/// Starts it as a service with this for `FRAMEPOST_CATALOG`, until it ends.
fn ended(catalog: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catalog"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["AWS_", "GOOGLE_", "FRAMEPOST_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    let place = [("K_SERVICE", "catalog"), ("PORT", "0"), ("FRAMEPOST_ADDRESS", "127.0.0.1")];
    // Nothing answers there.
    let emulators = [("GOOGLE_CLOUD_PROJECT", "none"), ("FRAMEPOST_GCS_ENDPOINT", "http://127.0.0.1:1")];
    command.envs(place).envs(emulators).env("FRAMEPOST_CATALOG", catalog).output().unwrap()
}

/// A service that went on would acknowledge messages that it keeps nowhere.
#[test]
fn without_a_catalogue_it_does_not_start() {
    for (catalog, said) in [
        ("", "FRAMEPOST_CATALOG"),
        ("https://db.example/framepost", "FRAMEPOST_CATALOG"),
        ("postgres://framepost:hunter2@127.0.0.1:1/framepost", "connect the catalogue"),
        ("sqlite:/nowhere/at/all/catalog.db", "/nowhere/at/all"),
    ] {
        let ended = ended(catalog);
        let text = [ended.stdout, ended.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert_eq!(ended.status.code(), Some(1), "{catalog}: {text}");
        assert!(text.contains(said), "{catalog}: {text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
