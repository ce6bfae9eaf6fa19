//! The open connections of a listener, and the choice of one to close when a new one needs room.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time of a connection's last byte, in milliseconds since its listener started.
#[derive(Debug, Clone)]
pub(super) struct Activity {
    began: Instant,
    last_ms: Arc<AtomicU64>,
}

impl Activity {
    fn new(began: Instant) -> Self {
        let activity = Self { began, last_ms: Arc::default() };
        activity.touch();
        activity
    }

    /// Records that a byte was transferred.
    pub(super) fn touch(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.store(now, Relaxed);
    }

    fn last(&self) -> Instant {
        self.began + Duration::from_millis(self.last_ms.load(Relaxed))
    }
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
        let victim = spared(entries.iter().map(|(id, entry)| (*id, entry.peer, entry.activity.last())));
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

/// Returns the connection that has been idle longest, of the peer with the most connections.
fn spared(held: impl Iterator<Item = (u64, IpAddr, Instant)> + Clone) -> Option<u64> {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    held.clone().for_each(|(_, peer, _)| *counts.entry(peer).or_default() += 1);
    let most = counts.values().max().copied()?;
    held.filter(|(_, peer, _)| counts[peer] == most).min_by_key(|(id, _, last)| (*last, *id)).map(|(id, ..)| id)
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

    /// Completes when no byte was transferred for `limit`.
    pub(super) async fn idle(&self, limit: Duration) {
        loop {
            let until = self.activity.last() + limit;
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
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
        for (held, expected) in [
            (vec![], None),
            (vec![(1, peer(1), at(5))], Some(1)),
            // Connections of a peer with many are closed before another peer's only one, however
            // long that one is idle.
            (vec![(1, peer(1), at(0)), (2, peer(2), at(7)), (3, peer(2), at(6))], Some(3)),
            (vec![(1, peer(1), at(3)), (2, peer(2), at(2)), (3, peer(3), at(2))], Some(2)),
        ] {
            assert_eq!(spared(held.clone().into_iter()), expected, "{held:?}");
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
