//! Answers of limited length.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

/// What was read of a body.
pub(crate) enum Body {
    Whole(Bytes),
    /// Its first bytes. There are more.
    Cut(Bytes),
}

/// Reads at most `limit` bytes, and closes the connection where there are more.
pub(crate) async fn read(mut answer: Response, limit: usize) -> reqwest::Result<Body> {
    let mut body = BytesMut::new();
    while let Some(part) = answer.chunk().await? {
        let room = limit - body.len();
        if part.len() > room {
            body.extend_from_slice(&part[..room]);
            return Ok(Body::Cut(body.freeze()));
        }
        body.extend_from_slice(&part);
    }
    Ok(Body::Whole(body.freeze()))
}
