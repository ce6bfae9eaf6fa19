//! The bytes of an object during upload: read in pieces, limited in bandwidth, counted.

use super::bandwidth::Bandwidth;
use super::stats::StatsCell;
use crate::spool::{self, ClaimReader};
use bytes::Bytes;
use framepost_ports::{Content, ContentStream};
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes read from the file at a time, on a thread for disk work.
const PIECE_BYTES: usize = 256 * 1024;
/// Bytes passed to the sink at a time. On a slow line, these are the steps by which a put shows that it moves.
const STEP_BYTES: usize = 16 * 1024;

/// The progress of a put.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Number of steps so far.
    ticks: AtomicU64,
    /// Number of bytes so far.
    moved_bytes: AtomicU64,
    /// Number of puts that wait for the bandwidth limit, which is not a stall.
    held_back: AtomicU64,
    /// Why the file could not be read.
    fault: Mutex<Option<io::Error>>,
}

impl Progress {
    pub(super) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    pub(super) fn is_held_back(&self) -> bool {
        self.held_back.load(Ordering::Relaxed) > 0
    }

    pub(super) fn take_fault(&self) -> Option<io::Error> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns the number of bytes that the sink has requested, including those of repeated attempts.
    pub(super) fn moved_bytes(&self) -> u64 {
        self.moved_bytes.load(Ordering::Relaxed)
    }

    fn moved(&self, bytes: usize) {
        self.ticks.fetch_add(1, Ordering::Relaxed);
        self.moved_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn failed(&self, error: &io::Error) -> io::Error {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(copy_of(error));
        copy_of(error)
    }
}

/// Copies an error, with its OS error code if it has one.
pub(super) fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

/// The content of a file in the spool. An empty file is marked as tried when it is opened, any other file
/// before its last piece is sent. A put that does not connect or fails earlier leaves no mark.
pub(super) struct FileContent {
    pub(super) reader: Arc<ClaimReader>,
    pub(super) bytes: u64,
    pub(super) bandwidth: Arc<Bandwidth>,
    pub(super) progress: Arc<Progress>,
    pub(super) stats: Arc<StatsCell>,
}

/// State of a stream between two pieces.
struct Reading {
    file: Option<Box<dyn Read + Send>>,
    left_bytes: u64,
    /// Bytes that were read and not yet passed on.
    piece: Bytes,
    reader: Arc<ClaimReader>,
    bandwidth: Arc<Bandwidth>,
    progress: Arc<Progress>,
    stats: Arc<StatsCell>,
}

impl Content for FileContent {
    fn len_bytes(&self) -> u64 {
        self.bytes
    }

    fn file(&self) -> Option<std::path::PathBuf> {
        self.reader.path()
    }

    fn open(&self) -> ContentStream {
        if self.bytes == 0 {
            let _ = self.reader.mark_tried();
        }
        let reading = Reading {
            file: None,
            left_bytes: self.bytes,
            piece: Bytes::new(),
            reader: self.reader.clone(),
            bandwidth: self.bandwidth.clone(),
            progress: self.progress.clone(),
            stats: self.stats.clone(),
        };
        Box::pin(futures::stream::try_unfold(reading, |mut reading| async move {
            if reading.left_bytes == 0 {
                return Ok(None);
            }
            if reading.piece.is_empty() {
                reading.piece = reading.next_piece().await.map_err(|error| reading.progress.failed(&error))?;
            }
            let step = reading.piece.split_to(reading.piece.len().min(STEP_BYTES));
            reading.left_bytes -= step.len() as u64;
            {
                let _held = HeldBack::new(&reading.progress);
                reading.bandwidth.take(step.len() as u64).await;
            }
            if reading.left_bytes == 0 {
                mark_tried(reading.reader.clone()).await?;
            }
            reading.progress.moved(step.len());
            reading.stats.sent(step.len() as u64);
            Ok(Some((step, reading)))
        }))
    }
}

impl Reading {
    async fn next_piece(&mut self) -> io::Result<Bytes> {
        let file = self.file.take();
        let reader = self.reader.clone();
        let wanted = usize::try_from(self.left_bytes).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
        let read = tokio::task::spawn_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => reader.open()?,
            };
            let mut piece = vec![0; wanted];
            file.read_exact(&mut piece)?;
            io::Result::Ok((file, Bytes::from(piece)))
        });
        let (file, piece) = read.await.map_err(io::Error::other)??;
        self.file = Some(file);
        Ok(piece)
    }
}

/// Marks the object as tried. If the disk refuses the mark, the spool keeps it in memory and logs that. Fails
/// if the put has ended.
async fn mark_tried(reader: Arc<ClaimReader>) -> io::Result<()> {
    match tokio::task::spawn_blocking(move || reader.mark_tried()).await {
        Ok(Err(error @ spool::Error::TurnOver { .. })) => Err(io::Error::other(error)),
        Ok(_) => Ok(()),
        Err(error) => Err(io::Error::other(error)),
    }
}

struct HeldBack<'a>(&'a Progress);

impl<'a> HeldBack<'a> {
    fn new(progress: &'a Progress) -> Self {
        progress.held_back.fetch_add(1, Ordering::Relaxed);
        Self(progress)
    }
}

impl Drop for HeldBack<'_> {
    fn drop(&mut self) {
        self.0.held_back.fetch_sub(1, Ordering::Relaxed);
    }
}
