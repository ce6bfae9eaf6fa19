use crate::ledger::{Entry, LedgerStore, Swap, Version};
use crate::memory::Fault;
use crate::{Error, ErrorKind, Result};
use async_trait::async_trait;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// A ledger's store in memory. Only its writes can be made to fail.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    entries: Mutex<HashMap<String, Entry>>,
    faults: Mutex<VecDeque<Fault>>,
}

impl MemoryLedger {
    /// Makes the next write that has no fault assigned yet fail with `fault`.
    pub fn inject(&self, fault: Fault) {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push_back(fault);
    }
}

#[async_trait]
impl LedgerStore for MemoryLedger {
    async fn read(&self, work: &str) -> Result<Option<(Entry, Version)>> {
        // Let concurrent tasks run in between, as they would with a real store.
        tokio::task::yield_now().await;
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(entries.get(work).map(|entry| (entry.clone(), Version(entry.write.clone()))))
    }

    async fn swap(&self, work: &str, expected: Option<&Version>, entry: &Entry) -> Result<Swap> {
        tokio::task::yield_now().await;
        let fault = self.faults.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        match fault {
            Some(Fault::Stall) => std::future::pending().await,
            Some(Fault::Fail(kind)) => return Err(Error::new(kind, "claim", work)),
            Some(Fault::AnswerLost) | None => {}
        }
        let swap = {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            if entries.get(work).map(|there| there.write.as_str()) == expected.map(|version| version.0.as_str()) {
                entries.insert(work.to_owned(), entry.clone());
                Swap::Written(Version(entry.write.clone()))
            } else {
                Swap::Refused
            }
        };
        match fault {
            Some(_) => Err(Error::new(ErrorKind::Transport, "claim", work)),
            None => Ok(swap),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Claimed, Hold};
    use crate::{Ledger, SystemClock, contract};
    use std::sync::Arc;
    use std::time::Duration;

    const LEASE: Duration = Duration::from_mins(5);

    #[tokio::test(flavor = "multi_thread")]
    async fn it_keeps_the_contract() {
        contract::ledger(Arc::new(MemoryLedger::default())).await;
    }

    #[tokio::test]
    async fn an_answer_that_is_lost_loses_no_claim() {
        let store = Arc::new(MemoryLedger::default());
        let ledger = Ledger::new(store.clone(), Arc::new(SystemClock));
        store.inject(Fault::AnswerLost);
        let Claimed::Won(mut claim) = ledger.claim("w", LEASE).await.unwrap() else { panic!("nobody else is there") };
        assert_eq!(claim.attempts(), 1);
        store.inject(Fault::AnswerLost);
        assert_eq!(ledger.done(&mut claim).await.unwrap(), Hold::Kept);
        assert_eq!(ledger.claim("w", LEASE).await.unwrap(), Claimed::Done);
    }

    #[tokio::test]
    async fn a_write_without_effect_is_an_error_and_can_be_repeated() {
        let store = Arc::new(MemoryLedger::default());
        let ledger = Ledger::new(store.clone(), Arc::new(SystemClock));
        store.inject(Fault::Fail(ErrorKind::Busy));
        assert_eq!(ledger.claim("w", LEASE).await.unwrap_err().kind(), ErrorKind::Busy);
        let Claimed::Won(mut claim) = ledger.claim("w", LEASE).await.unwrap() else { panic!("nobody has it") };
        store.inject(Fault::Fail(ErrorKind::Transport));
        assert_eq!(ledger.done(&mut claim).await.unwrap_err().kind(), ErrorKind::Transport);
        assert_eq!(ledger.done(&mut claim).await.unwrap(), Hold::Kept);
    }
}
