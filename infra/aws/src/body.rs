//! Object content as a request body, and the digest that the request signer uses for it.

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

/// Holds the error of a body that failed. The HTTP connection only reports that the body ended early.
#[derive(Debug, Clone, Default)]
pub(crate) struct ContentError(Arc<Mutex<Option<io::Error>>>);

impl ContentError {
    pub(crate) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Returns a body that sends `content`, and the place where it stores its error if it fails.
pub(crate) async fn of(content: &dyn Content) -> Result<(ByteStream, ContentError), io::Error> {
    let failure = ContentError::default();
    let mut stream = exact(content);
    let left = content.len_bytes();
    if left == 0 {
        // HTTP clients do not poll an empty body, so check here that the content really is empty.
        while let Some(piece) = futures::StreamExt::next(&mut stream).await {
            piece?;
        }
        return Ok((ByteStream::from_static(b""), failure));
    }
    // The mutex makes the body `Sync`. It is only accessed through `&mut`, so it is never locked.
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

/// Makes the signer use a digest that is already known.
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
