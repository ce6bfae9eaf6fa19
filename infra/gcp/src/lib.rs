//! Google Cloud.

mod push_token;

pub use push_token::{PushTokenOptions, PushTokens};
