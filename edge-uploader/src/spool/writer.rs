//! Writes the chunks of one camera.

use super::close::{Note, after_chunk};
use super::digest::Hashing;
use super::fs::SpoolFile;
use super::index::{ItemId, Status};
use super::layout::{CameraName, Suffix};
use super::names::Urgency;
use super::reservation::Reservation;
use super::sidecar::{Draft, Origin, RecordingState};
use super::source::SourceFile;
use super::{Durability, Error, Inner, Result};
use crate::segment::{Fragment, Output, Quiet};
use bytes::Bytes;
use framepost_events::attributes::Attributes;
use framepost_events::gap::{GAP_CONTENT_TYPE, Gap};
use framepost_events::{KeyKind, ObjectKey};
use jiff::Timestamp;
use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Writes the output of one camera's segmenter. It blocks on the disk, so it should run on a thread of its own.
///
/// After an error the span has ended: the complete part of its open chunk is kept and is closed when the next
/// span begins, or at the next start. The caller must start a new segmenter, so that the next output is a
/// `Begin` with counter 0. Until then all other outputs are refused.
pub struct SpoolWriter {
    spool: Arc<Inner>,
    name: CameraName,
    state: RecordingState,
    open: Option<OpenChunk>,
    /// The room of parts that an error left, until recovery counts them as chunks.
    left: Vec<Reservation>,
    /// Chunks of a file that are written whole and not hashed.
    hashing: Hashing<Whole>,
    /// When the first of them was.
    whole_since: Option<Instant>,
    health: Health,
}

/// A chunk of a file, written whole.
struct Whole {
    key: ObjectKey,
    attributes: Attributes,
    room: Reservation,
}

/// How long a chunk of a file waits to be hashed together with others. A file that is read as fast as it can be gives many in
/// this time, one that plays like a camera gives one.
const HASHED_WITHIN: Duration = Duration::from_millis(500);

struct OpenChunk {
    key: ObjectKey,
    origin: Origin,
    name: Name,
    file: Box<dyn SpoolFile>,
    bytes: u64,
    room: Reservation,
    init_bytes: usize,
    written: Written,
}

/// How far the open part's fragments are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Only to the operating system's cache.
    Cached,
    Synced,
}

/// Whether the name of the open part survives a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Cached,
    Synced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Whole,
    /// Recovery must close a part or a span.
    ToHeal,
}

impl SpoolWriter {
    /// What the camera sends while nothing happens, as it was known when it was last recorded.
    pub fn quiet(&self) -> Quiet {
        self.state.quiet.clone().filter(Quiet::is_sound).unwrap_or_default()
    }

    /// Remembers it: it is on the disk when the camera's file is written the next time, which is once an hour at least.
    pub fn set_quiet(&mut self, quiet: Quiet) {
        self.state.quiet = Some(quiet);
    }

    pub(super) fn new(spool: Arc<Inner>, name: CameraName) -> Result<Self> {
        {
            let mut index = spool.index();
            let shelf = index.shelf(&name);
            if shelf.has_writer {
                let site = name.site.to_string();
                let camera = name.camera.to_string();
                return Err(Error::WriterTaken { site, camera });
            }
            shelf.has_writer = true;
        }
        let mut writer = Self {
            spool,
            name,
            state: RecordingState::default(),
            open: None,
            left: Vec::new(),
            hashing: Hashing::default(),
            whole_since: None,
            health: Health::ToHeal,
        };
        // On a failure from here on, dropping the writer releases the camera.
        writer.state = writer.spool.read_state(&writer.name)?;
        Ok(writer)
    }

    /// Returns the time up to which this camera is accounted for by chunks or gaps.
    /// A following gap starts here.
    pub fn recorded_to(&self) -> Option<Timestamp> {
        self.state.recorded_to
    }

    /// Writes one output. After a call of [`settle`](Self::settle) it is durable. A camera's chunk is durable, and available to
    /// the uploader, when it is closed.
    pub fn apply(&mut self, output: Output) -> Result<()> {
        let result = match output {
            Output::Begin { start, counter, init, draft } => self.begin(start, counter, &init, draft),
            Output::Fragment(fragment) => self.fragment(&fragment),
            Output::Finish { init, tail, attributes } => self.finish(&init, &tail, attributes),
            Output::SpanEnd { end, counter } => self.end(end, counter),
        };
        if result.is_err() {
            self.give_up_part();
        }
        result
    }

    /// With [`Durability::Fragment`], makes a camera's fragments durable. Passes the chunks of a file to the uploader once
    /// they have waited long enough for others. For outputs that arrive together, call it once after the last: a fragment followed by its
    /// chunk's end is then synced together with it.
    pub fn settle(&mut self) -> Result<()> {
        let settled = self.settle_all();
        if settled.is_err() {
            self.give_up_part();
        }
        settled
    }

    fn settle_all(&mut self) -> Result<()> {
        let wanted = self.spool.options.durability == Durability::Fragment;
        if self.whole_since.is_some_and(|since| since.elapsed() >= HASHED_WITHIN) {
            self.hash_all()?;
        }
        // The part of a source file is not continued after a crash; the file is read again.
        let Some(open) = self.open.as_mut().filter(|open| wanted && open.origin == Origin::Camera) else {
            return Ok(());
        };
        let part = self.spool.layout.file(&open.key, Suffix::Part);
        if open.written == Written::Cached {
            open.file.sync_data().map_err(Error::io("sync", &part))?;
            open.written = Written::Synced;
        }
        if open.name == Name::Cached {
            self.spool.sync_parent(&part)?;
            open.name = Name::Synced;
        }
        Ok(())
    }

    /// Makes durable what was written of a file and is not in the bucket yet: nobody will read the file again.
    pub fn keep(&mut self) -> Result<()> {
        if self.health == Health::Whole {
            self.hash_all()?;
        }
        self.spool.keep_all(&self.name)
    }

    /// How many chunks of the open span are written whole.
    fn chunks(&self) -> u64 {
        self.state.span.as_ref().map_or(0, |span| span.chunks) + self.hashing.len() as u64
    }

    /// Hashes all chunks that are written whole, and gives them to the uploader.
    fn hash_all(&mut self) -> Result<()> {
        let hashed = self.hashing.finish();
        hashed.map_err(|error| self.not_hashed(error))?;
        self.lay_hashed()
    }

    fn not_hashed(&self, error: std::io::Error) -> Error {
        Error::io("read a part below", &self.spool.layout.objects())(error)
    }

    fn lay_hashed(&mut self) -> Result<()> {
        while let Some((Whole { key, attributes, room }, digest)) = self.hashing.next() {
            let previous = self.state.span.as_ref().map(|span| span.previous);
            let attributes = Attributes { previous, ..attributes };
            let meta = self.spool.seal_chunk(&key, &digest, attributes, &self.state)?;
            self.state = after_chunk(&key, &meta, &self.state)?;
            self.spool.lay_loose(&self.name, &key, meta, room)?;
        }
        if self.hashing.len() == 0 {
            self.whole_since = None;
        }
        Ok(())
    }

    /// Closes what an error left: the open part as a shorter chunk, and the span with its end object.
    /// The next `Begin` does this as well. Call it earlier to get [`recorded_to`](Self::recorded_to)
    /// for writing a gap first.
    pub fn heal(&mut self) -> Result<()> {
        if self.open.is_some() {
            self.give_up_part();
        }
        if self.health == Health::ToHeal {
            self.spool.sync_closed_of(&self.name)?;
            // A loose part is whole, and none of those that a failure left.
            self.spool.keep_all(&self.name)?;
            let parts = self.spool.parts_of(&self.name, &self.state)?;
            self.spool.recover_camera(&self.name, &mut self.state, parts)?;
            self.left.clear();
            self.health = Health::Whole;
        }
        Ok(())
    }

    /// Makes room for `bytes` without using it, so that a gap is written only if footage can follow.
    pub fn make_room(&mut self, bytes: u64) -> Result<()> {
        self.room().grow(bytes)
    }

    fn room(&self) -> Reservation {
        Reservation::new(&self.spool, &self.name)
    }

    /// Sets the source file, which is read from its start. Its gaps get the same keys as the last time. `None`
    /// if the file cannot be identified.
    pub fn reads(&mut self, file: Option<SourceFile>) {
        self.state.last_gap = None;
        self.state.source = file;
    }

    /// Writes a gap's object, which is durable on return.
    pub fn write_gap(&mut self, gap: &Gap) -> Result<()> {
        let counter = match self.state.last_gap {
            Some((start, counter)) if start == gap.from => counter + 1,
            _ => 0,
        };
        let key = self.spool.free_gap_key(&self.name, gap, counter);
        let body = gap.to_json();
        let attributes = Attributes { from: Some(gap.from), to: Some(gap.to), ..Attributes::default() };
        let note = Note { source: self.state.source.clone(), ..Note::default() };
        self.spool.write_small(&key, &body, GAP_CONTENT_TYPE, attributes, note)?;
        let recorded_to = self.state.recorded_to.max(Some(gap.to));
        let next = RecordingState { recorded_to, last_gap: Some((gap.from, key.counter)), ..self.state.clone() };
        self.spool.write_state(&self.name, &next)?;
        self.state = next;
        self.spool.shelve(&self.name, &key, body.len() as u64, None);
        self.spool.tell();
        Ok(())
    }

    fn begin(&mut self, start: Timestamp, counter: u64, init: &Bytes, draft: Attributes) -> Result<()> {
        if counter == 0 && (self.open.is_some() || self.chunks() > 0 || self.health == Health::ToHeal) {
            if self.health == Health::Whole {
                self.hash_all()?;
            }
            self.health = Health::ToHeal;
            self.heal()?;
        }
        let expected = self.chunks();
        if self.health == Health::ToHeal || self.open.is_some() || counter != expected {
            return Err(Error::Order {
                output: "begin",
                expected: "the chunk after the last closed one, or a new span",
            });
        }
        let site = self.name.site.clone();
        let camera = self.name.camera.clone();
        let key = ObjectKey::new(site, camera, start, counter, KeyKind::Chunk);
        self.take_key(&key)?;
        let mut room = self.room();
        room.grow(init.len() as u64)?;
        let draft = Draft::of(draft).map_err(super::error::unusable(&key))?;
        let origin = draft.origin;
        let known = self.state.draft.as_ref().is_some_and(|before| before.stands_for(&draft));
        let began = match (origin, counter) {
            (Origin::Camera, 0) => Some(start),
            (Origin::Camera, _) => self.state.began,
            (Origin::File, _) => None,
        };
        let next = RecordingState { draft: Some(draft), began, ..self.state.clone() };
        let part = self.spool.layout.file(&key, Suffix::Part);
        let dir = part.parent().unwrap_or(&part);
        // In a directory, the sidecars of closed chunks say how far the span is closed.
        let elsewhere = origin == Origin::Camera && !self.spool.names().is_followed(dir);
        if !known || elsewhere || began != self.state.began {
            // Write the state before the part's name exists, so that a recovery that finds
            // the part knows its attributes.
            self.spool.sync_closed_of(&self.name)?;
            self.spool.write_state(&self.name, &next)?;
        }
        self.state = next;
        self.spool.occupy(&self.name, Some(&part));
        if origin == Origin::Camera {
            self.spool.names().follow(dir);
        }
        if self.spool.names().are_left(dir, &key) {
            self.spool.sync_parent(&part)?;
        }
        let mut file = self.spool.create(&part)?;
        file.write_all(init).map_err(Error::io("write", &part))?;
        let init_bytes = init.len();
        let name = Name::Cached;
        let written = Written::Cached;
        self.open = Some(OpenChunk { key, origin, name, file, bytes: init_bytes as u64, room, init_bytes, written });
        Ok(())
    }

    fn fragment(&mut self, fragment: &Fragment) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Err(Error::Order { output: "a fragment", expected: "a chunk must begin first" });
        };
        let bytes = fragment.len_bytes();
        open.room.grow(bytes)?;
        let part = || self.spool.layout.file(&open.key, Suffix::Part);
        if let Err(error) = fragment.write_to(&mut *open.file) {
            // Release the space on a full disk. If that fails too, recovery cuts the part.
            let _ = open.file.set_len(open.bytes);
            return Err(Error::io("append to", &part())(error));
        }
        open.bytes += bytes;
        open.written = Written::Cached;
        Ok(())
    }

    fn finish(&mut self, init: &Bytes, tail: &Bytes, attributes: Attributes) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Err(Error::Order { output: "finish", expected: "a chunk must begin first" });
        };
        if init.len() != open.init_bytes {
            return Err(Error::Order { output: "finish", expected: "an init as long as the one it overwrites" });
        }
        open.room.grow(tail.len() as u64)?;
        let part = self.spool.layout.file(&open.key, Suffix::Part);
        let rewritten = (|| {
            open.file.seek(SeekFrom::Start(0))?;
            open.file.write_all(init)?;
            open.file.seek(SeekFrom::End(0))?;
            open.file.write_all(tail)
        })();
        rewritten.map_err(Error::io("finish", &part))?;
        if open.origin == Origin::File {
            return self.finish_of_file(attributes);
        }
        let previous = self.state.span.as_ref().map(|span| span.previous);
        let attributes = Attributes { previous, ..attributes };
        // It must survive as a part before it has a sidecar: a sidecar alone would be that of an uploaded chunk. The chunk before
        // it must survive as it is closed, because this one names its digest.
        match open.name {
            Name::Cached => self.spool.sync_parent(&part)?,
            Name::Synced => self.spool.sync_closed(part.parent().unwrap_or(&part))?,
        }
        open.name = Name::Synced;
        let bytes = self.spool.close_chunk(&self.name, &open.key, &mut *open.file, attributes, &mut self.state)?;
        if let Some(OpenChunk { key, room, .. }) = self.open.take() {
            // Nothing is lost if its new names are not durable yet, and the mark of its put makes them so.
            self.spool.shelve(&self.name, &key, bytes, Some(room));
            self.spool.tell();
        }
        Ok(())
    }

    /// A chunk of a file is hashed together with those that follow.
    fn finish_of_file(&mut self, attributes: Attributes) -> Result<()> {
        let Some(OpenChunk { key, file, room, .. }) = self.open.take() else { return Ok(()) };
        let hashed = self.hashing.add(Whole { key, attributes, room }, file).and_then(|()| self.hashing.advance());
        hashed.map_err(|error| self.not_hashed(error))?;
        self.whole_since.get_or_insert_with(Instant::now);
        self.lay_hashed()
    }

    fn end(&mut self, end: Timestamp, counter: u64) -> Result<()> {
        if self.health == Health::Whole && self.hashing.len() > 0 {
            self.hash_all()?;
        }
        let span = self.state.span.as_ref().filter(|span| self.open.is_none() && span.chunks == counter);
        if span.is_none() || self.health != Health::Whole {
            return Err(Error::Order {
                output: "a span's end",
                expected: "the span's last chunk must be closed first",
            });
        }
        self.spool.sync_closed_of(&self.name)?;
        self.spool.keep_all(&self.name)?;
        let Some(span) = self.state.span.as_mut() else { return Ok(()) };
        if span.end != end {
            // The end object must get the same key from recovery as from here.
            span.end = end;
            self.spool.write_state(&self.name, &self.state)?;
        }
        self.spool.end_span(&self.name, &mut self.state)?;
        self.spool.occupy(&self.name, None);
        Ok(())
    }

    /// Makes sure that the spool has no object with this key. An object in quarantine that was made from the
    /// same file is made and put again.
    fn take_key(&self, key: &ObjectKey) -> Result<()> {
        let id = ItemId::of(key);
        let Some(status) = self.spool.index().entry(&self.name, id).map(|entry| entry.status) else { return Ok(()) };
        let before = self.spool.read_meta(key).ok().and_then(|meta| meta.source);
        let is_same = self.state.source.as_ref().zip(before).is_some_and(|(now, before)| now.continues(&before));
        match status {
            Status::Quarantined if is_same => {
                tracing::info!(%key, "object in quarantine is made again from its file");
                self.spool.remove_object(key, Urgency::Now)?;
                self.spool.index().remove(&self.name, id);
                Ok(())
            }
            Status::Quarantined => Err(Error::KeyInQuarantine { key: key.to_string() }),
            _ => Err(Error::KeyTaken { key: key.to_string() }),
        }
    }

    /// Leaves the open part to recovery.
    fn give_up_part(&mut self) {
        self.health = Health::ToHeal;
        let hashing = std::mem::take(&mut self.hashing);
        self.left.extend(hashing.into_subjects().map(|whole| whole.room));
        self.left.extend(self.open.take().map(|open| open.room));
        self.whole_since = None;
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        let is_within_span = self.state.began.is_some() && self.state.span.is_some();
        let written = || {
            self.spool.sync_closed_of(&self.name)?;
            self.spool.write_state(&self.name, &self.state)
        };
        if !is_within_span || written().is_ok() {
            self.spool.occupy(&self.name, None);
        } else {
            // The directory is followed on, so that the sidecars stay that say how far the span is closed. The next writer of
            // this process goes on from here.
            let state = RecordingState { source: None, ..self.state.clone() };
            self.spool.unwritten().insert(self.name.clone(), state);
        }
        self.spool.index().shelf(&self.name).has_writer = false;
    }
}
