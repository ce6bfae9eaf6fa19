//! The open connections of a listener, and the choice of one to close when a new one needs room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What happens on one connection.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    began: Instant,
    counted: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Time of the last byte, in milliseconds since the listener started.
    last_ms: AtomicU64,
    /// Whether there was a request.
    is_asked: AtomicBool,
    /// Requests that the service has not answered yet.
    with_service: AtomicUsize,
}

/// A request that is with the service.
pub(super) struct Asked(Activity);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.touch();
        self.0.counted.with_service.fetch_sub(1, Relaxed);
    }
}

impl Activity {
    fn new(began: Instant) -> Self {
        let activity = Self { began, counted: Arc::default() };
        activity.touch();
        activity
    }

    /// Records that a byte was transferred.
    pub(super) fn touch(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.counted.last_ms.store(now, Relaxed);
    }

    /// Records a request. It is with the service until the result is dropped.
    pub(super) fn ask(&self) -> Asked {
        self.touch();
        self.counted.is_asked.store(true, Relaxed);
        self.counted.with_service.fetch_add(1, Relaxed);
        Asked(self.clone())
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.counted.last_ms.load(Relaxed))
    }

    fn state(&self) -> State {
        if self.counted.with_service.load(Relaxed) > 0 { State::Answering } else { State::Idle }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Answering,
}

struct Entry {
    peer: IpAddr,
    activity: Activity,
    evicted: CancellationToken,
}

/// All connections of one listener.
#[derive(Clone)]
pub(super) struct Held {
    began: Instant,
    entries: Arc<Mutex<HashMap<u64, Entry>>>,
}

impl Default for Held {
    fn default() -> Self {
        Self { began: Instant::now(), entries: Arc::default() }
    }
}

impl Held {
    fn entries(&self) -> MutexGuard<'_, HashMap<u64, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes connections until there are fewer than `most`.
    pub(super) fn make_room(&self, most: usize) {
        while self.entries().len() >= most.max(1) {
            self.evict();
        }
    }

    /// Closes the connection that can be spared first, if there is one.
    pub(super) fn evict(&self) {
        let mut entries = self.entries();
        let held = entries.iter().map(|(id, entry)| (*id, entry.peer, entry.activity.last(), entry.activity.state()));
        let victim = spared(&held.collect::<Vec<_>>());
        if let Some(entry) = victim.and_then(|id| entries.remove(&id)) {
            entry.evicted.cancel();
        }
    }

    /// Registers a new connection.
    pub(super) fn take(&self, peer: IpAddr) -> Place {
        let activity = Activity::new(self.began);
        let evicted = CancellationToken::new();
        let mut entries = self.entries();
        let id = entries.keys().max().map_or(0, |last| last.wrapping_add(1));
        entries.insert(id, Entry { peer, activity: activity.clone(), evicted: evicted.clone() });
        drop(entries);
        Place { held: self.clone(), id, activity, evicted }
    }
}

/// Returns the connection that has been idle longest, of the peer with the most connections. Those with a request
/// at the service are chosen only if all are.
fn spared(held: &[(u64, IpAddr, Instant, State)]) -> Option<u64> {
    let is_any_idle = held.iter().any(|(.., state)| *state == State::Idle);
    let eligible = || held.iter().filter(|(.., state)| !is_any_idle || *state == State::Idle);
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    eligible().for_each(|(_, peer, ..)| *counts.entry(*peer).or_default() += 1);
    let most = counts.values().max().copied()?;
    eligible()
        .filter(|(_, peer, ..)| counts[peer] == most)
        .min_by_key(|(id, _, last, _)| (*last, *id))
        .map(|(id, ..)| *id)
}

/// The registration of one connection, which ends when this is dropped.
pub(super) struct Place {
    held: Held,
    id: u64,
    activity: Activity,
    evicted: CancellationToken,
}

impl Place {
    pub(super) fn activity(&self) -> Activity {
        self.activity.clone()
    }

    /// Completes when the connection must be closed to make room.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// Completes when there is no request after `limit`.
    pub(super) async fn unasked(&self, limit: Duration) {
        tokio::time::sleep(limit).await;
        if self.activity.counted.is_asked.load(Relaxed) {
            std::future::pending::<()>().await;
        }
    }

    /// Completes when no byte was transferred for `idle`, or for `answer` while a request is with the service.
    pub(super) async fn idle(&self, idle: Duration, answer: Duration) {
        loop {
            let limit = match self.activity.state() {
                State::Idle => idle,
                State::Answering => answer,
            };
            let until = self.activity.last() + limit;
            let now = Instant::now();
            if until <= now {
                return;
            }
            tokio::time::sleep_until(until.min(now + idle)).await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // An evicted connection has already lost its entry, and another may use the id.
        if !self.evicted.is_cancelled() {
            self.held.entries().remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_idlest_of_the_peer_with_most_goes() {
        let began = Instant::now();
        let at = |s| began + Duration::from_secs(s);
        let peer = |n: u8| IpAddr::from([10, 0, 0, n]);
        let idle = State::Idle;
        let answering = State::Answering;
        for (held, expected) in [
            (vec![], None),
            (vec![(1, peer(1), at(5), idle)], Some(1)),
            // Connections of a peer with many are closed before another peer's only one, however
            // long that one is idle.
            (vec![(1, peer(1), at(0), idle), (2, peer(2), at(7), idle), (3, peer(2), at(6), idle)], Some(3)),
            (vec![(1, peer(1), at(3), idle), (2, peer(2), at(2), idle), (3, peer(3), at(2), idle)], Some(2)),
            // An answer that takes long is not interrupted for a newcomer, unless there is nothing else.
            (vec![(1, peer(1), at(0), answering), (2, peer(1), at(1), answering), (3, peer(2), at(9), idle)], Some(3)),
            (
                vec![(1, peer(1), at(4), answering), (2, peer(1), at(3), answering), (3, peer(2), at(0), answering)],
                Some(2),
            ),
        ] {
            assert_eq!(spared(&held), expected, "{held:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_given_back_once() {
        let held = Held::default();
        let first = held.take(IpAddr::from([127, 0, 0, 1]));
        tokio::time::advance(Duration::from_secs(1)).await;
        let second = held.take(IpAddr::from([127, 0, 0, 1]));
        held.make_room(2);
        assert!(first.evicted.is_cancelled() && !second.evicted.is_cancelled());
        let third = held.take(IpAddr::from([127, 0, 0, 1]));
        drop(first);
        assert_eq!(held.entries().len(), 2);
        drop((second, third));
        assert!(held.entries().is_empty());
    }
}
