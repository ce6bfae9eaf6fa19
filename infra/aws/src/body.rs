//! Content as a request's body, and what the signer is told of it.

use aws_runtime::auth::PayloadSigningOverride;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use bytes::Bytes;
use framepost_events::Sha256;
use framepost_ports::{Content, ContentStream, exact};
use http_body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

/// Where a body that failed leaves its error: the connection only says that it broke.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContentError(Arc<Mutex<Option<io::Error>>>);

impl ContentError {
    pub(crate) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The body that sends `content`, and where its failure will lie.
pub(crate) async fn of(content: &dyn Content) -> Result<(ByteStream, ContentError), io::Error> {
    let failure = ContentError::default();
    let mut stream = exact(content);
    let left = content.len_bytes();
    if left == 0 {
        // Nobody would ask an empty body whether it keeps its word.
        while let Some(piece) = futures::StreamExt::next(&mut stream).await {
            piece?;
        }
        return Ok((ByteStream::from_static(b""), failure));
    }
    // A mutex makes it `Sync`; it is only ever reached by `&mut`, without locking.
    let body = Sending { stream: Mutex::new(stream), left, failure: failure.clone() };
    Ok((ByteStream::new(SdkBody::from_body_1_x(body)), failure))
}

struct Sending {
    stream: Mutex<ContentStream>,
    left: u64,
    failure: ContentError,
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let stream = this.stream.get_mut().unwrap_or_else(PoisonError::into_inner);
        Poll::Ready(match ready!(stream.as_mut().poll_next(cx)) {
            None => None,
            Some(Ok(bytes)) => {
                this.left = this.left.saturating_sub(bytes.len() as u64);
                Some(Ok(Frame::data(bytes)))
            }
            Some(Err(error)) => {
                let told = io::Error::new(error.kind(), error.to_string());
                *this.failure.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some(Err(told))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Has the request signed with a digest that is known already.
#[derive(Debug)]
pub(crate) struct KnownDigest(pub(crate) Sha256);

impl Intercept for KnownDigest {
    fn name(&self) -> &'static str {
        "KnownDigest"
    }

    fn modify_before_signing(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(PayloadSigningOverride::Precomputed(self.0.to_string()));
        Ok(())
    }
}
