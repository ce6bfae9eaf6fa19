//! The bounded queue between a camera's receiver and its recorder.
//!
//! The receiver of a live camera never waits. If the recorder (the disk) falls behind by more than the limit,
//! frames are dropped, by whole groups of pictures, and counted. If the camera sends no random access frame for
//! ten seconds, recording resumes with any frame. The reader of a file waits instead, because it loses nothing
//! by that. Items other than frames are never dropped.

use crate::camera::CameraEvent;
use crate::media::{Frame, Timing, TrackKind};
use framepost_events::gap::GapCause;
use std::mem;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};

/// Most bytes of frames that may wait for one camera's recorder: eight seconds at 4 Mb/s.
const LIMIT_BYTES: usize = 4 << 20;

/// A source that can wait hands over so much at a time: it may never let its receiver wait.
const BATCH_BYTES: usize = 512 << 10;

/// Frames of a live camera that only continue a fragment are handed over when so many bytes of them are held. Holding a whole
/// second of each of 140 cameras of 4 Mb/s took half as much memory again as handing each frame over.
const HELD_BYTES: usize = 64 << 10;

/// How much room such a source waits for after the queue was full, so that it and the recorder do not wake each other for each
/// frame.
const REFILL_BYTES: u32 = 2 << 20;

/// How long after a random access frame its fragment surely goes on. The longest fragment lasts a second, by a media clock that
/// may be fast.
const CONTINUES: Duration = Duration::from_millis(800);

/// How long to wait for the next random access frame after frames were dropped.
const RESUME_WITHIN: Duration = Duration::from_secs(10);

/// Messages from the receiver to the recorder.
#[derive(Debug)]
pub(super) enum Item {
    /// A session began; the events that follow are its own.
    Connected { timing: Timing },
    /// An event of the session. It occupies its place in the queue until it is dropped.
    #[expect(dead_code, reason = "the place is only there to be dropped")]
    Event(CameraEvent, Place),
    /// Frames are dropped from here on, because the recorder is behind.
    Overrun,
    /// Frames are queued again after this many were dropped.
    Resumed { frames: u64 },
    /// A finite source has delivered everything.
    End,
    /// The session has ended, and there will be another one.
    Lost { cause: GapCause, detail: String },
}

/// A frame's place in the queue, which is freed when this is dropped. Other items need no place.
#[derive(Debug, Default)]
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

/// The receiver's end of the queue.
pub(super) struct QueueSender {
    batches: mpsc::UnboundedSender<Vec<Item>>,
    room: Arc<Semaphore>,
    /// Frames that are not sent yet. Sending each one would wake the recorder, which has nothing to write
    /// before it has a second of them.
    held: Vec<Item>,
    held_bytes: usize,
    due: Due,
    /// Arrival of the last random access frame.
    begun: Option<Duration>,
    /// The frames dropped since the recorder fell behind; `None` while it keeps up.
    dropping: Option<Dropping>,
}

/// Whether the recorder can do something with what is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Now,
    /// It continues a fragment, and completes none.
    Later,
}

/// A run of dropped frames.
#[derive(Debug, Clone, Copy)]
struct Dropping {
    frames: u64,
    /// Arrival of the first dropped frame.
    since: Duration,
}

/// The recorder's end of the queue. It blocks, so it is for a thread of its own.
pub(super) struct QueueReceiver {
    batches: mpsc::UnboundedReceiver<Vec<Item>>,
    batch: std::vec::IntoIter<Item>,
}

impl QueueReceiver {
    /// Waits for the next item. Returns `None` after the last item of a sender that was dropped.
    pub(super) fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.batch.next() {
                return Some(item);
            }
            self.batch = self.batches.blocking_recv()?.into_iter();
        }
    }
}

/// Creates a queue for one camera.
pub(super) fn queue() -> (QueueSender, QueueReceiver) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(LIMIT_BYTES));
    let sender = QueueSender {
        batches: sender,
        room,
        held: Vec::new(),
        held_bytes: 0,
        due: Due::Later,
        begun: None,
        dropping: None,
    };
    (sender, QueueReceiver { batches: receiver, batch: Vec::new().into_iter() })
}

/// The recorder's thread has ended, because the spool cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecorderGone;

impl QueueSender {
    /// Sends an item other than a frame.
    pub(super) fn tell(&mut self, item: Item) -> Result<(), RecorderGone> {
        self.held.push(item);
        self.flush()
    }

    /// Sends what is held, unless it only continues a fragment: each wake-up of the recorder costs more than adding its frames to
    /// the fragment. Call it before the receiver waits.
    ///
    /// A fragment is complete with the random access frame that begins the next one, or after a second. Frames of the first
    /// [`CONTINUES`] after a random access frame therefore complete none. They wait here, up to [`HELD_BYTES`] of them, or in the
    /// recorder's open fragment; both are in memory.
    pub(super) fn flush_due(&mut self) -> Result<(), RecorderGone> {
        match self.due {
            Due::Now => self.flush(),
            Due::Later => Ok(()),
        }
    }

    /// Sends everything that is held.
    pub(super) fn flush(&mut self) -> Result<(), RecorderGone> {
        if self.held.is_empty() {
            return Ok(());
        }
        self.held_bytes = 0;
        self.due = Due::Later;
        self.batches.send(mem::take(&mut self.held)).map_err(|_| RecorderGone)
    }

    /// A frame of a source that can wait; sent by the next [`flush`](Self::flush) at the latest.
    pub(super) async fn send(&mut self, frame: Frame) -> Result<(), RecorderGone> {
        let cost = cost(&frame);
        let permit = match Arc::clone(&self.room).try_acquire_many_owned(cost) {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits) => {
                // What is held here has places too.
                self.flush()?;
                let refill = Arc::clone(&self.room).acquire_many_owned(cost.max(REFILL_BYTES)).await;
                let mut refill = refill.map_err(|_| RecorderGone)?;
                // The rest is free for the frames that follow.
                refill.split(cost as usize).ok_or(RecorderGone)?
            }
            Err(TryAcquireError::Closed) => return Err(RecorderGone),
        };
        self.hold(frame, permit);
        if self.held_bytes < BATCH_BYTES { Ok(()) } else { self.flush() }
    }

    fn hold(&mut self, frame: Frame, permit: OwnedSemaphorePermit) {
        let begins = frame.track == TrackKind::Video && frame.reference.is_random_access();
        if begins {
            self.begun = Some(frame.arrival);
        }
        let continues = !begins && self.begun.is_some_and(|begun| frame.arrival.saturating_sub(begun) < CONTINUES);
        self.held_bytes += frame.data.len();
        if !continues || self.held_bytes >= HELD_BYTES {
            self.due = Due::Now;
        }
        self.held.push(Item::Event(CameraEvent::Frame(frame), Place { _permit: Some(permit) }));
    }

    /// Queues a frame of a source that cannot wait, to be sent by [`flush_due`](Self::flush_due). Returns the
    /// number of frames dropped by this call: 0 or 1.
    pub(super) fn offer(&mut self, frame: Frame) -> Result<u64, RecorderGone> {
        let waited = |since: Duration| frame.arrival.saturating_sub(since) >= RESUME_WITHIN;
        let may_resume = self.dropping.is_none_or(|Dropping { since, .. }| {
            frame.track == TrackKind::Video && (frame.reference.is_random_access() || waited(since))
        });
        if may_resume {
            // Resume only when half of the room is free, so that drops form few and long runs.
            let has_room = self.dropping.is_none() || self.room.available_permits() > LIMIT_BYTES / 2;
            if has_room && let Ok(permit) = Arc::clone(&self.room).try_acquire_many_owned(cost(&frame)) {
                if let Some(Dropping { frames, .. }) = self.dropping.take() {
                    self.tell(Item::Resumed { frames })?;
                }
                self.hold(frame, permit);
                return Ok(0);
            }
        }
        // Send this immediately, because the session may end or its parameters may change
        // before frames are queued again.
        if self.dropping.is_none() {
            self.tell(Item::Overrun)?;
        }
        self.dropping.get_or_insert(Dropping { frames: 0, since: frame.arrival }).frames += 1;
        Ok(1)
    }
}

/// Received frames are recorded, whatever ended the receiver.
impl Drop for QueueSender {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

fn cost(frame: &Frame) -> u32 {
    u32::try_from(frame.data.len().clamp(1, LIMIT_BYTES)).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Reference;
    use bytes::Bytes;
    use futures::FutureExt as _;

    fn frame(pts: i64, reference: Reference) -> Frame {
        Frame {
            track: TrackKind::Video,
            pts,
            duration: None,
            reference,
            arrival: Duration::from_secs(pts.unsigned_abs()),
            data: Bytes::from(vec![0; LIMIT_BYTES / 8]),
        }
    }

    #[test]
    fn a_slow_recorder_costs_whole_groups_of_pictures() {
        let (mut sender, mut receiver) = queue();
        let mut dropped = 0;
        // Groups of 4 frames: the 9th frame finds no room. The recorder then takes everything,
        // but the group is lost.
        for n in 0..10 {
            let reference = if n % 4 == 0 { Reference::RandomAccess } else { Reference::Needed };
            dropped += sender.offer(frame(n, reference)).unwrap();
        }
        sender.flush().unwrap();
        assert_eq!(dropped, 2);
        let mut taken: Vec<Item> = (0..9).filter_map(|_| receiver.next()).collect();
        assert!(matches!(taken.pop(), Some(Item::Overrun)));
        assert_eq!(taken.len(), 8);
        drop(taken);
        assert_eq!(sender.offer(frame(10, Reference::Needed)), Ok(1));
        assert_eq!(sender.offer(frame(12, Reference::RandomAccess)), Ok(0));
        sender.flush().unwrap();
        assert!(matches!(receiver.next(), Some(Item::Resumed { frames: 3 })));
        let Some(Item::Event(CameraEvent::Frame(frame), _)) = receiver.next() else { panic!("expected a frame") };
        assert_eq!(frame.pts, 12);
    }

    #[test]
    fn only_what_may_complete_a_fragment_wakes_the_recorder() {
        let (mut sender, mut receiver) = queue();
        let mut offer = |ms: u64, track, reference, bytes: usize| {
            let arrival = Duration::from_millis(ms);
            let data = Bytes::from(vec![0; bytes]);
            sender.offer(Frame { track, arrival, data, ..frame(0, reference) }).unwrap();
            sender.flush_due().unwrap();
            receiver.batches.try_recv().map_or(0, |batch| batch.len())
        };
        let sound = (TrackKind::Audio, Reference::RandomAccess);
        let random_access = (TrackKind::Video, Reference::RandomAccess);
        let needed = (TrackKind::Video, Reference::Needed);
        // Before the first random access frame nothing says where a fragment ends.
        let arrivals = [
            (0, sound, 1, 1),
            (10, needed, 1, 1),
            (20, random_access, 1, 1),
            (60, sound, 1, 0),
            (800, needed, 1, 0),
            // Whatever follows it, it begins a fragment.
            (810, random_access, 1, 3),
            (1600, needed, 1, 0),
            // The second of the longest fragment is nearly over.
            (1620, needed, 1, 2),
            (1630, sound, 1, 1),
            (1640, random_access, 1, 1),
            // As much as is held at most.
            (1650, needed, HELD_BYTES - 1, 0),
            (1660, sound, 1, 2),
            (1670, sound, 1, 0),
        ];
        for (ms, (track, reference), bytes, sent) in arrivals {
            assert_eq!(offer(ms, track, reference, bytes), sent, "{ms} ms");
        }
        // The end of the session sends the rest.
        drop(sender);
        assert!(receiver.next().is_some());
        assert!(receiver.next().is_none());
    }

    #[test]
    fn without_random_access_frames_it_goes_on_after_ten_seconds() {
        let (mut sender, mut receiver) = queue();
        // One frame per second: the 9th finds no room.
        let dropped: u64 = (0..9).map(|n| sender.offer(frame(n, Reference::Needed)).unwrap()).sum();
        assert_eq!(dropped, 1);
        sender.flush().unwrap();
        let taken: Vec<Item> = (0..9).filter_map(|_| receiver.next()).collect();
        drop(taken);
        let offered: Vec<u64> = (9..20).map(|n| sender.offer(frame(n, Reference::Needed)).unwrap()).collect();
        assert_eq!(offered, [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    }

    #[tokio::test]
    async fn a_file_waits_for_the_recorder() {
        let (mut sender, mut receiver) = queue();
        for n in 0..8 {
            sender.send(frame(n, Reference::Needed)).await.unwrap();
        }
        let mut ninth = Box::pin(sender.send(frame(8, Reference::Needed)));
        assert!(futures::poll!(&mut ninth).is_pending());
        let waiting: Vec<Item> = std::iter::from_fn(|| receiver.batches.try_recv().ok()).flatten().collect();
        let mut waiting = waiting.into_iter();
        // Half of the queue's eight frames must be recorded first.
        for _ in 0..3 {
            drop(waiting.next());
            assert!(futures::poll!(&mut ninth).is_pending());
        }
        drop(waiting.next());
        ninth.await.unwrap();
        drop(waiting);
        // The room that it waited for is there for others.
        for n in 9..12 {
            let next = sender.send(frame(n, Reference::Needed));
            assert!(next.now_or_never().is_some(), "{n}");
        }
    }

    #[tokio::test]
    async fn a_frame_as_large_as_the_queue_waits_for_all_of_it() {
        let (mut sender, mut receiver) = queue();
        sender.send(frame(0, Reference::Needed)).await.unwrap();
        let huge = Frame { data: Bytes::from(vec![0; 2 * LIMIT_BYTES]), ..frame(1, Reference::Needed) };
        let huge = sender.send(huge);
        tokio::pin!(huge);
        assert!(futures::poll!(&mut huge).is_pending());
        drop(receiver.batches.recv().await);
        huge.await.unwrap();
    }
}
