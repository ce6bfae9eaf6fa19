//! The contract of [`LedgerStore`]: a claim has one holder at a time.

use crate::ledger::{Claim, Claimed, Entry, Hold, LedgerStore, NOTE_BYTES_MAX, Quota, Swap, Taken};
use crate::memory::SimulatedClock;
use crate::{Clock as _, Ledger, Reason};
use futures::future::join_all;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

const LEASE: Duration = Duration::from_mins(5);
/// One second shorter than the lease.
const ALMOST_LEASE: Duration = Duration::from_secs(299);

/// Checks the contract of a [`Ledger`] over this [`LedgerStore`].
///
/// # Panics
///
/// Panics if the store breaks its contract.
pub async fn ledger(store: Arc<dyn LedgerStore>) {
    // A real table may delete entries with an old expiry time, so start at the real time.
    let clock = Arc::new(SimulatedClock::new(Timestamp::now()));
    let ledger = Ledger::new(store.clone(), clock.clone());
    let run = Run { store, clock, ledger, prefix: format!("contract-{:016x}", fastrand::u64(..)) };
    run.a_store_swaps_only_what_is_expected().await;
    run.done_is_final().await;
    run.one_of_many_wins().await;
    run.one_of_many_takes_over().await;
    run.a_late_holder_is_fenced_off().await;
    run.a_lease_can_be_extended().await;
    run.a_failure_can_be_claimed_again().await;
    run.a_job_outlives_its_holder().await;
    run.a_completion_goes_on_with_its_job().await;
    run.any_name_is_its_own_work().await;
    run.a_long_note_is_kept().await;
    run.a_quota_is_used_up_and_never_exceeded().await;
}

struct Run {
    store: Arc<dyn LedgerStore>,
    clock: Arc<SimulatedClock>,
    ledger: Ledger,
    prefix: String,
}

impl Run {
    fn work(&self, name: &str) -> String {
        format!("{}/{name}", self.prefix)
    }

    async fn claimed(&self, work: &str) -> Claimed {
        self.ledger.claim(work, LEASE).await.expect("claim")
    }

    async fn won(&self, work: &str) -> Claim {
        match self.claimed(work).await {
            Claimed::Won(claim) => claim,
            other => panic!("{work}: {other:?}"),
        }
    }

    async fn done(&self, claim: &mut Claim) -> Hold {
        self.ledger.done(claim).await.expect("done")
    }

    async fn a_store_swaps_only_what_is_expected(&self) {
        let work = self.work("swaps");
        assert_eq!(self.store.read(&work).await.expect("read"), None);
        drop(self.won(&work).await);
        let (entry, first) = self.store.read(&work).await.expect("read").expect("it was claimed");
        assert_eq!(self.store.swap(&work, None, &entry).await.expect("swap"), Swap::Refused, "something is there");
        let other = Entry { write: "another".to_owned(), ..entry.clone() };
        let Swap::Written(second) = self.store.swap(&work, Some(&first), &other).await.expect("swap") else {
            panic!("nobody else has written")
        };
        assert_eq!(self.store.read(&work).await.expect("read"), Some((other, second)));
        assert_eq!(self.store.swap(&work, Some(&first), &entry).await.expect("swap"), Swap::Refused, "it has changed");
        let nothing = self.work("nothing");
        let swap = self.store.swap(&nothing, Some(&first), &entry).await.expect("swap");
        assert_eq!(swap, Swap::Refused, "there is nothing");
        assert_eq!(self.store.read(&nothing).await.expect("read"), None);
    }

    async fn done_is_final(&self) {
        let work = self.work("done");
        let mut claim = self.won(&work).await;
        assert_eq!((claim.attempts(), claim.job(), claim.work()), (1, None, work.as_str()));
        assert_eq!(claim.until(), self.clock.now() + LEASE);
        let Claimed::Held { until, job } = self.claimed(&work).await else { panic!("two hold it") };
        assert_eq!((until, job), (claim.until(), None));
        assert_eq!(self.done(&mut claim).await, Hold::Kept);
        assert_eq!(self.claimed(&work).await, Claimed::Done, "a duplicate has nothing to do");
        self.clock.advance(LEASE * 2);
        assert_eq!(self.claimed(&work).await, Claimed::Done);
        assert_eq!(self.ledger.failed(&mut claim, &Reason::new("x", "y")).await.expect("failed"), Hold::Lost);
        assert_eq!(self.claimed(&work).await, Claimed::Done);
    }

    /// Claims the same work concurrently and returns the claims that were won.
    async fn race(&self, work: &str) -> Vec<Claim> {
        let tasks = (0..8).map(|_| {
            let ledger = self.ledger.clone();
            let work = work.to_owned();
            tokio::spawn(async move { ledger.claim(&work, LEASE).await.expect("claim") })
        });
        let mut won = Vec::new();
        for claimed in join_all(tasks).await {
            match claimed.expect("no panic") {
                Claimed::Won(claim) => won.push(claim),
                Claimed::Held { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        won
    }

    async fn one_of_many_wins(&self) {
        let won = self.race(&self.work("race")).await;
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(won[0].attempts(), 1);
    }

    async fn one_of_many_takes_over(&self) {
        let work = self.work("takeover-race");
        let mut before = self.won(&work).await;
        self.clock.advance(LEASE);
        let won = self.race(&work).await;
        assert_eq!(won.len(), 1, "{won:?}");
        assert_eq!(won[0].attempts(), 2);
        assert_eq!(self.done(&mut before).await, Hold::Lost);
    }

    async fn a_late_holder_is_fenced_off(&self) {
        let work = self.work("fenced");
        let mut late = self.won(&work).await;
        self.clock.advance(ALMOST_LEASE);
        assert!(matches!(self.claimed(&work).await, Claimed::Held { .. }), "a second is left");
        self.clock.advance(Duration::from_secs(1));
        let mut holder = self.won(&work).await;
        assert_eq!(self.ledger.submitted(&mut late, "job-1", LEASE).await.expect("submitted"), Hold::Lost);
        assert_eq!(self.ledger.extend(&mut late, LEASE).await.expect("extend"), Hold::Lost);
        assert_eq!(self.ledger.failed(&mut late, &Reason::new("x", "y")).await.expect("failed"), Hold::Lost);
        assert_eq!(self.done(&mut late).await, Hold::Lost);
        assert_eq!(self.done(&mut holder).await, Hold::Kept, "the late one changed nothing");
        assert_eq!(self.done(&mut late).await, Hold::Lost);
        assert_eq!(self.claimed(&work).await, Claimed::Done);
        // An expired lease is kept as long as nobody else claims the work.
        let work = self.work("slow");
        let mut slow = self.won(&work).await;
        self.clock.advance(LEASE * 3);
        assert_eq!(self.done(&mut slow).await, Hold::Kept);
    }

    async fn a_lease_can_be_extended(&self) {
        let work = self.work("extended");
        let mut claim = self.won(&work).await;
        for _ in 0..3 {
            self.clock.advance(ALMOST_LEASE);
            assert_eq!(self.ledger.extend(&mut claim, LEASE).await.expect("extend"), Hold::Kept);
            assert!(matches!(self.claimed(&work).await, Claimed::Held { .. }));
        }
        self.clock.advance(LEASE);
        assert_eq!(self.won(&work).await.attempts(), 2, "extending is not claiming");
    }

    async fn a_failure_can_be_claimed_again(&self) {
        let work = self.work("failed");
        let mut claim = self.won(&work).await;
        assert_eq!(self.ledger.submitted(&mut claim, "job-1", LEASE).await.expect("submitted"), Hold::Kept);
        let reason = Reason::new("no-capacity", "x".repeat(5000));
        assert_eq!(self.ledger.failed(&mut claim, &reason).await.expect("failed"), Hold::Kept);
        let mut claim = self.won(&work).await;
        assert_eq!((claim.attempts(), claim.job()), (2, None), "the job failed with its attempt");
        assert_eq!(self.done(&mut claim).await, Hold::Kept);
    }

    async fn a_job_outlives_its_holder(&self) {
        let work = self.work("job");
        let mut claim = self.won(&work).await;
        assert_eq!(self.ledger.submitted(&mut claim, "job-1", LEASE * 10).await.expect("submitted"), Hold::Kept);
        self.clock.advance(LEASE * 9);
        let Claimed::Held { job, .. } = self.claimed(&work).await else { panic!("the job still runs") };
        assert_eq!(job.as_deref(), Some("job-1"));
        self.clock.advance(LEASE);
        let claim = self.won(&work).await;
        assert_eq!((claim.attempts(), claim.job()), (2, Some("job-1")), "nobody pays twice without looking");
    }

    async fn a_completion_goes_on_with_its_job(&self) {
        let work = self.work("completion");
        let resume = |job: &'static str| self.ledger.resume(&work, job, LEASE);
        assert_eq!(resume("job-1").await.expect("resume"), Claimed::Unknown);
        let mut submitter = self.won(&work).await;
        assert_eq!(resume("job-1").await.expect("resume"), Claimed::Unknown, "there is no job yet");
        assert_eq!(self.ledger.submitted(&mut submitter, "job-1", LEASE).await.expect("submitted"), Hold::Kept);
        assert_eq!(resume("job-2").await.expect("resume"), Claimed::Unknown, "another job");
        let Claimed::Won(mut claim) = resume("job-1").await.expect("resume") else { panic!("it is the job") };
        assert_eq!((claim.attempts(), claim.job()), (1, Some("job-1")));
        assert_eq!(self.done(&mut submitter).await, Hold::Lost, "two cannot go on");
        assert_eq!(self.done(&mut claim).await, Hold::Kept);
        assert_eq!(resume("job-1").await.expect("resume"), Claimed::Done, "the event comes twice");
    }

    async fn a_long_note_is_kept(&self) {
        let work = self.work("noted");
        let mut claim = self.won(&work).await;
        let note = "ä".repeat(NOTE_BYTES_MAX / 2);
        assert_eq!(self.ledger.submitted(&mut claim, &note, LEASE).await.expect("submitted"), Hold::Kept);
        self.clock.advance(LEASE);
        assert_eq!(self.won(&work).await.job(), Some(&*note));
    }

    async fn a_quota_is_used_up_and_never_exceeded(&self) {
        let quota = |name: &str, most, quantum| Quota { name: self.work(name), most, quantum, keep: LEASE };
        for (quota, units, tasks, expected) in
            [(quota("calls", 20, 1), 1, 200, 20), (quota("millicents", 20_000, 1000), 1000, 60, 20)]
        {
            let limit = Arc::new(tokio::sync::Semaphore::new(50));
            let takers = (0..tasks).map(|_| {
                let ledger = self.ledger.clone();
                let quota = quota.clone();
                let limit = limit.clone();
                tokio::spawn(async move {
                    let _permit = limit.acquire().await.expect("it is never closed");
                    ledger.take(&quota, units).await.expect("take")
                })
            });
            let taken = join_all(takers).await.into_iter().map(|taken| taken.expect("no panic"));
            assert_eq!(taken.filter(|taken| *taken == Taken::Yes).count(), expected);
            let again = || self.ledger.take(&quota, units);
            assert_eq!(again().await.expect("take"), Taken::TooFew);
            self.ledger.give_back(&quota, 2 * units).await.expect("give back");
            assert_eq!(self.ledger.take(&quota, 3 * units).await.expect("take"), Taken::TooFew, "all or none");
            for expected in [Taken::Yes, Taken::Yes, Taken::TooFew] {
                assert_eq!(again().await.expect("take"), expected);
            }
        }
        let nothing = quota("nothing", 0, 1);
        assert_eq!(self.ledger.take(&nothing, 1).await.expect("take"), Taken::TooFew);
    }

    async fn any_name_is_its_own_work(&self) {
        let long = "x".repeat(900);
        for name in ["a/b", "a b", "a%20b", "ä/漢字", "a/../b", ".", "A/B", &long] {
            let work = self.work(name);
            assert_eq!(self.won(&work).await.attempts(), 1, "{name}");
            assert!(matches!(self.claimed(&work).await, Claimed::Held { .. }), "{name}");
        }
    }
}
