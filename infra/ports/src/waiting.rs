//! The messages of an inbox that this process keeps track of itself: when each is due, and who has it in hand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Messages by their ids, handed out in the order of those. `V` is what is known of each.
#[derive(Debug)]
pub struct WaitingList<K, V> {
    state: Mutex<State<K, V>>,
    /// Counts changes, so that whoever waits for one sees it.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct State<K, V> {
    messages: BTreeMap<K, Waiting<V>>,
    is_closed: bool,
}

#[derive(Debug)]
struct Waiting<V> {
    value: V,
    /// `None` while somebody has it in hand.
    due: Option<Instant>,
    deliveries: u32,
}

impl<K: Ord + Clone, V: Clone> WaitingList<K, V> {
    /// An empty list. `changes` is counted up with every change, and may be that of other lists too.
    pub fn new(changes: watch::Sender<u64>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { messages: BTreeMap::new(), is_closed: false }), changes })
    }

    fn state(&self) -> MutexGuard<'_, State<K, V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State<K, V>) -> T) -> T {
        let result = change(&mut self.state());
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        result
    }

    /// Adds messages that are due at once. One whose id is there already stays as it is.
    pub fn add(&self, messages: impl IntoIterator<Item = (K, V)>) {
        self.change(|state| {
            for (id, value) in messages {
                let now = Waiting { value, due: Some(Instant::now()), deliveries: 0 };
                state.messages.entry(id).or_insert(now);
            }
        });
    }

    /// How many messages are not done.
    pub fn len(&self) -> usize {
        self.state().messages.len()
    }

    /// The id of the first message that is not done.
    pub fn first(&self) -> Option<K> {
        self.state().messages.keys().next().cloned()
    }

    /// Whether every message is done.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there are messages, and they are still handed out.
    pub fn has_work(&self) -> bool {
        let state = self.state();
        !state.is_closed && !state.messages.is_empty()
    }

    /// Hands out up to `max` messages that are due; `None` when it is closed.
    pub fn take_due(self: &Arc<Self>, max: usize) -> Option<Vec<InHand<K, V>>> {
        let mut state = self.state();
        if state.is_closed {
            return None;
        }
        let now = Instant::now();
        let due = state.messages.iter_mut().filter(|(_, waiting)| waiting.due.is_some_and(|due| due <= now));
        let taken = due.take(max).map(|(id, waiting)| {
            waiting.due = None;
            waiting.deliveries += 1;
            let id = Some(id.clone());
            let value = waiting.value.clone();
            InHand { list: self.clone(), id, value, deliveries: waiting.deliveries }
        });
        Some(taken.collect())
    }

    /// A mark of now, from which [`changed`](Self::changed) waits.
    pub fn mark(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits for a change since `mark`, until a message is due, or until `latest`.
    pub async fn changed(&self, mark: &mut watch::Receiver<u64>, latest: impl Into<Option<Instant>>) {
        let next_due = self.state().messages.values().filter_map(|waiting| waiting.due).min();
        // The sender lives in `self`, so the channel cannot close.
        match next_due.into_iter().chain(latest.into()).min() {
            Some(until) => drop(tokio::time::timeout_at(until, mark.changed()).await),
            None => drop(mark.changed().await),
        }
    }

    /// Hands out no more, and returns when each message that was handed out is answered or dropped.
    pub async fn close(&self) {
        self.change(|state| state.is_closed = true);
        let mut mark = self.mark();
        while self.state().messages.values().any(|waiting| waiting.due.is_none()) {
            drop(mark.changed().await);
        }
    }

    /// Hands out messages again.
    pub fn reopen(&self) {
        self.change(|state| state.is_closed = false);
    }
}

/// A message that one taker has in hand. Dropped, it is due again at once.
#[derive(Debug)]
pub struct InHand<K: Ord + Clone, V: Clone> {
    list: Arc<WaitingList<K, V>>,
    /// `None` once it is answered.
    id: Option<K>,
    value: V,
    deliveries: u32,
}

impl<K: Ord + Clone, V: Clone> InHand<K, V> {
    /// The message's id; `None` once it is answered.
    pub fn id(&self) -> Option<&K> {
        self.id.as_ref()
    }

    /// What is known of the message.
    pub fn value(&self) -> &V {
        &self.value
    }

    /// How often it was handed out, this time included.
    pub fn deliveries(&self) -> u32 {
        self.deliveries
    }

    /// It leaves the list.
    pub fn done(mut self) {
        if let Some(id) = self.id.take() {
            self.list.change(|state| state.messages.remove(&id));
        }
    }

    /// It is due again after this long.
    pub fn again(mut self, after: Duration) {
        self.give_back(after);
    }

    fn give_back(&mut self, after: Duration) {
        if let Some(id) = self.id.take() {
            self.list.change(|state| {
                if let Some(waiting) = state.messages.get_mut(&id) {
                    waiting.due = Some(Instant::now() + after);
                }
            });
        }
    }
}

impl<K: Ord + Clone, V: Clone> Drop for InHand<K, V> {
    fn drop(&mut self) {
        self.give_back(Duration::ZERO);
    }
}
