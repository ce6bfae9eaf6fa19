//! Google Cloud.

mod metadata;
mod push_token;

pub use metadata::project_id;
pub use push_token::{PushTokenOptions, PushTokens};
