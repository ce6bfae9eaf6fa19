//! Exports.

use crate::export::{End, Made, PlannedFile, State, Written};
use crate::problem::Problem;
use framepost_events::{Camera, Sha256, Site};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// Exports, the newest first, and where the next page begins.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exports)]
pub(crate) struct ExportsJson {
    /// The exports of this page, the newest first.
    pub(crate) exports: Vec<ExportJson>,
    /// The `cursor` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ExportState {
    /// It was not asked for.
    Planned,
    /// It is being made.
    Running,
    /// All of it is there.
    Complete,
    /// It cannot be made: `problem` says why.
    Failed,
}

/// An export: what was asked for, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Export)]
pub(crate) struct ExportJson {
    /// Absent where it is only planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) state: ExportState,
    pub(crate) created_at: Timestamp,
    /// Who asked for it, as the log calls the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_by: Option<String>,
    /// Bytes of all clips.
    pub(crate) bytes: u64,
    /// Bytes of them that are there.
    pub(crate) bytes_written: u64,
    /// How long all clips play, one after the other.
    pub(crate) duration_ms: u64,
    pub(crate) files: Vec<ExportFile>,
    /// Why it cannot be made; absent unless `state` is `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<Problem>,
    /// All of it in one ZIP file, once it is complete: a path on this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) archive: Option<String>,
}

/// A clip of an export.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportFile {
    pub(crate) name: String,
    #[schema(value_type = String)]
    pub(crate) site: Site,
    #[schema(value_type = String)]
    pub(crate) camera: Camera,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) bytes: u64,
    pub(crate) duration_ms: u64,
    /// The digest of its bytes, once they are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) sha256: Option<Sha256>,
    /// Where it is, once it is there: a path on this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
}

impl ExportFile {
    fn of(id: &str, planned: &PlannedFile, written: Option<&Written>) -> Self {
        Self {
            name: planned.name.clone(),
            site: planned.range.site.clone(),
            camera: planned.range.camera.clone(),
            from: planned.range.from,
            to: planned.range.to,
            bytes: planned.bytes,
            duration_ms: planned.duration_ms,
            sha256: written.map(|written| written.clip.sha256),
            url: written.map(|_| format!("/v1/exports/{id}/files/{}", planned.name)),
        }
    }
}

impl ExportJson {
    /// One that is being made, or was.
    pub(crate) fn of(progress: &State) -> Self {
        let request = &progress.request;
        let id = request.id.as_str();
        let state = match &progress.end {
            None => ExportState::Running,
            Some(End::Complete { .. }) => ExportState::Complete,
            Some(End::Failed(_)) => ExportState::Failed,
        };
        let files = request.files.iter().enumerate();
        Self {
            id: Some(id.to_owned()),
            name: request.name.clone(),
            state,
            created_at: request.created_at,
            created_by: request.created_by.clone(),
            bytes: request.bytes(),
            bytes_written: progress.bytes_written,
            duration_ms: request.files.iter().map(|file| file.duration_ms).sum(),
            files: files.map(|(n, file)| ExportFile::of(id, file, progress.written.get(n))).collect(),
            problem: progress.problem(),
            archive: (state == ExportState::Complete).then(|| format!("/v1/exports/{id}/archive.zip")),
        }
    }

    /// One that could be made.
    pub(crate) fn planned(Made(request): &Made) -> Self {
        let progress = State { request: request.clone(), written: vec![], end: None, bytes_written: 0 };
        Self { id: None, state: ExportState::Planned, ..Self::of(&progress) }
    }
}
