//! Whether the bucket answers. While it does not, one probe at a time finds out.

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
    probe: Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Probe {
    Idle,
    Out,
}

/// The right to one put. Dropped without a word, it says nothing of the bucket.
pub(super) struct Permit<'a> {
    circuit: &'a Circuit,
    probe: Probe,
}

impl Circuit {
    pub(super) fn new(backoff: Backoff, random: fastrand::Rng) -> Self {
        let state = State { random, failures: 0, probe_at: Instant::now(), probe: Probe::Idle };
        Self { backoff, state: Mutex::new(state), closed: Notify::new() }
    }

    /// At once while the bucket answers; else when it is this caller's turn to probe, or another's probe was answered.
    pub(super) async fn permit(&self) -> Permit<'_> {
        loop {
            let woken = self.closed.notified();
            let wait = {
                let mut state = self.state();
                if state.failures < FAILURES_TO_OPEN {
                    return Permit { circuit: self, probe: Probe::Idle };
                }
                match (state.probe, Instant::now() >= state.probe_at) {
                    (Probe::Idle, true) => {
                        state.probe = Probe::Out;
                        return Permit { circuit: self, probe: Probe::Out };
                    }
                    (Probe::Idle, false) => Some(state.probe_at),
                    (Probe::Out, _) => None,
                }
            };
            tokio::select! {
                () = woken => {}
                () = super::sleep_until(wait) => {}
            }
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().failures >= FAILURES_TO_OPEN
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The bucket answered, whatever it said of the object.
    pub(super) fn answered(self) {
        self.circuit.state().failures = 0;
    }

    /// The bucket did not, or refuses everything.
    pub(super) fn failed(self, backoff: Backoff) {
        let mut guard = self.circuit.state();
        let state = &mut *guard;
        // Puts that were under way when the circuit opened tell nothing new.
        if self.probe == Probe::Out || state.failures < FAILURES_TO_OPEN {
            let longer = if backoff.base > self.circuit.backoff.base { backoff } else { self.circuit.backoff };
            state.probe_at = Instant::now() + longer.delay(state.failures, &mut state.random);
            state.failures = state.failures.saturating_add(1);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe == Probe::Out {
            self.circuit.state().probe = Probe::Idle;
        }
        self.circuit.closed.notify_waiters();
    }
}
