//! Checking an export without any service: whether its files are those of its manifest, whether its clips show what the gateways
//! wrote, whether that was signed, and whether nothing is missing in between.
//!
//! For each chunk of a clip:
//!
//! 1. Its object is put together again, byte for byte, and has the digest that its gateway wrote.
//! 2. Out of that object the clip's fragments are made again, and are those of the file. So are the clip's head and edit list.
//! 3. The signature over key, length, digest, times and the one before is valid with a public key.
//! 4. It names the one before it: none was taken out, put in or changed.
//!
//! Nobody signs `manifest.json`. What it says is therefore made again out of the chunks ([`said`]): names of files, times, lengths,
//! and the page. What chunks cannot tell is listed apart, [`Report::unsigned`].
//!
//! Who changed a clip cannot also change its signatures. Who has no signature to check still learns whether the files are those that
//! were exported. An export says itself which public keys there were; only a key that the checker had from elsewhere proves who
//! signed.

mod clip;
mod files;
mod said;

use super::manifest::{ClipFile, ExportManifest, Listed, MANIFEST_FORMAT, MANIFEST_NAME, PROOF_FORMAT, Proof};
use clip::Shown;
use files::Files;
use framepost_events::Sha256;
use framepost_events::manifest::PublicKey;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// The result of checking an export.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was checked, in words.
    pub lines: Vec<String>,
    /// What is wrong. Nothing is wrong where it is empty.
    pub faults: Vec<String>,
    /// What could not be checked, and why.
    pub unchecked: Vec<String>,
    /// What the export says of itself, and no signature covers: whoever wrote its `manifest.json` could write something else.
    pub unsigned: Vec<String>,
}

impl Report {
    fn fault(&mut self, of: &str, what: impl std::fmt::Display) {
        self.faults.push(format!("{of}: {what}"));
    }
}

/// Where public keys are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The checker has them: everything has to be signed with one of them.
    Given,
    /// The export names them.
    Named,
}

/// The public keys to check with.
struct Keys {
    keys: Vec<PublicKey>,
    trust: Trust,
}

/// Checks the export in this directory or archive. With `keys`, every chunk has to be signed with one of them; without, those that
/// the export names are used.
///
/// # Errors
///
/// If there is no export that could be checked.
pub fn verify(at: &Path, keys: &[PublicKey]) -> io::Result<Report> {
    let files = Files::open(at)?;
    let bytes = files.file(MANIFEST_NAME).and_then(|file| file.whole()).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::new(error.kind(), format!("it is no export: there is no {MANIFEST_NAME} in it"))
        }
        kind => io::Error::new(kind, format!("{MANIFEST_NAME}: {error}")),
    })?;
    let manifest: ExportManifest = serde_json::from_slice(&bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, format!("{MANIFEST_NAME}: {error}")))?;
    if manifest.format != MANIFEST_FORMAT {
        let other = format!("{MANIFEST_NAME} is {:?}, and this program knows {MANIFEST_FORMAT}", manifest.format);
        return Err(io::Error::new(io::ErrorKind::InvalidData, other));
    }
    let mut report = Report::default();
    report.lines.push(format!("{MANIFEST_NAME}: SHA-256 {}", Sha256::of(&bytes)));
    let keys = trusted(&manifest, keys, &mut report);
    let page_is_there = listed(&files, &manifest.page, &mut report);
    let shown: Vec<Option<Shown>> =
        manifest.files.iter().map(|clip| checked(&files, clip, &keys, &mut report)).collect();
    said::check(&manifest, &shown, &mut report);
    if let Some(page) = page_is_there {
        said::page(&page, &manifest, &shown, &mut report);
    }
    coverage(&manifest, &mut report);
    others(&files, &manifest, &mut report)?;
    Ok(report)
}

fn trusted(manifest: &ExportManifest, keys: &[PublicKey], report: &mut Report) -> Keys {
    if !keys.is_empty() {
        return Keys { keys: keys.to_vec(), trust: Trust::Given };
    }
    let named: Vec<PublicKey> = manifest.public_keys.iter().filter_map(|key| key.parse().ok()).collect();
    if named.len() < manifest.public_keys.len() {
        report.fault(MANIFEST_NAME, "a public key cannot be parsed");
    }
    if named.is_empty() {
        report.unchecked.push("signatures: there is no public key; give it with --key".to_owned());
    } else {
        let ids: Vec<&str> = named.iter().map(PublicKey::id).collect();
        let ids = ids.join(", ");
        report.unchecked.push(format!(
            "whose keys these are: only the export itself names {ids}; give the gateway's public key with --key to be sure"
        ));
    }
    Keys { keys: named, trust: Trust::Named }
}

/// Whether a file is the one that is listed; its bytes if so.
fn listed(files: &Files, listed: &Listed, report: &mut Report) -> Option<files::Open> {
    let open = match files.file(&listed.name) {
        Ok(open) => open,
        Err(error) => {
            report.fault(&listed.name, format_args!("it cannot be read: {error}"));
            return None;
        }
    };
    if open.len() != listed.bytes {
        report.fault(&listed.name, format_args!("it has {} bytes, and {} were exported", open.len(), listed.bytes));
        return None;
    }
    match files::digest(&open) {
        Ok(digest) if digest == listed.sha256 => Some(open),
        Ok(digest) => {
            report.fault(&listed.name, format_args!("its SHA-256 is {digest}, and was {}", listed.sha256));
            None
        }
        Err(error) => {
            report.fault(&listed.name, format_args!("it cannot be read: {error}"));
            None
        }
    }
}

fn checked(files: &Files, clip: &ClipFile, keys: &Keys, report: &mut Report) -> Option<Shown> {
    let name = &clip.file.name;
    let file = listed(files, &clip.file, report);
    let proof = listed(files, &clip.proof, report);
    let (file, proof) = file.zip(proof)?;
    report.lines.push(format!("{name}: {} bytes, as it was exported", clip.file.bytes));
    let proof: Proof = match proof.whole().map(|bytes| serde_json::from_slice(&bytes)) {
        Ok(Ok(proof)) => proof,
        Ok(Err(error)) => {
            report.fault(&clip.proof.name, error);
            return None;
        }
        Err(error) => {
            report.fault(&clip.proof.name, error);
            return None;
        }
    };
    if proof.format != PROOF_FORMAT || proof.clip != *name {
        report.fault(&clip.proof.name, format_args!("it is no {PROOF_FORMAT} of {name}"));
        return None;
    }
    clip::check(&file, clip, &proof, keys, report)
}

/// Whether there is a clip of each range that was asked for.
fn coverage(manifest: &ExportManifest, report: &mut Report) {
    for range in &manifest.ranges {
        let is_of_it = |clip: &&ClipFile| {
            (&clip.range.site, &clip.range.camera) == (&range.site, &range.camera)
                && clip.range.from < range.to
                && clip.range.to > range.from
        };
        if !manifest.files.iter().any(|clip| is_of_it(&clip)) {
            let of = format!("{}/{}", range.site, range.camera);
            report.fault(&of, format_args!("there is no clip of {} to {}", range.from, range.to));
        }
    }
}

/// Says which files are not the export's.
fn others(files: &Files, manifest: &ExportManifest, report: &mut Report) -> io::Result<()> {
    let mut known: BTreeSet<&str> = BTreeSet::from([MANIFEST_NAME, manifest.page.name.as_str()]);
    for clip in &manifest.files {
        if !known.insert(&clip.file.name) || !known.insert(&clip.proof.name) {
            report.fault(MANIFEST_NAME, format_args!("{} is listed twice", clip.file.name));
        }
    }
    let unknown: Vec<String> = files.names()?.into_iter().filter(|name| !known.contains(name.as_str())).collect();
    for name in unknown.iter().filter(|name| *name != "state") {
        report.unchecked.push(format!("{name}: it is not a part of the export"));
    }
    Ok(())
}
