//! Tracks whether the bucket answers. While it does not, probes are sent. The next probe is sent when the one
//! before has failed or has taken longer than an interval, so that a probe that hangs in a dead connection or a
//! name lookup does not delay the others.

use super::Backoff;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Number of consecutive failures of any objects after which the bucket, not an object, is the cause.
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
    /// How often the bucket answered again after an outage.
    outages: u64,
}

/// The purpose of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Work,
    Probe,
}

/// The right to one put. Dropping it without a result leaves the state unchanged.
pub(super) struct Permit {
    circuit: Arc<Circuit>,
    purpose: Purpose,
}

impl Circuit {
    pub(super) fn new(backoff: Backoff, random: fastrand::Rng) -> Self {
        let state = State { random, failures: 0, probe_at: Instant::now(), outages: 0 };
        Self { backoff, state: Mutex::new(state), closed: Notify::new() }
    }

    /// Returns immediately while the bucket answers. Otherwise waits until the next probe is due
    /// or another probe was answered.
    pub(super) async fn permit(self: &Arc<Self>) -> Permit {
        loop {
            let woken = self.closed.notified();
            let wait = {
                let mut state = self.state();
                if state.failures < FAILURES_TO_OPEN {
                    return Permit { circuit: self.clone(), purpose: Purpose::Work };
                }
                if Instant::now() >= state.probe_at {
                    let failures = state.failures;
                    state.put_off(self.backoff, failures);
                    return Permit { circuit: self.clone(), purpose: Purpose::Probe };
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

    /// Returns the number of outages that have ended.
    pub(super) fn outages(&self) -> u64 {
        self.state().outages
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Schedules the next probe after at least half of the bound. Fewer probes can then hang at the same
    /// time than there are workers.
    fn put_off(&mut self, backoff: Backoff, failures: u32) {
        let bound = backoff.bound(failures);
        self.probe_at = Instant::now() + bound / 2 + (bound / 2).mul_f64(self.random.f64());
    }
}

impl Permit {
    /// Reports that the bucket answered, whatever it said about the object.
    pub(super) fn answered(self) {
        let mut state = self.circuit.state();
        state.outages += u64::from(state.failures >= FAILURES_TO_OPEN);
        state.failures = 0;
    }

    /// Reports that the bucket did not answer, or refuses everything.
    pub(super) fn failed(self, backoff: Backoff) {
        let mut guard = self.circuit.state();
        let state = &mut *guard;
        // Puts that were in progress when the circuit opened give no new information.
        if self.purpose == Purpose::Probe || state.failures < FAILURES_TO_OPEN {
            let failures = state.failures;
            state.failures = failures.saturating_add(1);
            // The time of the next probe was set when this one was sent.
            if backoff.base > self.circuit.backoff.base {
                state.put_off(backoff, failures);
            } else if self.purpose == Purpose::Work {
                state.put_off(self.circuit.backoff, failures);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.circuit.closed.notify_waiters();
    }
}
