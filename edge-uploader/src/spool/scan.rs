//! Reads the directory at the start: closed objects, parts and leftovers.
//!
//! Names are not trusted: links are not followed, foreign files are not touched, and
//! an unreadable directory is skipped.

use super::Inner;
use super::fs::EntryKind;
use super::index::{Entry, Status, Tried};
use super::layout::{CameraName, Suffix, owner, parse};
use framepost_events::{KeyKind, ObjectKey};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The result of a scan.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) objects: Vec<(CameraName, ObjectKey, Entry)>,
    pub(super) parts: BTreeMap<CameraName, Vec<ObjectKey>>,
    /// Chunks with a draft of an earlier version and without a final sidecar.
    pub(super) unsealed: Vec<(CameraName, ObjectKey)>,
    /// Chunks without any sidecar. If it is the last closed chunk, only its name has survived.
    pub(super) bare: Vec<(CameraName, ObjectKey, Entry)>,
    /// Sidecars and temporary files without an object.
    pub(super) leftovers: Vec<(CameraName, PathBuf)>,
    /// Of these, the final sidecars of chunks: they were closed, and are gone.
    pub(super) gone: Vec<(CameraName, ObjectKey)>,
    /// Number of files and directories that do not belong to the spool.
    pub(super) foreign: u64,
    /// The path of one of them, for the log.
    pub(super) foreign_example: Option<PathBuf>,
}

/// One file of a key: its role, length and path.
type Found = (Suffix, u64, PathBuf);

/// Depth of `objects/<site>/<date>/<camera>/<hour>/`, including the root.
const DEEPEST: usize = 5;

impl Inner {
    /// Reads the whole of `objects/`.
    pub(super) fn scan(&self) -> Scan {
        let mut scan = Scan::default();
        self.scan_dir(&self.layout.objects(), "", 1, &mut scan);
        scan
    }

    /// Reads the directories of one camera.
    pub(super) fn scan_camera(&self, name: &CameraName) -> Scan {
        let mut scan = Scan::default();
        let site = self.layout.objects().join(name.site.as_str());
        for date in self.fs.list(&site).unwrap_or_default() {
            let Some(date) = date.name.to_str() else { continue };
            let dir = site.join(date).join(name.camera.as_str());
            let relative = format!("{}/{date}/{}", name.site, name.camera);
            if self.fs.list(&dir).is_ok() {
                self.scan_dir(&dir, &relative, DEEPEST - 1, &mut scan);
            }
        }
        scan
    }

    fn scan_dir(&self, dir: &Path, relative: &str, depth: usize, scan: &mut Scan) {
        let listed = match self.fs.list(dir) {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "a spool directory cannot be read, it is skipped");
                return;
            }
        };
        if listed.is_empty() && depth > 1 {
            // Left by a prune that was interrupted.
            let _ = self.fs.remove_dir(dir);
            return;
        }
        let mut found: BTreeMap<String, (ObjectKey, Vec<Found>)> = BTreeMap::new();
        for entry in listed {
            let path = dir.join(&entry.name);
            let name = entry.name.to_str();
            let name =
                name.map(|name| if relative.is_empty() { name.to_owned() } else { format!("{relative}/{name}") });
            match (entry.kind, name) {
                (EntryKind::Dir, Some(name)) if depth < DEEPEST => self.scan_dir(&path, &name, depth + 1, scan),
                (EntryKind::File, Some(name)) => match parse(&name) {
                    Some((key, suffix)) => {
                        let files = &mut found.entry(key.to_string()).or_insert_with(|| (key, Vec::new())).1;
                        files.push((suffix, entry.bytes, path));
                    }
                    None => scan.foreign(path),
                },
                _ => scan.foreign(path),
            }
        }
        for (key, files) in found.into_values() {
            scan.take(key, files);
        }
    }
}

impl Scan {
    fn foreign(&mut self, path: PathBuf) {
        self.foreign += 1;
        self.foreign_example.get_or_insert(path);
    }

    /// Sorts in all files of one key.
    fn take(&mut self, key: ObjectKey, files: Vec<Found>) {
        let Some(name) = owner(&key) else { return };
        let has = |wanted: Suffix| files.iter().any(|(suffix, ..)| *suffix == wanted);
        let object_bytes = files.iter().find(|(suffix, ..)| *suffix == Suffix::Object).map(|(_, bytes, _)| *bytes);
        let part = has(Suffix::Part);
        let broken = has(Suffix::Broken);
        let tried = if has(Suffix::Try) { Tried::Before } else { Tried::Never };
        let status = if has(Suffix::Quarantine) { Status::Quarantined } else { Status::Waiting };
        let unsealed = object_bytes.is_some() && has(Suffix::Draft) && !has(Suffix::Meta);
        let is_bare = !has(Suffix::Draft) && !has(Suffix::Meta);
        for (suffix, _, path) in files {
            let leftover = match suffix {
                Suffix::Object | Suffix::Broken => false,
                Suffix::Temporary => true,
                // The camera's file requires the end of a span, or the interval of a gap, again.
                Suffix::Part => object_bytes.is_some() || key.kind != KeyKind::Chunk,
                Suffix::Meta => object_bytes.is_none() && !broken && !(part && key.kind == KeyKind::Chunk),
                Suffix::Draft => {
                    if object_bytes.is_some() {
                        !unsealed
                    } else {
                        !broken && !part
                    }
                }
                Suffix::Try | Suffix::Quarantine => object_bytes.is_none(),
            };
            if leftover {
                if suffix == Suffix::Meta && key.kind == KeyKind::Chunk {
                    self.gone.push((name.clone(), key.clone()));
                }
                self.leftovers.push((name.clone(), path));
            }
        }
        match object_bytes {
            Some(_) if unsealed => self.unsealed.push((name, key)),
            Some(bytes) if is_bare && key.kind == KeyKind::Chunk => {
                self.bare.push((name, key, Entry { bytes, status, tried }));
            }
            Some(bytes) => self.objects.push((name, key, Entry { bytes, status, tried })),
            None if part && key.kind == KeyKind::Chunk => self.parts.entry(name).or_default().push(key),
            None => {}
        }
    }
}
