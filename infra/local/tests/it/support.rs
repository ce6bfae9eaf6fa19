//! Objects, and the files that they leave.

use bytes::Bytes;
use framepost_events::Sha256;
use framepost_ports::NewObject;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const KEY: &str = "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4";

/// An object whose metadata tell its bytes.
pub(crate) fn object(key: &str, bytes: &'static str) -> NewObject {
    NewObject {
        key: key.to_owned(),
        content_type: "video/mp4".to_owned(),
        metadata: vec![("Source".to_owned(), bytes.to_owned())],
        sha256: Sha256::of(bytes.as_bytes()),
        crc32c: None,
        content: Arc::new(Bytes::from_static(bytes.as_bytes())),
    }
}

/// All files below the directory, in order.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
