//! Writing one file of an export: a clip, its proof, and that both are there.

use super::manifest::{Base64, ChunkProof, Claim, PROOF_FORMAT, Proof, Undo};
use super::page::Times;
use super::state::{Entry, Id, PlannedFile, Request, Written, written_key};
use super::{Exports, store};
use crate::clip::{Clip, Piece};
use bytes::Bytes;
use framepost_events::attributes::{Attributes, Metadata};
use framepost_events::{Sha256, Sha256Hasher};
use framepost_ports::{Content, ContentStream, Error, ErrorKind, NewObject, ObjectSource};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError};

/// Why a file was not written.
#[derive(Debug)]
pub(super) enum Failure {
    /// The footage is gone, damaged, or not what it was: it will never be written.
    Footage(Error),
    /// The bucket will never take it.
    Refused(Error),
    /// It may be written later.
    Later(Error),
}

/// Takes an error of writing: what the bucket denies or finds invalid is refused, all else may work later.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Denied | ErrorKind::Invalid => Self::Refused(error),
            ErrorKind::NotFound
            | ErrorKind::Corrupt
            | ErrorKind::Busy
            | ErrorKind::Transport
            | ErrorKind::Intercepted
            | ErrorKind::ClockSkew
            | ErrorKind::Io => Self::Later(error),
        }
    }
}

impl Failure {
    /// An error of reading footage.
    fn of_footage(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::Corrupt | ErrorKind::Invalid => Self::Footage(error),
            ErrorKind::Denied
            | ErrorKind::Busy
            | ErrorKind::Transport
            | ErrorKind::Intercepted
            | ErrorKind::ClockSkew
            | ErrorKind::Io => Self::Later(error),
        }
    }
}

/// A clip as an object's content: it is read while it is written.
struct ClipContent {
    clip: Clip,
    exports: Exports,
    id: Id,
}

impl Content for ClipContent {
    fn len_bytes(&self) -> u64 {
        self.clip.size()
    }

    fn open(&self) -> ContentStream {
        let clip = self.clip.clone();
        let exports = self.exports.clone();
        let id = self.id.clone();
        let stream = futures::stream::try_unfold(0, move |at| {
            let clip = clip.clone();
            let exports = exports.clone();
            let id = id.clone();
            async move {
                let size = clip.size();
                if at >= size {
                    return Ok(None);
                }
                let source: &dyn ObjectSource = &*exports.inner.parts.source;
                let bytes = clip.read(source, at, size).await.map_err(io::Error::other)?;
                if bytes.is_empty() {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                let next = at + bytes.len() as u64;
                exports.progressed(&id, next);
                Ok(Some((bytes, next)))
            }
        });
        Box::pin(stream)
    }
}

impl Exports {
    fn progressed(&self, id: &Id, bytes: u64) {
        self.inner.progress.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), bytes);
    }

    fn progress_is_over(&self, id: &Id) {
        self.inner.progress.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// Writes the `n`th file. Each object that is there already stays.
    pub(super) async fn write_file(&self, request: &Request, n: usize) -> Result<(), Failure> {
        let written = self.write_clip(request, &request.files[n]).await;
        self.progress_is_over(&request.id);
        let key = written_key(&request.id, n);
        let bytes = store::json_bytes(&key, &written?)?;
        Ok(self.inner.store.put_first(&store::document(key, "application/json", bytes)).await?)
    }

    async fn write_clip(&self, request: &Request, file: &PlannedFile) -> Result<Written, Failure> {
        let source = &*self.inner.parts.source;
        let clip = self.clip(request, file).await.map_err(Failure::of_footage)?;
        let (clip_entry, proof, times) = prove(source, &clip, file).await.map_err(Failure::of_footage)?;
        let proof_name = file.proof_name();
        let proof_bytes = Bytes::from(store::json_bytes(&proof_name, &proof)?);
        let proof_entry = Entry::of(&proof_name, &proof_bytes);
        let store = &self.inner.store;
        let object = NewObject {
            key: request.id.file_key(&file.name),
            content_type: "video/mp4".to_owned(),
            metadata: Metadata::new(),
            sha256: clip_entry.sha256,
            crc32c: None,
            content: Arc::new(ClipContent { clip, exports: self.clone(), id: request.id.clone() }),
        };
        store.put(&object).await?;
        store.put(&store::document(request.id.file_key(&proof_name), "application/json", proof_bytes)).await?;
        Ok(Written { clip: clip_entry, proof: proof_entry, times })
    }

    /// The clip as it was planned.
    async fn clip(&self, request: &Request, file: &PlannedFile) -> Result<Clip, Error> {
        let changed = || {
            Error::new(ErrorKind::Corrupt, "export", &file.name)
                .because("the footage changed since the export was requested")
        };
        let plan = self.plan_of(&file.range, request.gaps.into()).await?.ok_or_else(changed)?;
        let clip = Clip::open(&*self.inner.parts.source, plan, None).await?;
        if clip.size() == file.bytes { Ok(clip) } else { Err(changed()) }
    }
}

/// Reads all of a clip: what it is, what proves it, and when its times jump.
async fn prove(
    source: &dyn ObjectSource,
    clip: &Clip,
    file: &PlannedFile,
) -> Result<(Entry, Proof, Vec<(u64, Timestamp)>), Error> {
    let mut sha256 = Sha256Hasher::default();
    let mut crc32 = crc32fast::Hasher::new();
    let mut take = |bytes: &[u8]| {
        sha256.update(bytes);
        crc32.update(bytes);
    };
    take(clip.head());
    let head_bytes = clip.head().len() as u64;
    let mut at = head_bytes;
    let mut heads = BTreeMap::new();
    let mut chunks = Vec::with_capacity(clip.pieces());
    let mut times = Times::new(file.range.from);
    for n in 0..clip.pieces() {
        let piece = clip.piece(source, n, at).await?;
        take(&piece.media);
        times.take(piece.chunk.from, piece.chunk.to, piece.begins_at);
        let media_bytes = piece.media.len() as u64;
        chunks.push(chunk(piece, at, &mut heads));
        at += media_bytes;
    }
    let clip_entry = Entry { name: file.name.clone(), bytes: at, sha256: sha256.finish(), crc32: crc32.finalize() };
    let proof = Proof { format: PROOF_FORMAT.to_owned(), clip: file.name.clone(), head_bytes, heads, chunks };
    Ok((clip_entry, proof, times.found()))
}

fn chunk(piece: Piece, at: u64, heads: &mut BTreeMap<Sha256, Base64>) -> ChunkProof {
    let head = Sha256::of(&piece.head);
    heads.entry(head).or_insert_with(|| Base64(piece.head.to_vec()));
    let undo = piece.changes.into_iter().map(|change| Undo { at: change.at, was: Base64(change.was) });
    ChunkProof {
        key: piece.chunk.object.key,
        bytes: piece.chunk.size_bytes,
        sha256: piece.sha256,
        from: piece.chunk.from,
        to: piece.chunk.to,
        seconds: piece.seconds.to_string(),
        claim: claim(&piece.metadata),
        at,
        media_bytes: piece.media.len() as u64,
        head,
        tail: Base64(piece.tail.to_vec()),
        undo: undo.collect(),
    }
}

/// What an object's writer says of it; `None` for an object of another writer.
fn claim(metadata: &Metadata) -> Option<Claim> {
    let entries = metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let Attributes { sha256, from, to, previous, key_id, signature, .. } = Attributes::from_metadata(entries).ok()?;
    let signature = signature.map(|signature| Base64(signature.to_vec()));
    Some(Claim { sha256: sha256?, from: from?, to: to?, previous, key_id, signature })
}
