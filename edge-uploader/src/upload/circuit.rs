//! Whether the bucket answers. While it does not, probes find out: the next one goes out when the one before was refused or has
//! been away for an interval, so that one that hangs in a dead connection, or in a name that is being looked up, is not waited for.

use super::Backoff;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// So many failures in a row, of any objects, are the bucket's and not one object's.
const FAILURES_TO_OPEN: u32 = 2;

pub(super) struct Circuit {
    backoff: Backoff,
    state: Mutex<State>,
    closed: Notify,
}

struct State {
    random: fastrand::Rng,
    failures: u32,
    probe_at: Instant,
    /// How often the bucket answered again after it had not.
    outages: u64,
}

/// What a put is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Work,
    Probe,
}

/// The right to one put. Dropped without a word, it says nothing of the bucket.
pub(super) struct Permit<'a> {
    circuit: &'a Circuit,
    purpose: Purpose,
}

impl Circuit {
    pub(super) fn new(backoff: Backoff, random: fastrand::Rng) -> Self {
        let state = State { random, failures: 0, probe_at: Instant::now(), outages: 0 };
        Self { backoff, state: Mutex::new(state), closed: Notify::new() }
    }

    /// At once while the bucket answers; else when the next probe is due, or another's was answered.
    pub(super) async fn permit(&self) -> Permit<'_> {
        loop {
            let woken = self.closed.notified();
            let wait = {
                let mut state = self.state();
                if state.failures < FAILURES_TO_OPEN {
                    return Permit { circuit: self, purpose: Purpose::Work };
                }
                if Instant::now() >= state.probe_at {
                    let failures = state.failures;
                    state.put_off(self.backoff, failures);
                    return Permit { circuit: self, purpose: Purpose::Probe };
                }
                state.probe_at
            };
            tokio::select! {
                () = woken => {}
                () = super::sleep_until(Some(wait)) => {}
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().failures >= FAILURES_TO_OPEN
    }

    /// How many outages are over.
    pub(super) fn outages(&self) -> u64 {
        self.state().outages
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next probe after half of the bound at least, so that as many as hang at a time are fewer than there are workers.
    fn put_off(&mut self, backoff: Backoff, failures: u32) {
        let bound = backoff.bound(failures);
        self.probe_at = Instant::now() + bound / 2 + (bound / 2).mul_f64(self.random.f64());
    }
}

impl Permit<'_> {
    /// The bucket answered, whatever it said of the object.
    pub(super) fn answered(self) {
        let mut state = self.circuit.state();
        state.outages += u64::from(state.failures >= FAILURES_TO_OPEN);
        state.failures = 0;
    }

    /// The bucket did not, or refuses everything.
    pub(super) fn failed(self, backoff: Backoff) {
        let mut guard = self.circuit.state();
        let state = &mut *guard;
        // Puts that were under way when the circuit opened tell nothing new.
        if self.purpose == Purpose::Probe || state.failures < FAILURES_TO_OPEN {
            let failures = state.failures;
            state.failures = failures.saturating_add(1);
            // The next probe's time was set when this one went out.
            if backoff.base > self.circuit.backoff.base {
                state.put_off(backoff, failures);
            } else if self.purpose == Purpose::Work {
                state.put_off(self.circuit.backoff, failures);
            }
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.circuit.closed.notify_waiters();
    }
}
