//! The body of a put request as content of an object.

use bytes::Bytes;
use framepost_ports::{Content, ContentStream};
use futures::StreamExt as _;
use s3s::dto::StreamingBlob;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// How a body failed, for errors that the bucket cannot distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFault {
    /// The connection was lost, or the client sent less than announced.
    CutShort,
    /// All bytes arrived, and they differ from the signed ones.
    OtherBytes,
}

/// A request body, which can be read once.
pub(super) struct Upload {
    len: u64,
    body: Mutex<Option<StreamingBlob>>,
    fault: Arc<Mutex<Option<BodyFault>>>,
}

impl Upload {
    pub(super) fn new(len: u64, body: Option<StreamingBlob>) -> Self {
        Self { len, body: Mutex::new(body), fault: Arc::default() }
    }

    /// Returns why the body failed, if it did.
    pub(super) fn fault(&self) -> Option<BodyFault> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content for Upload {
    fn len_bytes(&self) -> u64 {
        self.len
    }

    fn open(&self) -> ContentStream {
        let Some(body) = self.body.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return Box::pin(futures::stream::empty());
        };
        let fault = self.fault.clone();
        Box::pin(body.map(move |piece| {
            piece.map_err(|error| {
                // s3s has no public type for this error.
                let mismatch = error.to_string().contains("Sha256Mismatch");
                let found = if mismatch { BodyFault::OtherBytes } else { BodyFault::CutShort };
                *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                io::Error::other(error)
            })
        })) as futures::stream::BoxStream<'static, io::Result<Bytes>>
    }
}
