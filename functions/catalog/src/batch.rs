//! Writes several changes in one transaction.
//!
//! A transaction costs a sync of the disk, or some round trips to a server, however many rows it writes. Therefore one task
//! takes all waiting changes, writes them together and tells the callers; meanwhile the next batch gathers. A change that
//! arrives alone is written alone, without delay.

use framepost_ports::catalog::Change;
use framepost_ports::{Catalog, Error, ErrorKind};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// The most changes in one transaction.
const LARGEST: usize = 256;

type Taken = Result<(), Arc<Error>>;

/// Writes changes in batches. The task ends with the last clone.
#[derive(Debug, Clone)]
pub struct Batches {
    waiting: mpsc::Sender<(Change, oneshot::Sender<Taken>)>,
}

impl Batches {
    /// Starts the task that writes.
    pub fn start(catalog: Arc<dyn Catalog>) -> Self {
        let (waiting, mut taken) = mpsc::channel(LARGEST);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while taken.recv_many(&mut batch, LARGEST).await > 0 {
                let (changes, waiters): (Vec<Change>, Vec<_>) = batch.drain(..).unzip();
                write(&*catalog, &changes, waiters).await;
            }
        });
        Self { waiting }
    }

    /// Writes the change. On return it is durable, or had no effect.
    pub async fn apply(&self, change: Change) -> Taken {
        let (tell, told) = oneshot::channel();
        let gone =
            || Arc::new(Error::new(ErrorKind::Io, "write", "the catalogue").because("the task that writes has ended"));
        self.waiting.send((change, tell)).await.map_err(|_| gone())?;
        told.await.map_err(|_| gone())?
    }
}

async fn write(catalog: &dyn Catalog, changes: &[Change], waiters: Vec<oneshot::Sender<Taken>>) {
    let written = catalog.apply(changes).await.map_err(Arc::new);
    let is_one_at_fault = changes.len() > 1 && written.as_ref().is_err_and(|error| error.kind() == ErrorKind::Invalid);
    for (change, waiter) in changes.iter().zip(waiters) {
        let taken = match &written {
            // The others shall not suffer for it.
            Err(_) if is_one_at_fault => catalog.apply(std::slice::from_ref(change)).await.map_err(Arc::new),
            written => written.clone(),
        };
        // Whoever has given up is told by the next delivery.
        let _ = waiter.send(taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use framepost_ports::contract::Footage;
    use framepost_ports::memory::MemoryCatalog;

    #[tokio::test]
    async fn many_at_once_are_all_taken() {
        let catalog = Arc::new(MemoryCatalog::default());
        let judge = MemoryCatalog::default();
        let changes = Footage::new(1).changes(24);
        judge.apply(&changes).await.unwrap();
        let batches = Batches::start(catalog.clone());
        let number = u64::try_from(changes.len()).unwrap();
        let tasks: Vec<_> = changes
            .into_iter()
            .map(|change| {
                let batches = batches.clone();
                tokio::spawn(async move { batches.apply(change).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        assert_eq!(catalog.cameras().await.unwrap(), judge.cameras().await.unwrap());
        let written = *catalog.written().unwrap().borrow();
        assert!(number > 100 && written * 20 < number, "{number} changes in {written} batches");
    }
}
