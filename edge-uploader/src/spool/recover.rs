//! Recovery of what a crash left. Every step can be repeated.

use super::close::after_chunk;
use super::digest::is_as_closed;
use super::error::unusable;
use super::index::{ItemId, Status, Tried};
use super::layout::{CameraName, Suffix};
use super::repair::RepairFailure;
use super::scan::Scan;
use super::sidecar::{Meta, Origin, RecordingState};
use super::{Error, Inner, Result};
use framepost_events::attributes::Attributes;
use framepost_events::gap::{Gap, GapCause};
use framepost_events::{Camera, KeyKind, ObjectKey, Site};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::Path;

/// The result of the recovery by [`Spool::open`](super::Spool::open).
#[derive(Debug, Default)]
pub struct Recovery {
    /// Each camera that has ever recorded into this spool.
    pub cameras: Vec<CameraRecovery>,
    /// Number of objects that wait for their upload, including those just closed.
    pub waiting_objects: u64,
    /// Bytes of the waiting objects.
    pub waiting_bytes: u64,
}

/// The state of a camera after recovery.
#[derive(Debug)]
pub struct CameraRecovery {
    pub site: Site,
    pub camera: Camera,
    /// Everything before this time is accounted for by chunks or gaps. The time from here to the camera's next
    /// frame is a gap ([`GapCause::NotRunning`]).
    pub recorded_to: Option<Timestamp>,
    /// How its last span ended.
    pub span: SpanRecovery,
}

/// How a camera's last span ended.
#[derive(Debug)]
pub enum SpanRecovery {
    /// The span was ended normally.
    Ended,
    /// A crash ended it. Its parts are closed and its end object is written.
    Interrupted {
        /// Number of chunks in the span.
        chunks: u64,
    },
    /// A crash ended it, and it cannot be closed now. That happens when the camera records again,
    /// or at the next start.
    Deferred(Error),
}

impl Inner {
    pub(super) fn recover(&self) -> Result<Recovery> {
        let mut scan = self.scan();
        if scan.foreign > 0 {
            let example = scan.foreign_example.as_deref().unwrap_or(Path::new("")).display();
            tracing::warn!(files = scan.foreign, %example, "foreign files in the spool are left alone");
        }
        let unwritten = self.catch_up(&scan);
        for (_, path) in scan.leftovers.iter().filter(|(name, _)| !unwritten.contains(name)) {
            if let Err(error) = self.remove(path) {
                tracing::warn!(%error, "cannot remove a leftover file");
            }
            self.prune(path);
        }
        self.reopen_unsealed(&mut scan, |name| self.read_state(name))?;
        // The order in which they were closed is not known any more, so use their times.
        scan.objects.sort_by_key(|(_, key, _)| (key.start, key.counter));
        for (name, key, entry) in &scan.objects {
            self.index().insert(name, ItemId::of(key), *entry);
        }
        for (name, key, entry) in &scan.objects {
            if key.kind == KeyKind::Gap {
                self.recover_gap(name, key, entry.tried)?;
            }
        }
        let mut names: BTreeSet<CameraName> = self.known_cameras();
        names.extend(scan.parts.keys().cloned());
        let mut recovery = Recovery::default();
        for name in names {
            let parts = scan.parts.remove(&name).unwrap_or_default();
            recovery.cameras.push(self.recover_at_start(name, parts));
        }
        for camera in self.index().stats() {
            recovery.waiting_objects += camera.waiting_objects;
            recovery.waiting_bytes += camera.waiting_bytes;
        }
        Ok(recovery)
    }

    /// Brings the cameras' files up to the last chunk that is closed according to its sidecar. Returns the cameras whose
    /// sidecars are still needed, because the disk does not accept the file.
    fn catch_up(&self, scan: &Scan) -> BTreeSet<CameraName> {
        let states: BTreeMap<CameraName, RecordingState> = self
            .known_cameras()
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.read_state(&name).ok()?)))
            .collect();
        let mut missed: BTreeMap<&CameraName, Vec<&ObjectKey>> = BTreeMap::new();
        let objects = scan.objects.iter().map(|(name, key, _)| (name, key));
        for (name, key) in objects.chain(scan.gone.iter().map(|(name, key)| (name, key))) {
            if states.get(name).is_some_and(|state| state.may_miss(key)) {
                missed.entry(name).or_default().push(key);
            }
        }
        let mut unwritten = BTreeSet::new();
        for (name, keys) in missed {
            let Some(next) = states.get(name).and_then(|state| self.after_last(state, keys)) else { continue };
            if let Err(error) = self.write_state(name, &next) {
                tracing::warn!(site = %name.site, camera = %name.camera, %error, "the camera's state cannot be written now");
                self.unwritten().insert(name.clone(), next);
                unwritten.insert(name.clone());
            }
        }
        unwritten
    }

    /// Returns the state after the last of these chunks that belongs to the open span.
    fn after_last(&self, state: &RecordingState, mut closed: Vec<&ObjectKey>) -> Option<RecordingState> {
        closed.sort_by_key(|key| std::cmp::Reverse(key.counter));
        closed.into_iter().find_map(|key| {
            let meta = self.read_sidecar(key, Suffix::Meta).ok()?;
            if meta.span.is_none() || meta.span != state.began {
                return None;
            }
            after_chunk(key, &meta, state).ok()
        })
    }

    fn recover_at_start(&self, name: CameraName, parts: Vec<ObjectKey>) -> CameraRecovery {
        let mut state = RecordingState::default();
        let recovered = self.read_state(&name).and_then(|read| {
            state = read;
            self.recover_camera(&name, &mut state, parts)
        });
        let span = match recovered {
            Ok(None) => SpanRecovery::Ended,
            Ok(Some(chunks)) => SpanRecovery::Interrupted { chunks },
            Err(error) => {
                let error_text = framepost_ports::chain(&error);
                tracing::warn!(site = %name.site, camera = %name.camera, error = error_text, "span cannot be closed now");
                SpanRecovery::Deferred(error)
            }
        };
        CameraRecovery { site: name.site, camera: name.camera, recorded_to: state.recorded_to, span }
    }

    /// Closes a camera's parts and its span. Returns the number of chunks in the span, if it was open.
    pub(super) fn recover_camera(
        &self,
        name: &CameraName,
        state: &mut RecordingState,
        mut parts: Vec<ObjectKey>,
    ) -> Result<Option<u64>> {
        parts.sort_by_key(|key| (key.start, key.counter));
        for key in parts {
            if state.span.as_ref().is_some_and(|span| span.chunks != key.counter && span.chunks != key.counter + 1) {
                // The part does not belong to this span, but to one without closed chunks.
                self.end_interrupted(name, state)?;
            }
            self.recover_part(name, &key, state)?;
        }
        let chunks = state.span.as_ref().map(|span| span.chunks);
        self.end_interrupted(name, state)?;
        Ok(chunks)
    }

    fn recover_part(&self, name: &CameraName, key: &ObjectKey, state: &mut RecordingState) -> Result<()> {
        let part = self.layout.file(key, Suffix::Part);
        let read = |suffix| match self.read_sidecar(key, suffix) {
            Ok(meta) => Ok(Some(meta)),
            Err(error) if error.is_not_found() || matches!(error, Error::Attributes { .. }) => Ok(None),
            Err(error) => Err(error),
        };
        if let Some(meta) = read(Suffix::Meta)?
            && meta.sha256().is_some()
            && self.is_part_as_closed(&part, &meta).map_err(Error::io("read", &part))?
        {
            tracing::info!(%key, "chunk was complete, closing it");
            return self.finish_chunk(name, key, &meta, state);
        }
        // Losing the footage would be worse than losing its attributes.
        let draft = read(Suffix::Draft)?.and_then(|draft| draft.attributes().ok());
        let mut draft = draft.unwrap_or_else(|| state.draft_of(key));
        if Origin::of(&draft) == Origin::File {
            tracing::info!(%key, "interrupted chunk of a file is removed, it will be read again");
            return self.remove_part(key, &part);
        }
        draft.from.get_or_insert(key.start);
        let previous = draft.previous;
        let mut file = self.fs.open(&part).map_err(Error::io("open", &part))?;
        let repaired = match self.options.repair.repair(&mut SeekAdapter(&mut *file), &draft) {
            Ok(repaired) => repaired,
            Err(RepairFailure::NothingWhole) => {
                tracing::info!(%key, "chunk has no whole fragment, removing it");
                return self.remove_part(key, &part);
            }
            Err(RepairFailure::Malformed(error)) => {
                tracing::error!(%key, %error, "the part is not a valid chunk, it is kept as .broken");
                return self.rename_durable(&part, &self.layout.file(key, Suffix::Broken));
            }
            Err(RepairFailure::Io(error)) => return Err(Error::io("read", &part)(error)),
        };
        let rewritten = (|| {
            file.set_len(repaired.keep_bytes)?;
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&repaired.init)?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(&repaired.tail)
        })();
        rewritten.map_err(Error::io("repair", &part))?;
        let bytes = repaired.keep_bytes;
        tracing::info!(%key, bytes, "interrupted chunk is closed after its last whole fragment");
        let attributes = Attributes { previous, ..repaired.attributes };
        let bytes = self.close_chunk(name, key, &mut *file, attributes, state)?;
        self.offer_chunk(name, key, bytes)
    }

    fn is_part_as_closed(&self, part: &Path, meta: &Meta) -> std::io::Result<bool> {
        is_as_closed(&mut *self.fs.open_read(part)?, meta)
    }

    fn remove_part(&self, key: &ObjectKey, part: &Path) -> Result<()> {
        // A sidecar alone would be that of a chunk that was uploaded.
        self.remove(&self.layout.file(key, Suffix::Meta))?;
        self.sync_parent(part)?;
        self.remove(part)?;
        self.sync_parent(part)?;
        self.remove(&self.layout.file(key, Suffix::Draft))?;
        self.prune(part);
        Ok(())
    }

    /// Turns chunks back into parts whose name survived a power cut without their final sidecar.
    /// Nobody has seen them yet.
    fn reopen_unsealed(&self, scan: &mut Scan, state: impl Fn(&CameraName) -> Result<RecordingState>) -> Result<()> {
        for (name, key, entry) in std::mem::take(&mut scan.bare) {
            let is_known = self.index().entry(&name, ItemId::of(&key)).is_some();
            // Nobody has put it: the mark for that would have made the sidecar durable.
            let is_fresh = entry.tried == Tried::Never && entry.status == Status::Waiting;
            let may_be_unsealed =
                |state: RecordingState| state.closed_last(&key) || (is_fresh && state.comes_next(&key));
            if !is_known && may_be_unsealed(state(&name)?) {
                scan.unsealed.push((name, key));
            } else {
                scan.objects.push((name, key, entry));
            }
        }
        for (name, key) in std::mem::take(&mut scan.unsealed) {
            self.rename_durable(&self.layout.file(&key, Suffix::Object), &self.layout.file(&key, Suffix::Part))?;
            scan.parts.entry(name).or_default().push(key);
        }
        Ok(())
    }

    /// Ends a span that a crash interrupted. A span of a source file gets no end, because
    /// the file is read again.
    fn end_interrupted(&self, name: &CameraName, state: &mut RecordingState) -> Result<()> {
        if state.span.as_ref().is_none_or(|span| span.origin == Origin::Camera) {
            return self.end_span(name, state);
        }
        let next = RecordingState { span: None, began: None, ..state.clone() };
        self.write_state(name, &next)?;
        *state = next;
        Ok(())
    }

    /// Completes a drop that was interrupted, or records a gap that the camera's file does not have yet.
    fn recover_gap(&self, name: &CameraName, key: &ObjectKey, tried: Tried) -> Result<()> {
        let gap = self.read(&self.layout.file(key, Suffix::Object));
        let gap = gap.and_then(|body| Gap::from_json(&body).map_err(unusable(key)));
        let (gap, meta) = match (gap, self.read_meta(key)) {
            (Ok(gap), Ok(meta)) => (gap, meta),
            (Err(error), _) | (_, Err(error)) => {
                // The uploader moves it to quarantine with this error as the reason.
                tracing::warn!(%key, %error, "gap is unreadable");
                return Ok(());
            }
        };
        if gap.cause == GapCause::SpoolFull {
            for unlinked in [&meta.drops, &meta.supersedes].into_iter().flatten() {
                if let Ok(unlinked) = unlinked.parse::<ObjectKey>() {
                    self.finish_drop(name, &unlinked)?;
                }
            }
            if tried == Tried::Never {
                self.index().shelf(name).growing_gap = Some(ItemId::of(key));
            }
            return Ok(());
        }
        let mut state = self.read_state(name)?;
        if state.recorded_to.is_some_and(|to| to >= gap.from && to < gap.to) {
            state.recorded_to = Some(gap.to);
            state.last_gap = Some((gap.from, key.counter));
            self.write_state(name, &state)?;
        }
        Ok(())
    }

    /// Returns the parts of a camera that does not record now, for a writer that closes them. Also finds chunks
    /// that were closed without the process noticing, because the last sync of their directory failed.
    pub(super) fn parts_of(&self, name: &CameraName, state: &RecordingState) -> Result<Vec<ObjectKey>> {
        let mut scan = self.scan_camera(name);
        self.reopen_unsealed(&mut scan, |_| Ok(state.clone()))?;
        for (_, key, entry) in scan.objects {
            if key.kind != KeyKind::Chunk || self.index().entry(name, ItemId::of(&key)).is_some() {
                continue;
            }
            // An object uploaded since the scan was unlinked before it left the index, so
            // it is not found again.
            let path = self.layout.file(&key, Suffix::Object);
            match self.fs.open_read(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                found => drop(found.map_err(Error::io("open", &path))?),
            }
            self.sync_parent(&path)?;
            self.index().insert(name, ItemId::of(&key), entry);
        }
        Ok(scan.parts.remove(name).unwrap_or_default())
    }

    /// Returns the cameras with a file in `cameras/`.
    fn known_cameras(&self) -> BTreeSet<CameraName> {
        let root = self.layout.cameras();
        let mut names = BTreeSet::new();
        for site_dir in self.fs.list(&root).unwrap_or_default() {
            let Some(site) = site_dir.name.to_str().and_then(|name| name.parse::<Site>().ok()) else { continue };
            for file in self.fs.list(&root.join(&site_dir.name)).unwrap_or_default() {
                let camera = file.name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<Camera>().ok());
                names.extend(camera.map(|camera| CameraName { site: site.clone(), camera }));
            }
        }
        names
    }
}

/// Read access to a spool file for the repair.
struct SeekAdapter<'a>(&'a mut dyn super::fs::SpoolFile);

impl std::io::Read for SeekAdapter<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for SeekAdapter<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(to)
    }
}
