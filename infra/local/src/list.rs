//! Listing the keys of a bucket in order.

use crate::key::HIDDEN;
use crate::{LocalBucket, disk};
use framepost_ports::Result;
use jiff::Timestamp;
use std::fs;
use std::io;
use std::path::Path;

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When its file was last modified.
    pub modified: Option<Timestamp>,
}

impl LocalBucket {
    /// Returns up to `limit` objects whose keys begin with `prefix` and are greater than `after`, in
    /// byte order of the keys.
    pub async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>> {
        let inner = self.inner.clone();
        let prefix_owned = prefix.to_owned();
        let after = after.to_owned();
        let walk = disk::blocking(move || {
            let mut walk = Walk { prefix: &prefix_owned, after: &after, limit, found: vec![] };
            walk.directory(&inner.root, "")?;
            Ok(walk.found)
        });
        walk.await.map_err(|error| disk::error("list", prefix, error))
    }
}

struct Walk<'a> {
    prefix: &'a str,
    after: &'a str,
    limit: usize,
    found: Vec<Listed>,
}

impl Walk<'_> {
    /// Lists `dir`, whose keys begin with `at`. `at` is empty or ends with a slash.
    fn directory(&mut self, dir: &Path, at: &str) -> io::Result<()> {
        let mut names: Vec<String> = vec![];
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            // Names that are not UTF-8 are not keys.
            let Ok(mut name) = entry.file_name().into_string() else { continue };
            if at.is_empty() && name == HIDDEN {
                continue;
            }
            // With a slash at its end, a directory sorts like the keys below it.
            if entry.file_type()?.is_dir() {
                name.push('/');
            }
            names.push(name);
        }
        names.sort_unstable();
        for name in names {
            if self.found.len() == self.limit {
                break;
            }
            let key = format!("{at}{name}");
            let path = dir.join(&name);
            if key.ends_with('/') {
                let leads_there = key.starts_with(self.prefix) || self.prefix.starts_with(&key);
                let is_behind = self.after > key.as_str() && !self.after.starts_with(&key);
                if leads_there && !is_behind {
                    self.directory(&path, &key)?;
                }
            } else if key.starts_with(self.prefix) && key.as_str() > self.after {
                let metadata = match fs::metadata(&path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    other => other?,
                };
                let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
                self.found.push(Listed { key, size: metadata.len(), modified });
            }
        }
        Ok(())
    }
}
