//! Request bodies with limits on their size and their time.

use super::HttpLimits;
use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use http_body_util::Limited;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// The error of a body that takes too long.
#[derive(Debug, thiserror::Error)]
#[error("not there after {0:?}")]
pub(super) struct TooSlow(Duration);

/// Returns a body that fails with [`http_body_util::LengthLimitError`] after [`HttpLimits::body_bytes`], and with [`TooSlow`]
/// after [`HttpLimits::body`]. Its errors are wrapped once.
pub(super) fn limited(body: Body, limits: HttpLimits) -> Body {
    let timed = Timed { body, limit: limits.body, until: Box::pin(tokio::time::sleep(limits.body)) };
    Body::new(Limited::new(timed, limits.body_bytes))
}

struct Timed {
    body: Body,
    limit: Duration,
    until: Pin<Box<Sleep>>,
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        self.until.as_mut().poll(context).map(|()| Some(Err(TooSlow(limit).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
