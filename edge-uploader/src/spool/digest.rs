//! What a file's bytes come to. All footage is hashed once, here.

use super::fs::SpoolFile;
use super::sidecar::Meta;
use framepost_events::{Sha256, Sha256Hasher, Sha256Lane};
use std::collections::VecDeque;
use std::io::{self, SeekFrom};

/// What is read or hashed at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// From how many files on it is faster to hash them at once, on a processor where [`Sha256Lane::pays_off`].
const TOGETHER_MIN: usize = 4;

/// What a closed file is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digest {
    pub(super) bytes: u64,
    pub(super) sha256: Sha256,
    pub(super) crc32c: u32,
}

impl Digest {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: Sha256::of(bytes), crc32c: crc32c::crc32c(bytes) }
    }
}

/// The one time that a chunk's bytes are hashed. They are read again for it, from the memory that the operating system keeps
/// what was just written in: its `mehd`, in the first bytes, is only known now.
pub(super) fn digest_file(file: &mut dyn SpoolFile) -> io::Result<Digest> {
    let mut hasher = Sha256Hasher::new();
    let mut bytes = 0;
    let mut crc32c = 0;
    each_piece(file, |piece| {
        bytes += piece.len() as u64;
        hasher.update(piece);
        crc32c = crc32c::crc32c_append(crc32c, piece);
    })?;
    Ok(Digest { bytes, sha256: hasher.finish(), crc32c })
}

/// Whether a file still has the bytes that it was closed with. Its CRC-32C says so, except where the sidecar is from before that
/// was kept.
pub(super) fn is_as_closed(file: &mut dyn SpoolFile, meta: &Meta) -> io::Result<bool> {
    let Some(expected) = meta.crc32c else {
        let found = digest_file(file)?;
        return Ok((found.bytes, Some(found.sha256)) == (meta.bytes, meta.sha256()));
    };
    let mut bytes = 0;
    let mut crc32c = 0;
    each_piece(file, |piece| {
        bytes += piece.len() as u64;
        crc32c = crc32c::crc32c_append(crc32c, piece);
    })?;
    Ok((bytes, crc32c) == (meta.bytes, expected))
}

/// All of a file, from its start.
fn each_piece(file: &mut dyn SpoolFile, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            count => take(&piece[..count]),
        }
    }
}

/// Files that are hashed together, several at once where that is faster, and come out in the order in which they were added.
pub(super) struct Hashing<T> {
    messages: VecDeque<Message<T>>,
    way: Way,
}

/// How files are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Together,
    OneByOne,
}

/// One of the files.
struct Message<T> {
    subject: T,
    file: Box<dyn SpoolFile>,
    lane: Sha256Lane,
    /// What was read last, and how much of it is hashed.
    piece: Vec<u8>,
    hashed: usize,
    /// How much was read, and its CRC-32C.
    bytes: u64,
    crc32c: u32,
    digest: Option<Digest>,
}

impl<T> Default for Hashing<T> {
    fn default() -> Self {
        Self::new(if Sha256Lane::pays_off() { Way::Together } else { Way::OneByOne })
    }
}

impl<T> Hashing<T> {
    pub(super) fn new(way: Way) -> Self {
        Self { messages: VecDeque::new(), way }
    }

    /// How many files did not come out yet.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Takes a file that is written whole.
    pub(super) fn add(&mut self, subject: T, mut file: Box<dyn SpoolFile>) -> io::Result<()> {
        file.seek(SeekFrom::Start(0))?;
        let lane = Sha256Lane::default();
        let piece = Vec::new();
        self.messages.push_back(Message { subject, file, lane, piece, hashed: 0, bytes: 0, crc32c: 0, digest: None });
        Ok(())
    }

    /// Hashes for as long as enough files are there to be hashed at once.
    pub(super) fn advance(&mut self) -> io::Result<()> {
        if self.way == Way::OneByOne {
            return self.one_by_one();
        }
        loop {
            let mut unfinished = self.unfinished();
            if unfinished.len() < Sha256Lane::COUNT {
                return Ok(());
            }
            step(&mut unfinished)?;
        }
    }

    /// Hashes to the end.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let unfinished = self.unfinished();
        if unfinished.len() < TOGETHER_MIN && unfinished.iter().all(|message| message.bytes == 0) {
            return self.one_by_one();
        }
        loop {
            let mut unfinished = self.unfinished();
            if unfinished.is_empty() {
                return Ok(());
            }
            step(&mut unfinished)?;
        }
    }

    /// The first file that was added, once its digest is known.
    pub(super) fn next(&mut self) -> Option<(T, Digest)> {
        let digest = self.messages.front()?.digest.clone()?;
        self.messages.pop_front().map(|message| (message.subject, digest))
    }

    /// What was added and did not come out.
    pub(super) fn into_subjects(self) -> impl Iterator<Item = T> {
        self.messages.into_iter().map(|message| message.subject)
    }

    fn one_by_one(&mut self) -> io::Result<()> {
        for message in self.unfinished() {
            message.digest = Some(digest_file(&mut *message.file)?);
        }
        Ok(())
    }

    /// The first of those that are not hashed, as many as are hashed at once.
    fn unfinished(&mut self) -> Vec<&mut Message<T>> {
        let unfinished = self.messages.iter_mut().filter(|message| message.digest.is_none());
        unfinished.take(Sha256Lane::COUNT).collect()
    }
}

/// Hashes what is read of up to [`Sha256Lane::COUNT`] files, as far as all of them have it.
fn step<T>(messages: &mut [&mut Message<T>]) -> io::Result<()> {
    for message in messages.iter_mut() {
        if message.read_on()? == Read::All {
            let rest = &message.piece[message.hashed..];
            let sha256 = std::mem::take(&mut message.lane).finish(rest);
            message.digest = Some(Digest { bytes: message.bytes, sha256, crc32c: message.crc32c });
            message.piece = Vec::new();
            return Ok(());
        }
    }
    let mut idle: [Sha256Lane; Sha256Lane::COUNT] = std::array::from_fn(|_| Sha256Lane::default());
    let mut lanes = idle.each_mut();
    // An idle lane hashes what another one does.
    let mut pieces: [&[u8]; Sha256Lane::COUNT] = [&[]; Sha256Lane::COUNT];
    for (number, message) in messages.iter_mut().enumerate() {
        let Message { lane, piece, hashed, .. } = &mut **message;
        lanes[number] = lane;
        pieces[number..].fill(&piece[*hashed..]);
    }
    let taken = Sha256Lane::update(lanes, pieces);
    for message in messages.iter_mut() {
        message.hashed += taken;
    }
    Ok(())
}

/// Whether there is more of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    Some,
    All,
}

impl<T> Message<T> {
    /// Sees to it that at least a block can be hashed, where there is one.
    fn read_on(&mut self) -> io::Result<Read> {
        let left = self.piece.len() - self.hashed;
        if left >= Sha256Lane::BLOCK_BYTES {
            return Ok(Read::Some);
        }
        self.piece.copy_within(self.hashed.., 0);
        self.piece.resize(PIECE_BYTES, 0);
        self.hashed = 0;
        let mut filled = left;
        while filled < PIECE_BYTES {
            match self.file.read(&mut self.piece[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        let new = &self.piece[left..filled];
        self.bytes += new.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, new);
        self.piece.truncate(filled);
        Ok(if filled < Sha256Lane::BLOCK_BYTES { Read::All } else { Read::Some })
    }
}
