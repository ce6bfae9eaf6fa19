//! The state of an export, as the bucket has it.

use super::Exports;
use crate::clip::Gaps;
use crate::problem::Problem;
use framepost_events::{Camera, Sha256, Site};
use framepost_ports::catalog::{CameraName, Interval};
use framepost_ports::{Clock, Error, ErrorKind};
use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use std::sync::PoisonError;

/// The id of an export: 8 hexadecimal digits that decrease with time, and 16 random ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Id(String);

impl Id {
    const LEN: usize = 24;

    /// Makes the id of an export that is asked for now. Fails if the system gives no random numbers.
    pub(crate) fn make(clock: &dyn Clock) -> Result<Self, Error> {
        let mut random = [0; 8];
        SystemRandom::new().fill(&mut random).map_err(|_| Error::new(ErrorKind::Io, "make", "a random number"))?;
        let seconds = u32::try_from(clock.now().as_second()).unwrap_or(u32::MAX);
        Ok(Self(format!("{:08x}{}", u32::MAX - seconds, hex::encode(random))))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// When it was made, in whole seconds since 1970; those after 2106 count as its last.
    pub(super) fn made_s(&self) -> i64 {
        // Every id begins with eight hexadecimal digits.
        i64::from(u32::MAX - u32::from_str_radix(&self.0[..8], 16).unwrap_or_default())
    }

    pub(super) fn request_key(&self) -> String {
        format!("{}{}.json", Self::REQUESTS, self.0)
    }

    /// Returns the beginning of the keys of all requests.
    pub(super) const REQUESTS: &str = "exports/requests/";

    /// Returns the beginning of the keys of its files.
    pub(super) fn prefix(&self) -> String {
        format!("{}{}/", framepost_events::export::PREFIX, self.0)
    }

    pub(super) fn file_key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    fn state_key(&self, of: impl std::fmt::Display) -> String {
        format!("{}state/{of}.json", self.prefix())
    }
}

impl TryFrom<String> for Id {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_one = text.len() == Self::LEN && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_one { Ok(Self(text)) } else { Err("no id of an export") }
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

/// What to do with stretches without video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StoredGaps {
    Skip,
    Fail,
}

impl From<StoredGaps> for Gaps {
    fn from(gaps: StoredGaps) -> Self {
        match gaps {
            StoredGaps::Skip => Self::Skip,
            StoredGaps::Fail => Self::Refuse,
        }
    }
}

/// A range of time of a camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Range {
    pub(crate) site: Site,
    pub(crate) camera: Camera,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Range {
    pub(crate) fn camera(&self) -> CameraName {
        CameraName { site: self.site.clone(), camera: self.camera.clone() }
    }

    pub(crate) fn within(&self) -> Interval {
        Interval { from: self.from, to: self.to }
    }
}

/// A file that an export makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlannedFile {
    /// Its file name: `001-site-camera-2026-11-20T15-08-23.547Z.mp4`.
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) range: Range,
    /// Size in bytes, which is known before it is written.
    pub(crate) bytes: u64,
    /// How long it plays.
    pub(crate) duration_ms: u64,
}

impl PlannedFile {
    /// Returns the file name of its proof: `NAME.proof.json` for `NAME.mp4`.
    pub(crate) fn proof_name(&self) -> String {
        proof_name(&self.name)
    }
}

/// Returns the name of the proof of the clip with this file name.
pub(super) fn proof_name(clip: &str) -> String {
    format!("{}.proof.json", clip.trim_end_matches(".mp4"))
}

/// The request for an export, written once, when it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
    /// Who asked, as the log calls the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created_by: Option<String>,
    pub(crate) gaps: StoredGaps,
    pub(crate) ranges: Vec<Range>,
    pub(crate) files: Vec<PlannedFile>,
}

impl Request {
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// An object of an export, as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: Sha256,
    /// CRC-32 (ISO 3309) of its bytes, for an archive.
    pub(crate) crc32: u32,
}

impl Entry {
    pub(super) fn of(name: &str, bytes: &[u8]) -> Self {
        let name = name.to_owned();
        Self { name, bytes: bytes.len() as u64, sha256: Sha256::of(bytes), crc32: crc32fast::hash(bytes) }
    }
}

/// The state of a file that is written with its proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Written {
    pub(crate) clip: Entry,
    pub(crate) proof: Entry,
    /// The wall-clock times at milliseconds of the clip: at its start, and after each gap.
    pub(crate) times: Vec<(u64, Timestamp)>,
}

/// The end of an export.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// All files are written.
    Complete { manifest: Entry, page: Entry, files: Vec<Written> },
    /// It cannot be made, for this reason.
    Failed(String),
}

/// The progress of an export.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) request: Request,
    /// The files that are written, from the first on.
    pub(crate) written: Vec<Written>,
    pub(crate) end: Option<End>,
    /// Bytes of its clips that are written, including those of the file in progress.
    pub(crate) bytes_written: u64,
}

impl Exports {
    /// Returns the progress of an export; `None` if there is no such export.
    pub(crate) async fn state(&self, id: &Id) -> Result<Option<State>, Error> {
        let store = &self.inner.store;
        let Some(request): Option<Request> = store.json(&id.request_key()).await? else {
            self.forget(id);
            return Ok(None);
        };
        let end = store.json(&end_key(id)).await?;
        let written = match &end {
            Some(End::Complete { files, .. }) => files.clone(),
            Some(End::Failed(_)) | None => self.written(&request).await?,
        };
        let done: u64 = written.iter().map(|one| one.clip.bytes).sum();
        let under_way = if end.is_none() { self.progress(id) } else { 0 };
        Ok(Some(State { bytes_written: (done + under_way).min(request.bytes()), request, written, end }))
    }

    /// Returns the files that are written, from the first on. A file that was found once is not looked for again.
    pub(super) async fn written(&self, request: &Request) -> Result<Vec<Written>, Error> {
        let known = || self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut written = known().get(&request.id).cloned().unwrap_or_default();
        let before = written.len();
        while written.len() < request.files.len() {
            let found = self.inner.store.json(&written_key(&request.id, written.len())).await?;
            let Some(one) = found else { break };
            written.push(one);
        }
        if written.len() > before {
            known().insert(request.id.clone(), written.clone());
        }
        Ok(written)
    }

    /// Forgets the files of an export that ended or was removed.
    pub(super) fn forget(&self, id: &Id) {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

pub(super) fn end_key(id: &Id) -> String {
    id.state_key("end")
}

pub(super) fn written_key(id: &Id, n: usize) -> String {
    id.state_key(n)
}

impl State {
    /// Returns its objects that are written, for reading.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let first = match &self.end {
            Some(End::Complete { manifest, page, .. }) => vec![manifest.clone(), page.clone()],
            Some(End::Failed(_)) | None => vec![],
        };
        let files = self.written.iter().flat_map(|one| [one.clip.clone(), one.proof.clone()]);
        first.into_iter().chain(files).collect()
    }

    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.end, Some(End::Complete { .. }))
    }

    /// Returns why the export cannot be made; `None` if it did not fail.
    pub(crate) fn problem(&self) -> Option<Problem> {
        match &self.end {
            Some(End::Failed(detail)) => {
                let problem = Problem::conflict("/problems/export-failed", "The export cannot be made");
                Some(problem.detail(detail.clone()))
            }
            Some(End::Complete { .. }) | None => None,
        }
    }
}
