//! A panic costs one message.

use framepost_events::ObjectFinalized;
use framepost_ports::{Function, Outcome};
use futures::FutureExt as _;
use std::any::Any;
use std::panic::AssertUnwindSafe;

/// What became of one event.
pub(crate) enum Handled {
    Outcome(Outcome),
    /// In the handler's own words.
    Panic(String),
}

pub(crate) async fn handle(function: &dyn Function<ObjectFinalized>, event: ObjectFinalized) -> Handled {
    // What the handler shares with other events must stand a panic anyway: its fields are behind `&self`.
    match AssertUnwindSafe(async { function.handle(event).await }).catch_unwind().await {
        Ok(outcome) => Handled::Outcome(outcome),
        Err(panic) => Handled::Panic(words(&*panic)),
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
