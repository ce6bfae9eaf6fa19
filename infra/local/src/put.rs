//! Writing an object. The crate's documentation describes the steps.

use crate::LocalBucket;
use crate::bucket::Inner;
use crate::disk::{self, Link};
use crate::note::{Note, new_id};
use async_trait::async_trait;
use framepost_events::{Sha256, Sha256Hasher};
use framepost_ports::{Error, ErrorKind, NewObject, ObjectSink, Put, Result, Seen, exact};
use futures::StreamExt as _;
use jiff::Timestamp;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt as _;

/// The files of a put that is not committed. Dropping this removes them.
struct Staged {
    bytes: PathBuf,
    note: PathBuf,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Recovery owns the files from now on.
    Committed,
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.state == State::Open {
            // If a file cannot be removed now, the next opening removes it.
            let _ = disk::remove(&self.note);
            let _ = disk::remove(&self.bytes);
        }
    }
}

#[async_trait]
impl ObjectSink for LocalBucket {
    async fn put(&self, object: &NewObject) -> Result<Put> {
        self.put_checked(object, Expect::Digest(object.sha256)).await
    }

    async fn look(&self, key: &str) -> Result<Seen> {
        let stat = self.stat(key).await?;
        Ok(Seen { bytes: Some(stat.head.size), sha256: stat.sha256, crc32c: None })
    }

    fn url(&self) -> String {
        self.inner.url()
    }
}

/// What the caller knows about the bytes.
#[derive(Debug, Clone, Copy)]
enum Expect {
    Digest(Sha256),
    Anything,
}

impl LocalBucket {
    /// Like [`ObjectSink::put`], for bytes whose digest the caller does not know. Ignores `object.sha256`.
    pub async fn put_undigested(&self, object: &NewObject) -> Result<Put> {
        self.put_checked(object, Expect::Anything).await
    }

    async fn put_checked(&self, object: &NewObject, expect: Expect) -> Result<Put> {
        let fail = |error| disk::error("put", &object.key, error);
        let path = self.inner.object("put", &object.key)?;
        if path.is_dir() {
            return Err(Error::new(ErrorKind::Invalid, "put", &object.key)
                .because("there are objects below this key, and a file cannot be a directory too"));
        }
        let id = new_id();
        let (bytes, note) = self.inner.staged(&id);
        let staged = Staged { bytes, note, state: State::Open };
        let (size, sha256) = self.stage_bytes(object, expect, &staged).await?;
        let note = Note {
            id,
            key: object.key.clone(),
            size,
            sha256,
            content_type: object.content_type.clone(),
            metadata: object.metadata.clone(),
            created: Timestamp::now(),
        };
        let inner = self.inner.clone();
        disk::blocking(move || commit(&inner, &note, staged)).await.map_err(fail)
    }

    async fn stage_bytes(&self, object: &NewObject, expect: Expect, staged: &Staged) -> Result<(u64, Sha256)> {
        if let (Expect::Digest(sha256), Some(crc32c)) = (expect, object.crc32c)
            && let Some(size) = link_content(object, crc32c, staged).await?
        {
            return Ok((size, sha256));
        }
        let fail = |error| disk::error("put", &object.key, error);
        let mut file = tokio::fs::File::create_new(&staged.bytes).await.map_err(fail)?;
        let mut content = exact(&*object.content);
        let mut check = Check::new(object, expect);
        let mut size = 0;
        while let Some(piece) = content.next().await {
            let piece = piece.map_err(|error| Error::new(ErrorKind::Io, "put", &object.key).because(error))?;
            check.update(&piece);
            size += piece.len() as u64;
            file.write_all(&piece).await.map_err(fail)?;
        }
        file.flush().await.map_err(fail)?;
        let digest = check.finish(object)?;
        file.sync_data().await.map_err(fail)?;
        Ok((size, digest))
    }
}

/// How the bytes are checked while they are written. If the caller knows both their digest and their CRC-32C,
/// checking the CRC is sufficient to recognise the same bytes, at a twentieth of the cost.
enum Check {
    Crc32c { found: u32, expected: u32, digest: Sha256 },
    Sha256 { found: Box<Sha256Hasher>, expected: Expect },
}

impl Check {
    fn new(object: &NewObject, expect: Expect) -> Self {
        match (expect, object.crc32c) {
            (Expect::Digest(digest), Some(expected)) => Self::Crc32c { found: 0, expected, digest },
            _ => Self::Sha256 { found: Box::default(), expected: expect },
        }
    }

    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::Crc32c { found, .. } => *found = crc32c::crc32c_append(*found, piece),
            Self::Sha256 { found, .. } => found.update(piece),
        }
    }

    /// Returns the digest of the bytes, or an error if they are not the expected ones.
    fn finish(self, object: &NewObject) -> Result<Sha256> {
        match self {
            Self::Crc32c { found, expected, digest } if found == expected => Ok(digest),
            Self::Crc32c { found, expected, .. } => Err(corrupt(object, found, expected)),
            Self::Sha256 { found, expected } => match (found.finish(), expected) {
                (digest, Expect::Digest(expected)) if digest != expected => {
                    let because = format!("the bytes have the digest {digest}, not {expected}");
                    Err(Error::new(ErrorKind::Corrupt, "put", &object.key).because(because))
                }
                (digest, _) => Ok(digest),
            },
        }
    }
}

fn corrupt(object: &NewObject, found: u32, expected: u32) -> Error {
    let because = format!("the bytes have the CRC-32C {found:08x}, not {expected:08x}");
    Error::new(ErrorKind::Corrupt, "put", &object.key).because(because)
}

/// Links the file that the content consists of, if it is on the same file system, and returns its
/// size. Reads the bytes once to check their CRC-32C. Returns `None` if linking is not possible and
/// the bytes have to be copied.
async fn link_content(object: &NewObject, expected: u32, staged: &Staged) -> Result<Option<u64>> {
    let Some(file) = object.content.file() else { return Ok(None) };
    let to = staged.bytes.clone();
    let Ok((size, found)) = disk::blocking(move || link_file(&file, &to)).await else { return Ok(None) };
    let wanted = object.content.len_bytes();
    if size != wanted {
        let because = format!("the content has {size} bytes, not {wanted}");
        return Err(Error::new(ErrorKind::Io, "put", &object.key).because(because));
    }
    if found != expected {
        return Err(corrupt(object, found, expected));
    }
    Ok(Some(size))
}

/// Links `from` as `to` and returns its size and CRC-32C. The bytes are durable, the new name is not.
fn link_file(from: &Path, to: &Path) -> io::Result<(u64, u32)> {
    const PIECE_BYTES: usize = 128 * 1024;
    fs::hard_link(from, to)?;
    let checked = (|| {
        // A hard link to a symbolic link points to a file elsewhere.
        if !fs::symlink_metadata(to)?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut file = File::open(to)?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut size = 0;
        let mut crc32c = 0;
        loop {
            match file.read(&mut piece)? {
                0 => break,
                count => {
                    size += count as u64;
                    crc32c = crc32c::crc32c_append(crc32c, &piece[..count]);
                }
            }
        }
        file.sync_data()?;
        Ok((size, crc32c))
    })();
    if checked.is_err() {
        disk::remove(to)?;
    }
    checked
}

fn commit(inner: &Inner, note: &Note, mut staged: Staged) -> io::Result<Put> {
    let mut file = File::create_new(&staged.note)?;
    file.write_all(&serde_json::to_vec(note)?)?;
    file.sync_data()?;
    // A linked file still has the permissions of its original place.
    let permissions = file.metadata()?.permissions();
    if fs::metadata(&staged.bytes)?.permissions() != permissions {
        fs::set_permissions(&staged.bytes, permissions)?;
    }
    // Create the directories now, so that errors caused by the key occur before the commit.
    let object = inner.root.join(&note.key);
    if let Some(above) = object.parent() {
        disk::make_dirs(above)?;
    }
    let place = inner.note(&note.key);
    if let Some(above) = place.parent() {
        disk::make_dirs(above)?;
    }
    loop {
        match disk::link(&staged.note, &place)? {
            Link::Made => {
                staged.state = State::Committed;
                inner.finish(note)?;
                return Ok(Put::Created);
            }
            Link::Gone => return Err(io::Error::new(io::ErrorKind::NotFound, "the staged note has gone")),
            Link::Taken => {}
        }
        let winner = match Note::read(&place) {
            Ok(winner) => winner,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if inner.root.join(&winner.key).is_file() {
            match object.parent().map_or(Ok(()), disk::sync_dir) {
                Ok(()) => return Ok(Put::AlreadyExists),
                // It was removed just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
        }
        if inner.staged(&winner.id).0.is_file() {
            inner.finish(&winner)?;
        }
        if object.is_file() {
            return Ok(Put::AlreadyExists);
        }
        // The file was removed by hand, or a removal has not come to the note yet. One writer removes the note; the
        // loop then decides which put wins.
        let _lock = inner.lock_notes()?;
        if Note::read(&place).is_ok_and(|there| there.id == winner.id) && !object.is_file() {
            tracing::warn!(key = note.key, "an object's file is missing, its key is free again");
            fs::remove_file(&place)?;
        }
    }
}
