//! Closing objects: hash, chain and sign them, in an order of steps that makes a close atomic.

use super::digest::{Digest, digest_file};
use super::error::unusable;
use super::fs::SpoolFile;
use super::index::{Entry, ItemId, Status, Tried};
use super::layout::{CameraName, Suffix};
use super::reservation::Reservation;
use super::sidecar::{LastChunk, Meta, OpenSpan, Origin, RecordingState};
use super::source::SourceFile;
use super::{Error, Inner, Result};
use framepost_events::attributes::Attributes;
use framepost_events::manifest::Manifest;
use framepost_events::{KeyKind, ObjectKey};
use std::io;
use std::path::Path;

/// Content type of the empty object at the end of a span.
const SPAN_END_CONTENT_TYPE: &str = "video/mp4";

/// Additional sidecar fields of an object that is written at once.
#[derive(Debug, Default)]
pub(super) struct Note {
    pub(super) source: Option<SourceFile>,
    pub(super) drops: Option<String>,
    pub(super) supersedes: Option<String>,
}

impl Inner {
    /// Closes the part file of a chunk and returns its length. Its bytes must be complete.
    /// `attributes.previous` is set to the last manifest of the span.
    /// It can be given to the uploader then. Its names become durable when the directory is synced.
    pub(super) fn close_chunk(
        &self,
        name: &CameraName,
        key: &ObjectKey,
        file: &mut dyn SpoolFile,
        attributes: Attributes,
        state: &mut RecordingState,
    ) -> Result<u64> {
        let part = self.layout.file(key, Suffix::Part);
        let digest = digest_file(file).map_err(Error::io("read", &part))?;
        file.sync_data().map_err(Error::io("sync", &part))?;
        let meta = self.seal_chunk(key, &digest, attributes, state)?;
        // Its name is made durable with the object's. Should only the object's survive, recovery sees that nobody has put it.
        self.write_sidecar(key, Suffix::Meta, &meta)?;
        self.name_chunk(name, key, &meta, state)?;
        Ok(meta.bytes)
    }

    /// What is said of a chunk whose bytes are complete.
    pub(super) fn seal_chunk(
        &self,
        key: &ObjectKey,
        digest: &Digest,
        mut attributes: Attributes,
        state: &RecordingState,
    ) -> Result<Meta> {
        let from = *attributes.from.get_or_insert(key.start);
        let end = from.saturating_add(attributes.duration.unwrap_or_default()).unwrap_or(from);
        attributes.to.get_or_insert(end);
        let content_type = attributes.full_content_type.clone().unwrap_or_else(|| "video/mp4".to_owned());
        let sealed = self.seal(key, digest, content_type, attributes)?;
        Ok(Meta { source: state.source.clone(), span: state.began, ..sealed })
    }

    /// Does all steps after the final sidecar, during recovery.
    pub(super) fn finish_chunk(
        &self,
        name: &CameraName,
        key: &ObjectKey,
        meta: &Meta,
        state: &mut RecordingState,
    ) -> Result<()> {
        self.name_chunk(name, key, meta, state)?;
        self.offer_chunk(name, key, meta.bytes)
    }

    /// Does the last steps of a close during recovery: makes the chunk's names durable and passes it to the uploader.
    pub(super) fn offer_chunk(&self, name: &CameraName, key: &ObjectKey, bytes: u64) -> Result<()> {
        self.sync_parent(&self.layout.file(key, Suffix::Object))?;
        self.remove(&self.layout.file(key, Suffix::Draft))?;
        self.shelve(name, key, bytes, None);
        self.tell();
        Ok(())
    }

    /// Renames the part to the object's name. The name becomes durable when the directory is synced.
    ///
    /// How far the span is closed, the chunk's sidecar says as well, which is kept until it is not needed for that. Where its
    /// directory is not followed, during a recovery, the camera's file says it.
    fn name_chunk(&self, name: &CameraName, key: &ObjectKey, meta: &Meta, state: &mut RecordingState) -> Result<()> {
        let next = after_chunk(key, meta, state)?;
        let part = self.layout.file(key, Suffix::Part);
        let dir = part.parent().unwrap_or(&part);
        let by_sidecar = meta.span.is_some() && meta.span == state.began && self.names().is_followed(dir);
        // The recording of a source file is not continued: the file is read again from its start.
        if !by_sidecar && next.span.as_ref().is_some_and(|span| span.origin == Origin::Camera) {
            self.write_state(name, &next)?;
        }
        *state = next;
        self.fs.rename(&part, &self.layout.file(key, Suffix::Object)).map_err(Error::io("rename", &part))?;
        if by_sidecar {
            self.names().closed(dir, key);
        }
        Ok(())
    }

    /// Writes the end object of the open span, if there is one.
    pub(super) fn end_span(&self, name: &CameraName, state: &mut RecordingState) -> Result<()> {
        let Some(span) = state.span.clone() else { return Ok(()) };
        let site = name.site.clone();
        let camera = name.camera.clone();
        let key = ObjectKey::new(site, camera, span.end, span.chunks, KeyKind::SpanEnd);
        let attributes = Attributes {
            from: Some(span.end),
            to: Some(span.end),
            previous: Some(span.previous),
            ..Attributes::default()
        };
        let note = Note { source: state.source.clone(), ..Note::default() };
        self.write_small(&key, b"", SPAN_END_CONTENT_TYPE, attributes, note)?;
        let next = RecordingState { span: None, began: None, recorded_to: Some(span.end), ..state.clone() };
        self.write_state(name, &next)?;
        *state = next;
        self.shelve(name, &key, 0, None);
        self.tell();
        Ok(())
    }

    /// Writes a small object. It is durable on return, and not yet passed to the uploader.
    pub(super) fn write_small(
        &self,
        key: &ObjectKey,
        bytes: &[u8],
        content_type: &str,
        attributes: Attributes,
        note: Note,
    ) -> Result<()> {
        let part = self.layout.file(key, Suffix::Part);
        let mut file = self.create(&part)?;
        file.write_all(bytes).map_err(Error::io("write", &part))?;
        file.sync_data().map_err(Error::io("sync", &part))?;
        drop(file);
        let meta = self.seal(key, &Digest::of(bytes), content_type.to_owned(), attributes)?;
        let Note { source, drops, supersedes } = note;
        self.write_sidecar(key, Suffix::Meta, &Meta { drops, supersedes, source, ..meta })?;
        self.sync_parent(&part)?;
        self.rename_durable(&part, &self.layout.file(key, Suffix::Object))
    }

    /// Adds a closed object to the index, and gives back the room that was reserved for it.
    pub(super) fn shelve(&self, name: &CameraName, key: &ObjectKey, bytes: u64, room: Option<Reservation>) {
        let entry = Entry { bytes, status: Status::Waiting, tried: Tried::Never };
        let mut index = self.index();
        if let Some(room) = room {
            room.give_back(&mut index);
        }
        index.insert(name, ItemId::of(key), entry);
    }

    /// Adds digest, chain and signature to the metadata.
    fn seal(&self, key: &ObjectKey, digest: &Digest, content_type: String, mut attributes: Attributes) -> Result<Meta> {
        let &Digest { bytes, sha256, crc32c } = digest;
        attributes.sha256 = Some(sha256);
        attributes.key_id = None;
        attributes.signature = None;
        if let Some(signer) = &self.options.signer {
            let text = key.to_string();
            attributes.signature = Manifest::claimed(&text, bytes, &attributes).map(|manifest| signer.sign(&manifest));
            attributes.key_id = Some(signer.key_id().to_owned());
        }
        let metadata = attributes.to_metadata().or_else(|error| {
            // Losing the footage would be worse than losing its seek table and source name.
            tracing::warn!(%key, %error, "the metadata is too large, seek table and source are left out");
            Attributes { seek_table: None, source: None, ..attributes }.to_metadata()
        });
        let metadata = metadata.map_err(unusable(key))?;
        Ok(Meta {
            content_type,
            metadata,
            bytes,
            crc32c: Some(crc32c),
            drops: None,
            supersedes: None,
            source: None,
            span: None,
        })
    }

    /// Writes a sidecar atomically. Its name becomes durable when the directory is synced.
    pub(super) fn write_sidecar(&self, key: &ObjectKey, suffix: Suffix, meta: &Meta) -> Result<()> {
        let json = serde_json::to_vec(meta).map_err(unusable(key))?;
        self.write_whole(&self.layout.file(key, suffix), &json)
    }

    pub(super) fn read_meta(&self, key: &ObjectKey) -> Result<Meta> {
        match self.loose().meta(key) {
            Some(meta) => Ok(meta.clone()),
            None => self.read_sidecar(key, Suffix::Meta),
        }
    }

    pub(super) fn read_sidecar(&self, key: &ObjectKey, suffix: Suffix) -> Result<Meta> {
        let json = self.read(&self.layout.file(key, suffix))?;
        serde_json::from_slice(&json).map_err(unusable(key))
    }

    pub(super) fn write_state(&self, name: &CameraName, state: &RecordingState) -> Result<()> {
        let path = self.layout.state(name);
        let json = serde_json::to_vec(state).map_err(io::Error::other).map_err(Error::io("encode", &path))?;
        self.write_durable(&path, &json)?;
        self.unwritten().remove(name);
        let occupied = self.index().shelf(name).occupied.clone();
        if let Some(dir) = occupied {
            self.names().written(&dir);
        }
        Ok(())
    }

    /// Reads a camera's state. A camera that never recorded has the empty state, and so, with a warning, has
    /// one whose file cannot be parsed.
    pub(super) fn read_state(&self, name: &CameraName) -> Result<RecordingState> {
        if let Some(state) = self.unwritten().get(name) {
            return Ok(state.clone());
        }
        let path = self.layout.state(name);
        let json = match self.read(&path) {
            Ok(json) => json,
            Err(error) if error.is_not_found() => return Ok(RecordingState::default()),
            Err(error) => return Err(error),
        };
        Ok(serde_json::from_slice(&json).unwrap_or_else(|error| {
            tracing::warn!(path = %path.display(), %error, "camera state is unreadable, its span ends without an end object");
            RecordingState::default()
        }))
    }

    /// Computes length and digests of a file in the spool.
    pub(super) fn digest_path(&self, path: &Path) -> io::Result<Digest> {
        digest_file(&mut *self.fs.open_read(path)?)
    }
}

/// The camera's state after a chunk of its open span.
pub(super) fn after_chunk(key: &ObjectKey, meta: &Meta, state: &RecordingState) -> Result<RecordingState> {
    let text = key.to_string();
    let attributes = meta.attributes().map_err(unusable(key))?;
    let manifest = Manifest::claimed(&text, meta.bytes, &attributes)
        .ok_or_else(|| unusable(key)("a digest, a start and an end were expected"))?;
    let span = OpenSpan {
        chunks: key.counter + 1,
        previous: manifest.digest(),
        end: manifest.to,
        origin: Origin::of(&attributes),
        last: Some(LastChunk { start: key.start, previous: attributes.previous }),
    };
    Ok(RecordingState { span: Some(span), recorded_to: Some(manifest.to), ..state.clone() })
}
