//! `framepost up --keep 7d --keep-bytes "200 GB"`: removes the oldest objects from the bucket.
//!
//! ```text
//! census   all objects ─▶ how much there is, and the oldest that may go
//! due      which of them has to go, and why
//! notice   what is said about it
//! ```
//!
//! - An object's age counts from when it was written into the bucket, as with the lifecycle rules of a cloud's bucket.
//! - It goes by [`LocalBucket::remove`], so every function that is triggered by removals hears of it, also after a crash.
//! - Three things stay: what a [`Hold`](framepost_ports::catalog::Hold) covers, what a running function has yet to handle, and
//!   everything below `exports/`, which is not counted either. So do files that nobody put into the bucket.
//! - A nearly full disk has no room for new footage. With `keep_bytes` old footage makes room; otherwise somebody is told.
//!
//! A hold is looked for right before each removal, so one is in force when the API has answered.

mod census;
mod due;
mod notice;
#[cfg(test)]
mod tests;

pub(crate) use due::RetentionLimits;

use census::{Old, Stays};
use due::{Due, Space};
use edge_uploader::spool::DiskSpace;
use framepost_events::{KeyKind, ObjectKey};
use framepost_local::{LocalBucket, Waited};
use framepost_ports::catalog::{CameraName, Hold, HoldQuery, Interval, Whose};
use framepost_ports::{Catalog, Clock, ErrorKind, Result, SystemClock, chain};
use jiff::{SignedDuration, Timestamp};
use notice::RemovalNotice;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Below this, nothing is removed and nothing counted.
const EXPORTS: &str = framepost_events::export::PREFIX;
/// How often the bucket is looked at.
const EVERY: Duration = Duration::from_mins(1);
/// Of the time, the part that looking takes at most: one in so many.
const SHARE: u32 = 20;
/// Enough for the note of a removal and the new blocks of its directories on a disk that is full.
const RESERVE_BYTES: usize = 256 * 1024;
/// Holds of one page.
const PAGE: usize = 1000;

/// Removes what is too old or too much.
pub(crate) struct Retention {
    bucket: LocalBucket,
    catalog: Arc<dyn Catalog>,
    limits: RetentionLimits,
    clock: Arc<dyn Clock>,
    /// A directory on the bucket's file system.
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waited: Waited,
    notice: RemovalNotice,
}

/// How much was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Swept {
    /// All that had to go, as far as it may.
    All,
    /// Only a part of it; another sweep follows at once.
    Part,
}

impl Retention {
    /// Keeps the bucket within the limits. `dir` is a directory beside it.
    pub(crate) fn new(bucket: LocalBucket, catalog: Arc<dyn Catalog>, limits: RetentionLimits, dir: &Path) -> Self {
        let clock = Arc::new(SystemClock);
        Self { bucket, catalog, limits, clock, dir: dir.to_owned(), state: Mutex::default() }
    }

    /// Looks at the bucket again and again.
    pub(crate) async fn run(&self) -> std::convert::Infallible {
        loop {
            let began = Instant::now();
            self.sweep().await;
            tokio::time::sleep(EVERY.max(began.elapsed() * SHARE)).await;
        }
    }

    /// Removes all that has to go.
    pub(crate) async fn sweep(&self) {
        if !self.limits.are_set() {
            return;
        }
        let mut state = self.state.lock().await;
        loop {
            match self.sweep_some(&mut state).await {
                Ok(Swept::Part) => {}
                Ok(Swept::All) => break,
                Err(error) => {
                    state.notice.failed(&chain(&error));
                    break;
                }
            }
        }
        state.notice.say(self.limits);
    }

    async fn sweep_some(&self, state: &mut State) -> Result<Swept> {
        self.keep_reserve();
        let holds = self.holds().await?;
        state.waited.look(&self.bucket.inboxes()).await?;
        let waited = state.waited.keys();
        let stays = |key: &str| {
            let is_held = || key.parse().is_ok_and(|key| holds.iter().any(|hold| begins_within(hold, &key)));
            match () {
                () if waited.contains(key) => Some(Stays::WaitedFor),
                () if is_held() => Some(Stays::Held),
                () => None,
            }
        };
        let census = census::census(&self.bucket, stays).await?;
        let space = self.space()?;
        let now = self.clock.now();
        let mut due = Due::new(self.limits, now, census.bytes, space);
        let mut swept = if census.has_more { Swept::Part } else { Swept::All };
        let mut removed = 0;
        for old in &census.oldest {
            let Some(why) = due.why(old) else {
                swept = Swept::All;
                break;
            };
            if self.is_held(&old.key).await? {
                state.notice.stays(Stays::Held, old);
                continue;
            }
            match self.remove(&old.key).await {
                Ok(()) => state.notice.removed(why, old),
                // Somebody else was faster.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            due.gone(old);
            removed += 1;
        }
        let overdue: Vec<&(Stays, Old)> = census.staying.iter().filter(|(_, old)| due.why(old).is_some()).collect();
        for (why, old) in &overdue {
            state.notice.stays(*why, old);
        }
        let keys: BTreeSet<String> = overdue.iter().map(|(_, old)| old.key.clone()).collect();
        state.notice.waited_for_by(state.waited.by(&keys).into_iter().map(str::to_owned).collect());
        state.notice.space(self.space()?);
        // Without progress there would be no end.
        Ok(if removed == 0 { Swept::All } else { swept })
    }

    /// Returns all holds, page by page.
    async fn holds(&self) -> Result<Vec<Hold>> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let query = HoldQuery { among: None, within: Interval::ALWAYS, after, limit: PAGE };
            let page = self.catalog.holds(&query).await?;
            let is_last = page.len() < PAGE;
            after = page.last().map(Hold::place);
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Whether a hold that is there now covers this object.
    async fn is_held(&self, key: &str) -> Result<bool> {
        let Some((camera, parsed)) = footage(key) else { return Ok(false) };
        let start = parsed.start;
        let moment = Interval { from: start, to: later(start) };
        let end = match parsed.kind {
            KeyKind::Chunk => self.catalog.chunk(key).await?.map_or(start, |row| row.to),
            KeyKind::Gap => {
                let gaps = self.catalog.gaps(&camera, moment, PAGE).await?;
                gaps.iter().find(|row| row.object.key == key).map_or(start, |row| row.gap.to)
            }
            KeyKind::SpanEnd => start,
        };
        let whose = Whose { site: camera.site, camera: Some(camera.camera) };
        // The end of a span belongs to what it ends.
        let from = if parsed.kind == KeyKind::SpanEnd { earlier(start) } else { start };
        let within = Interval { from, to: end.max(later(start)) };
        let query = HoldQuery { among: Some(vec![whose]), within, after: None, limit: 1 };
        Ok(!self.catalog.holds(&query).await?.is_empty())
    }

    /// Removes an object. On a full disk, the reserve makes room for the note of it.
    async fn remove(&self, key: &str) -> Result<()> {
        match self.bucket.remove(key).await {
            // A full disk: `StorageFull` is what a local bucket calls busy.
            Err(error) if error.kind() == ErrorKind::Busy && std::fs::remove_file(self.reserve()).is_ok() => {
                self.bucket.remove(key).await
            }
            done => done,
        }
    }

    fn reserve(&self) -> PathBuf {
        self.dir.join(".reserve")
    }

    /// Writes the reserve if it is not there. It is there for a disk that somebody else fills.
    fn keep_reserve(&self) {
        let path = self.reserve();
        if path.exists() {
            return;
        }
        let written = std::fs::File::create(&path).and_then(|mut file| {
            file.write_all(&vec![0; RESERVE_BYTES])?;
            file.sync_data()
        });
        if written.is_err() {
            let _ = std::fs::remove_file(&path);
        }
    }

    fn space(&self) -> Result<Space> {
        let disk = DiskSpace::at(&self.dir)
            .map_err(|error| framepost_ports::Error::new(ErrorKind::Io, "look", "the disk").because(error))?;
        Ok(Space { free: disk.free_bytes, whole: disk.total_bytes })
    }
}

/// The camera of a key, if it is one of footage.
fn footage(key: &str) -> Option<(CameraName, ObjectKey)> {
    let key: ObjectKey = key.parse().ok()?;
    Some((CameraName::of(key.site.as_ref(), key.camera.as_ref())?, key))
}

/// Whether the object begins in what is held. One that begins before may reach into it: only the catalogue knows.
fn begins_within(hold: &Hold, key: &ObjectKey) -> bool {
    let is_of = key.site.as_ref() == Some(&hold.camera.site) && key.camera.as_ref() == Some(&hold.camera.camera);
    is_of && hold.within.from <= key.start && key.start < hold.within.to
}

fn later(time: Timestamp) -> Timestamp {
    time.checked_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX)
}

fn earlier(time: Timestamp) -> Timestamp {
    time.checked_sub(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MIN)
}
