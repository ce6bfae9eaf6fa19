//! The one place where a message's body becomes events.

pub(crate) use framepost_events::finalized::{Notice, parse};
