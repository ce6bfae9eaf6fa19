//! Whether a request comes from the sender that a function waits for.

use crate::Result;
use async_trait::async_trait;
use std::fmt;

/// Checks who sends a request, by what the request says of it. Needed where requests come without the cloud's own check.
#[async_trait]
pub trait SenderCheck: fmt::Debug + Send + Sync {
    /// Checks a request by its `Authorization` header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Denied`](crate::ErrorKind::Denied) says that the sender is another one. Any other kind says that this
    /// could not be found out: the request may be repeated.
    async fn check(&self, authorization: Option<&str>) -> Result<()>;
}
