//! The bus inside the process keeps the contract, with a subscriber that is slower than the publishers.

#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use framepost_events::record::Record;
use framepost_local::LocalBus;
use framepost_ports::contract::{self, Listener};
use std::sync::{Arc, Mutex};

struct Heard(Arc<Mutex<Vec<Record>>>);

#[async_trait]
impl Listener for Heard {
    async fn heard(&self) -> Vec<Record> {
        self.0.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_bus_in_the_process_keeps_the_contract() {
    let bus = LocalBus::default();
    let mut subscription = bus.subscribe(1);
    let heard = Heard(Arc::default());
    let all = heard.0.clone();
    let subscriber = tokio::spawn(async move {
        while let Some(record) = subscription.recv().await {
            all.lock().unwrap().push(record.as_ref().clone());
        }
    });
    contract::bus(&bus, &heard).await;
    drop(bus);
    subscriber.await.unwrap();
}
