//! One thread that receives from all cameras whose data can wait, and looks at them about a dozen times a second.
//!
//! A camera sends a packet every few milliseconds, and waking for each costs many times what the packet itself does. TCP
//! keeps what is not read: the kernel acknowledges and stores it, and for the camera it looks like a network that is a
//! tenth of a second longer. So before this thread would go to sleep until the next packet it pauses, and then takes all
//! that came.
//!
//! The wall clock does not suffer: [`crate::clock::ArrivalClock`] goes by the frame that came with the least delay of
//! the last half minute and more. The pauses are of random length, so that they fall in step with no camera, and a few of
//! hundreds of frames are always read in the millisecond in which they come. While a session is being set up, and until
//! its clock has settled, there are no pauses: see [`Haste`].

use std::future::Future;
use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a pause is. At 16 Mb/s the longest lets 200 KB come, which is less than a socket takes.
const PAUSE_MS: RangeInclusive<u64> = 50..=100;

/// The thread.
pub(super) struct Reception {
    handle: Handle,
    tasks: TaskTracker,
    hurried: Arc<AtomicUsize>,
}

impl Reception {
    /// Starts the thread. It ends when `stop` is cancelled and all that was spawned has ended.
    pub(super) fn start(stop: CancellationToken) -> io::Result<Self> {
        let hurried = Arc::new(AtomicUsize::new(0));
        let asked = Arc::clone(&hurried);
        let pause = move || {
            if asked.load(Relaxed) == 0 {
                std::thread::sleep(Duration::from_millis(fastrand::u64(PAUSE_MS)));
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().on_thread_park(pause).build()?;
        let (handle, tasks) = (runtime.handle().clone(), TaskTracker::new());
        let ending = tasks.clone();
        std::thread::Builder::new().name("reception".to_owned()).spawn(move || {
            runtime.block_on(async {
                stop.cancelled().await;
                ending.close();
                ending.wait().await;
            });
        })?;
        Ok(Self { handle, tasks, hurried })
    }

    /// Runs `receiver` on the thread.
    pub(super) fn spawn<F>(&self, receiver: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.tasks.spawn_on(receiver, &self.handle)
    }

    /// For a receiver to say when it is in haste.
    pub(super) fn pace(&self) -> Pace {
        Pace(Arc::clone(&self.hurried))
    }
}

/// What a receiver says of its haste to whoever it shares a thread with.
#[derive(Clone, Default)]
pub(super) struct Pace(Arc<AtomicUsize>);

impl Pace {
    /// Until what this gives is dropped there are no pauses.
    pub(super) fn haste(&self) -> Haste {
        self.0.fetch_add(1, Relaxed);
        Haste(Arc::clone(&self.0))
    }
}

/// A session that wants to be read at once: it is being set up, or its clock has not settled.
pub(super) struct Haste(Arc<AtomicUsize>);

impl Drop for Haste {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
