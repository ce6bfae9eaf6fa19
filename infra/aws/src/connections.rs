//! The connections of a session, which all of its clients share.
//!
//! TLS is expensive to set up, because every trusted certificate of the machine is read and parsed. The SDK's
//! own HTTP client does that for each service client, discards the result, and does it again for the first
//! request. This module does it once: when the first `https://` request needs it, or when
//! [`Connections::prepare`] is called. Endpoints without TLS never need it.
//!
//! The SDK collects a response in memory before it checks it, whoever sent it and whatever its length. This
//! module therefore limits bodies, for every service and for the sources of credentials (instance metadata,
//! containers, STS, OIDC): see [`bounded`].

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use framepost_ports::{Error, ErrorKind, Result};
use http_body::{Body, Frame};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// Connection pools with and without TLS. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    plain: Pools,
    secure: Pools,
}

impl Connections {
    pub(crate) fn new() -> Result<Self> {
        // The pool for plain HTTP trusts no certificate.
        let nobody = TlsContext::builder().with_trust_store(TrustStore::empty()).build();
        let nobody = nobody.map_err(|error| Error::new(ErrorKind::Invalid, "connect", "aws").because(error))?;
        Ok(Self { plain: Pools::trusting(nobody), secure: Pools::trusting(TlsContext::default()) })
    }

    /// Does the TLS setup now that the first request with this time limit would otherwise wait for.
    pub(crate) fn prepare(&self, connect_timeout: Duration) {
        self.secure.with(&HttpConnectorSettings::builder().connect_timeout(connect_timeout).build());
    }
}

impl HttpClient for Connections {
    fn http_connector(&self, settings: &HttpConnectorSettings, _components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ByScheme { connections: self.clone(), settings: settings.clone() })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        Some(ConnectorMetadata::new("hyper", Some("1.x".into())))
    }
}

/// How much of an error body is read. The rest is cut off and the connection is closed. No error of a
/// service is that long.
const ERROR_LIMIT_BYTES: u64 = 64 * 1024;
/// Size limit of a success body. A batch of SQS messages takes up to 1 MiB. A longer body is an error.
const DOCUMENT_LIMIT_BYTES: u64 = 4 * 1024 * 1024;

/// How the caller reads a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As a stream of an object's bytes, which the caller can stop at any time.
    Object,
    /// As a whole in memory, at most [`DOCUMENT_LIMIT_BYTES`]: every answer that is not an object.
    Document,
}

/// Limits the body of a response to what may be held in memory.
fn bounded(answer: HttpResponse, of: Reading) -> HttpResponse {
    let limit = match (answer.status().is_success(), of) {
        (false, _) => Limited { left: ERROR_LIMIT_BYTES, beyond: Beyond::Ends, inner: None },
        (true, Reading::Document) => Limited { left: DOCUMENT_LIMIT_BYTES, beyond: Beyond::Fails, inner: None },
        (true, Reading::Object) => return answer,
    };
    answer.map(|body| SdkBody::from_body_1_x(Limited { inner: Some(body), ..limit }))
}

/// What happens to a body that exceeds the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Ends,
    Fails,
}

struct Limited {
    left: u64,
    beyond: Beyond,
    /// `None`, with the connection closed, once the limit is reached.
    inner: Option<SdkBody>,
}

impl Body for Limited {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Self::Error>>> {
        let Some(inner) = self.inner.as_mut() else { return Poll::Ready(None) };
        let frame = match ready!(Pin::new(inner).poll_frame(cx)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(error))),
            Some(Ok(frame)) => frame,
        };
        let Some(data) = frame.data_ref() else { return Poll::Ready(Some(Ok(frame))) };
        let bytes = data.len() as u64;
        if bytes <= self.left {
            self.left -= bytes;
            return Poll::Ready(Some(Ok(frame)));
        }
        self.inner = None;
        Poll::Ready(match self.beyond {
            Beyond::Ends => None,
            Beyond::Fails => Some(Err("the answer is longer than any of the service's".into())),
        })
    }
}

/// Chooses the pool by the scheme of each request.
#[derive(Debug)]
struct ByScheme {
    connections: Connections,
    settings: HttpConnectorSettings,
}

impl HttpConnector for ByScheme {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Connections { plain, secure } = &self.connections;
        let pools = if request.uri().starts_with("http://") { plain } else { secure };
        let streams = request.method() == "GET" && request.uri().contains("x-id=GetObject");
        let answer = pools.with(&self.settings).call(request);
        let of = if streams { Reading::Object } else { Reading::Document };
        HttpConnectorFuture::new(async move { Ok(bounded(answer.await?, of)) })
    }
}

/// One pool of connections for each combination of time limits.
#[derive(Debug, Clone)]
struct Pools {
    trusted: TlsContext,
    made: Arc<Mutex<Vec<(HttpConnectorSettings, SharedHttpConnector)>>>,
}

impl Pools {
    fn trusting(trusted: TlsContext) -> Self {
        Self { trusted, made: Arc::default() }
    }

    /// Returns the pool for `settings`. Concurrent callers wait while it is created.
    fn with(&self, settings: &HttpConnectorSettings) -> SharedHttpConnector {
        let limits = |settings: &HttpConnectorSettings| (settings.connect_timeout(), settings.read_timeout());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, pool)) = made.iter().find(|(of, _)| limits(of) == limits(settings)) {
            return pool.clone();
        }
        let connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(self.trusted.clone())
            .connector_settings(settings.clone())
            .build();
        let pool = SharedHttpConnector::new(connector);
        made.push((settings.clone(), pool.clone()));
        pool
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_made_once_for_each_combination_of_limits_and_only_where_it_is_needed() {
        let connections = Connections::new().unwrap();
        let settings = |connect| HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(connect)).build();
        let made = |pools: &Pools| pools.made.lock().unwrap().len();
        let call = |uri: &str, settings| {
            let mut request = HttpRequest::empty();
            request.set_uri(uri.to_owned()).unwrap();
            drop(ByScheme { connections: connections.clone(), settings }.call(request));
        };
        call("http://127.0.0.1:9/", settings(1));
        call("http://localhost:9/", settings(1));
        call("http://127.0.0.1:9/", settings(2));
        assert_eq!((made(&connections.plain), made(&connections.secure)), (2, 0));
        connections.prepare(Duration::from_secs(1));
        call("https://127.0.0.1:9/", settings(1));
        assert_eq!((made(&connections.plain), made(&connections.secure)), (2, 1));
    }
}
