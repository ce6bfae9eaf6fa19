//! The contract suite for the local ledger, with one process and with two that have it open.

use async_trait::async_trait;
use framepost_local::LocalLedger;
use framepost_ports::Result;
use framepost_ports::ledger::{Entry, LedgerStore, Swap, Version};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_claims_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    framepost_ports::contract::ledger(Arc::new(LocalLedger::open(dir.path().join("claims")).await.unwrap())).await;
}

/// Sends each request through another opening of the directory.
struct InTurns {
    all: [LocalLedger; 2],
    turn: AtomicUsize,
}

impl InTurns {
    fn next(&self) -> &LocalLedger {
        &self.all[self.turn.fetch_add(1, Ordering::Relaxed) % 2]
    }
}

#[async_trait]
impl LedgerStore for InTurns {
    async fn read(&self, work: &str) -> Result<Option<(Entry, Version)>> {
        self.next().read(work).await
    }

    async fn swap(&self, work: &str, expected: Option<&Version>, entry: &Entry) -> Result<Swap> {
        self.next().swap(work, expected, entry).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_openings_of_one_directory_keep_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let open = || LocalLedger::open(dir.path().join("claims"));
    let all = [open().await.unwrap(), open().await.unwrap()];
    framepost_ports::contract::ledger(Arc::new(InTurns { all, turn: AtomicUsize::new(0) })).await;
}
