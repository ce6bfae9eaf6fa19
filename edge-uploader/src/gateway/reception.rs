//! One thread that receives from all cameras whose data can wait, and reads from them a few times a second.
//!
//! A camera sends a packet every few milliseconds, and waking up for each costs much more than handling the
//! packet. TCP keeps unread data: the kernel acknowledges and stores it, and the camera sees a network with
//! some tenths of a second more delay. Before this thread would sleep until the next packet, it therefore
//! pauses, and then reads everything that has arrived.
//!
//! The wall clock does not suffer from that: [`crate::clock::ArrivalClock`] uses the frame with the least delay
//! in the last half minute or more. The pauses have random lengths, so that they are in step with no camera,
//! and some of several hundred frames are always read within a millisecond of their arrival. There are no
//! pauses while a session is being set up, and until its clock has settled: see [`Haste`].

use std::future::Future;
use std::io;
use std::mem;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The longest pause between two reads from the cameras' sockets.
const PAUSE_MAX: Duration = Duration::from_millis(250);
/// Most data that may arrive in a pause from all cameras together, in KiB: about the default size of one socket
/// buffer. A camera that sends larger bursts waits some hundredths of a second for the next read.
const PAUSE_KIB: u32 = 128;

/// A handle to the thread that reads the sockets of all cameras whose data can wait.
pub(super) struct Reception {
    handle: Handle,
    tasks: TaskTracker,
    pace: Pace,
}

impl Reception {
    /// Starts the thread. It ends when `stop` is cancelled and all spawned tasks have ended.
    pub(super) fn start(stop: CancellationToken) -> io::Result<Self> {
        let pace = Pace::default();
        let asked = Arc::clone(&pace.0);
        let last = Mutex::new(Instant::now());
        let pause = move || {
            let before = mem::replace(&mut *last.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
            let longest = longest_pause(asked.bytes.swap(0, Relaxed), before.elapsed());
            if asked.hurried.load(Relaxed) == 0 {
                std::thread::sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0));
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(pause).build()?;
        let handle = runtime.handle().clone();
        let tasks = TaskTracker::new();
        let ending = tasks.clone();
        std::thread::Builder::new().name("reception".to_owned()).spawn(move || {
            runtime.block_on(async {
                stop.cancelled().await;
                ending.close();
                ending.wait().await;
            });
        })?;
        Ok(Self { handle, tasks, pace })
    }

    /// Runs `receiver` on the thread.
    pub(super) fn spawn<F>(&self, receiver: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.tasks.spawn_on(receiver, &self.handle)
    }

    /// Returns the pace for a receiver that runs on the thread.
    pub(super) fn pace(&self) -> Pace {
        self.pace.clone()
    }
}

/// Returns the longest pause in which no more than [`PAUSE_KIB`] arrive, based on
/// `bytes` that arrived in `time`.
fn longest_pause(bytes: u64, time: Duration) -> Duration {
    let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).max(1);
    PAUSE_MAX.min(time.saturating_mul(PAUSE_KIB) / kib)
}

/// State that receivers share with their thread.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    hurried: AtomicUsize,
    bytes: AtomicU64,
}

impl Pace {
    /// Records that `bytes` of a frame arrived.
    pub(super) fn received(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Relaxed);
    }

    /// Prevents pauses until the returned value is dropped.
    pub(super) fn haste(&self) -> Haste {
        self.0.hurried.fetch_add(1, Relaxed);
        Haste(Arc::clone(&self.0))
    }
}

/// Held by a session that must be read immediately: it is being set up, or its clock has not settled.
#[derive(Debug)]
pub(super) struct Haste(Arc<Told>);

impl Drop for Haste {
    fn drop(&mut self) {
        self.0.hurried.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_as_long_as_what_comes_in_it_fits() {
        let after = |bytes, ms| longest_pause(bytes, Duration::from_millis(ms));
        assert_eq!(after(0, 150), PAUSE_MAX);
        // A camera of 4 Mb/s sends about 125 KB in the longest pause.
        assert_eq!(after(75_000, 150), PAUSE_MAX);
        assert_eq!(after(256 << 10, 100), Duration::from_millis(50));
        assert_eq!(after(1 << 20, 8), Duration::from_millis(1));
        assert_eq!(after(u64::MAX, 1), Duration::ZERO);
        assert_eq!(after(0, u64::MAX), PAUSE_MAX);
    }
}
