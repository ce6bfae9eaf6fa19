//! A function beside a Pub/Sub subscription: a worker on Kubernetes, or any machine.
//!
//! A message is acknowledged when it is dealt with. One that is to come again is given back at once, whatever time the
//! function asks for: the subscription's back-off decides when, as it does for push. Leases are extended while a
//! message is handled. At the end nothing more is taken and what is in hand is finished, for as long as the place lets it.

use crate::event::{Carrier, Event, Message};
use crate::settle::{Answer, Handler};
use framepost_gcp::{PubSubSubscription, Pulled};
use framepost_ports::Result;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

/// Handles messages, `concurrency` of them at a time, until `shutdown`, or until the subscription cannot be pulled any more.
pub async fn run<E: Event>(
    handler: Handler<E>,
    mut subscription: PubSubSubscription,
    concurrency: u32,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let function = handler.name();
    tracing::info!(function, concurrency, "taking messages");
    let (places, hands) = (Arc::new(Semaphore::new(concurrency as usize)), TaskTracker::new());
    let mut shutdown = std::pin::pin!(shutdown);
    let ended = loop {
        let place = tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            place = places.clone().acquire_owned() => place,
        };
        let pulled = tokio::select! {
            biased;
            () = &mut shutdown => break Ok(()),
            pulled = subscription.next() => pulled,
        };
        match pulled {
            Ok(pulled) => {
                let handler = handler.clone();
                hands.spawn(async move {
                    one(&handler, pulled).await;
                    drop(place);
                });
            }
            Err(error) => break Err(error),
        }
    };
    hands.close();
    tracing::info!(function, in_hand = hands.len(), "finishing what is in hand");
    tokio::join!(hands.wait(), subscription.leave().left());
    tracing::info!(function, "ended");
    ended
}

async fn one<E: Event>(handler: &Handler<E>, pulled: Pulled) {
    let message = Message {
        id: pulled.id.clone(),
        carrier: Carrier::PubSub,
        attributes: pulled.attributes.clone(),
        body: pulled.data.clone(),
        trace_id: None,
    };
    let once_time = pulled.published.map(tracing::field::display);
    let span = tracing::error_span!("pulled", function = handler.name(), once_time);
    match handler.settle(&message, None).instrument(span).await.answer {
        Answer::Acknowledge => pulled.acknowledge(),
        Answer::Again(_) => pulled.give_back(),
    }
}
