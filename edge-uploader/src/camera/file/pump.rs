//! The thread that reads a file ahead of its session, repeatedly if wanted.
//!
//! It ends with the file, when the session is dropped (the channel closes), or at the first error. A parser
//! that panics on a hostile file causes such an error, and the panic stays on this thread.

use super::Repeat;
use super::demux::{Demux, Fault, Item, duration_of, rescaled};
use super::ending::{Ends, Judge, Seen};
use crate::media::{Frame, StreamParameters, TrackKind};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// What is handed over at a time: each costs both sides a waking up.
const BATCH_BYTES: usize = 512 << 10;
const BATCH_ITEMS: usize = 128;
/// How many of these are read ahead.
const AHEAD: usize = 2;

/// Items in the order of the file; after a fault nothing more comes.
pub(super) type Batches = mpsc::Receiver<Result<Vec<Item>, Fault>>;

/// The reading thread's end of the channel, with the batch that is being filled.
struct Sender {
    batches: mpsc::Sender<Result<Vec<Item>, Fault>>,
    held: Vec<Item>,
    held_bytes: usize,
}

/// The session is gone: nobody takes items any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SessionGone;

impl Sender {
    fn send(&mut self, item: Item) -> Result<(), SessionGone> {
        self.held_bytes += if let Item::Frame { frame, .. } = &item { frame.data.len() } else { 0 };
        self.held.push(item);
        if self.held.len() < BATCH_ITEMS && self.held_bytes < BATCH_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), SessionGone> {
        self.held_bytes = 0;
        match std::mem::take(&mut self.held) {
            held if held.is_empty() => Ok(()),
            held => self.batches.blocking_send(Ok(held)).map_err(|_| SessionGone),
        }
    }

    fn is_closed(&self) -> bool {
        self.batches.is_closed()
    }
}

/// Reads the file in a thread of its own, and returns what it finds. Fails only if there is no thread.
pub(super) fn start(
    path: PathBuf,
    file: Box<dyn Demux>,
    repeat: Repeat,
    (ends, opened): (Ends, Option<Seen>),
) -> Result<Batches, Fault> {
    let (batches, receiver) = mpsc::channel(AHEAD);
    let mut sender = Sender { batches, held: Vec::new(), held_bytes: 0 };
    let run = move || {
        let read = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let judge = Judge { path: &path, ends, opened };
            pump(&path, file, repeat, &judge, &mut sender)
        }));
        // Ignore the error if the session was dropped.
        let _ = sender.flush();
        let fault = match read {
            Ok(Ok(())) => return,
            Ok(Err(fault)) => fault,
            Err(_) => Fault::new("the reader failed unexpectedly; the file is probably damaged"),
        };
        let _ = sender.batches.blocking_send(Err(fault));
    };
    std::thread::Builder::new()
        .name("file-camera".to_owned())
        .spawn(run)
        .map_err(|error| Fault::because("cannot start a thread to read it", error))?;
    Ok(receiver)
}

fn pump(
    path: &Path,
    file: Box<dyn Demux>,
    repeat: Repeat,
    judge: &Judge<'_>,
    sender: &mut Sender,
) -> Result<(), Fault> {
    let mut file = file;
    let mut round = Round::default();
    loop {
        let read = loop {
            match file.next() {
                Ok(Some(item)) => {
                    let Some(item) = round.place(item) else { continue };
                    if sender.send(item).is_err() {
                        return Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(fault) => break Err(fault),
            }
        };
        if repeat == Repeat::Once {
            // Judging may take its time.
            let _ = sender.flush();
            let judged = judge.judge(read, || !sender.is_closed());
            if let Some(lost) = judged.as_ref().err().and_then(Fault::lost_end) {
                // If the session was dropped, nobody waits for it.
                let _ = sender.send(Item::Fault(lost));
            }
            return judged;
        }
        read?;
        round.again()?;
        file = super::open(path)?;
    }
}

/// The position of the current round through the file on the continuing time line.
#[derive(Default)]
struct Round {
    /// The parameters that were reported last. They are not reported again if the next round has the same.
    parameters: Option<StreamParameters>,
    /// Start of this round in units of the video.
    begin: i64,
    video: Extremes,
    audio: Extremes,
}

/// The first and the last presentation time in the file, and the duration of the last frame.
#[derive(Default, Clone, Copy)]
struct Extremes(Option<(i64, i64, i64)>);

impl Extremes {
    fn see(&mut self, frame: &Frame, timescale: u32) {
        // Without a duration for the last frame, assume a plausible one.
        let duration = frame.duration.unwrap_or(timescale / 25).max(1);
        let pts = frame.pts;
        let shown = i64::from(duration);
        let (first, last, last_shown) = self.0.unwrap_or((pts, pts, shown));
        let (last, last_shown) = if pts >= last { (pts, shown) } else { (last, last_shown) };
        self.0 = Some((first.min(pts), last, last_shown));
    }

    fn length(self) -> i64 {
        self.0.map_or(0, |(first, last, shown)| last.saturating_add(shown).saturating_sub(first))
    }
}

impl Round {
    /// Shifts an item to this round's position.
    fn place(&mut self, item: Item) -> Option<Item> {
        match item {
            Item::Parameters(parameters) => {
                if self.parameters.as_ref() == Some(&parameters) {
                    return None;
                }
                self.parameters = Some(parameters.clone());
                Some(Item::Parameters(parameters))
            }
            Item::Fault(fault) => Some(Item::Fault(fault)),
            Item::Frame { mut frame, at } => {
                let (video_scale, audio_scale) = self.timescales();
                let shift = match frame.track {
                    TrackKind::Video => {
                        self.video.see(&frame, video_scale);
                        self.begin
                    }
                    TrackKind::Audio => {
                        self.audio.see(&frame, audio_scale);
                        rescaled(self.begin, video_scale, audio_scale)
                    }
                };
                frame.pts = frame.pts.saturating_add(shift);
                Some(Item::Frame { frame, at: at + duration_of(self.begin, video_scale) })
            }
        }
    }

    /// Starts the next round after the end of both tracks.
    fn again(&mut self) -> Result<(), Fault> {
        let (video_scale, audio_scale) = self.timescales();
        let audio = rescaled(self.audio.length(), audio_scale, video_scale).saturating_add(1);
        let length = self.video.length().max(if self.audio.0.is_some() { audio } else { 0 });
        if length == 0 {
            return Err(Fault::new("there are no frames to repeat"));
        }
        self.begin = self.begin.saturating_add(length);
        (self.video, self.audio) = (Extremes::default(), Extremes::default());
        Ok(())
    }

    fn timescales(&self) -> (u32, u32) {
        let video = self.parameters.as_ref().map_or(1, |p| p.video.timescale);
        let audio = self.parameters.as_ref().and_then(|p| p.audio.as_ref()).map_or(1, |a| a.timescale);
        (video, audio)
    }
}
