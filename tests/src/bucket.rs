//! Reads the objects of a bucket from disk: `DIR/s3/footage/KEY`, or a `file://` destination.

use framepost_events::attributes::Attributes;
use framepost_events::report::ReportKey;
use framepost_events::{KeyKind, ObjectKey, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// An object under a key of ours.
#[derive(Debug, Clone)]
pub struct Object {
    pub key: ObjectKey,
    /// Where its bytes are.
    pub path: PathBuf,
    root: PathBuf,
}

impl Object {
    /// Reads the object's file; panics if it is gone.
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }

    /// Returns its metadata from the bucket's note: `.framepost/meta/HH/DIGEST.json`, where DIGEST is the
    /// SHA-256 of the key and HH its first two digits.
    pub fn attributes(&self) -> Result<Attributes, String> {
        let digest = Sha256::of(self.key.to_string().as_bytes()).to_string();
        let note = self.root.join(".framepost/meta").join(&digest[..2]).join(format!("{digest}.json"));
        let bytes = std::fs::read(&note).map_err(|error| format!("{}: {error}", note.display()))?;
        let note: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let entries = note["metadata"].as_array().ok_or("the note has no metadata")?;
        let pairs = entries.iter().filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()?)));
        Attributes::from_metadata(pairs).map_err(|error| error.to_string())
    }
}

#[derive(Debug, Clone)]
pub struct Bucket {
    root: PathBuf,
}

impl Bucket {
    /// The bucket whose objects lie under `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The bucket that `framepost up --dir DIR` keeps.
    pub fn of_onebox(directory: &Path) -> Self {
        Self::at(directory.join("s3/footage"))
    }

    /// Returns where the bytes of an object are.
    pub fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// Returns every object, ordered by site, camera, start and
    /// counter. [`strangers`](Self::strangers) lists other files.
    pub fn objects(&self) -> Vec<Object> {
        let mut objects: Vec<Object> = files(&self.root)
            .into_iter()
            .filter_map(|path| Some(Object { key: self.name(&path)?.parse().ok()?, path, root: self.root.clone() }))
            .collect();
        objects.sort_by(|a, b| order(&a.key).cmp(&order(&b.key)));
        objects
    }

    /// The objects of one kind and camera, in order.
    pub fn of(&self, camera: &str, kind: KeyKind) -> Vec<Object> {
        let mut objects = self.objects();
        objects.retain(|object| {
            object.key.kind == kind && object.key.camera.as_ref().is_some_and(|name| name.as_str() == camera)
        });
        objects
    }

    /// The names of the cameras that have objects.
    pub fn cameras(&self) -> Vec<String> {
        let cameras = self.objects().into_iter().filter_map(|object| object.key.camera.map(String::from));
        cameras.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns visible files that are not objects. A crash in the middle of a put must not leave any.
    pub fn strangers(&self) -> Vec<PathBuf> {
        let mut strangers = files(&self.root);
        strangers.retain(|path| {
            self.name(path).is_none_or(|name| name.parse::<ObjectKey>().is_err() && name.parse::<ReportKey>().is_err())
        });
        strangers
    }

    fn name(&self, path: &Path) -> Option<String> {
        Some(path.strip_prefix(&self.root).ok()?.to_str()?.to_owned())
    }
}

type Order<'a> = (Option<&'a str>, Option<&'a str>, jiff::Timestamp, u64);

fn order(key: &ObjectKey) -> Order<'_> {
    let site = key.site.as_ref().map(framepost_events::Site::as_str);
    let camera = key.camera.as_ref().map(framepost_events::Camera::as_str);
    (site, camera, key.start, key.counter)
}

/// Returns every file under `root`, except below hidden names, which belong to the bucket.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => directories.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
