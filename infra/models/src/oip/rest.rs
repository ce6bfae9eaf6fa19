//! The protocol over REST: JSON, with tensors behind it in Triton's binary form or in it.

use super::answer::{self, Answered, Refused};
use super::body::{self, Malformed, Metadata, Tensors};
use super::{ANSWER_TIMEOUT, CONNECT_TIMEOUT, PATIENCE, PATIENCE_TIMES, Token};
use crate::tensor::{InputTensor, OutputTensor};
use framepost_ports::shown::ShownUrl;
use framepost_ports::{Error, ErrorKind, Result};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use url::Url;

/// The length of the document before binary tensors.
const DOCUMENT_BYTES: &str = "Inference-Header-Content-Length";
/// The same in a media type, for servers behind Vertex AI, which passes on no other header.
const VERTEX_TYPE: &str = "application/vnd.vertex-ai-triton.binary+json;json-header-size=";
/// Where Vertex AI takes requests for whatever serves a model.
pub(super) const RAW_PREDICT: &str = ":rawPredict";

/// A server that is asked over REST.
pub(super) struct Rest {
    url: Url,
    form: Form,
    client: reqwest::Client,
    token: Token,
    /// Whether the server has refused binary tensors.
    only_json: AtomicBool,
}

/// What a server's URLs are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `…/v2/models/NAME` and `…/v2/models/NAME/infer`.
    Model,
    /// `…:rawPredict`, which says nothing of the model.
    RawPredict,
}

/// Makes a client whose requests end in time.
pub(super) fn client() -> Result<reqwest::Client> {
    // A provider that was installed before is kept.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        // Another server would get the pictures, and perhaps the token.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| Error::new(ErrorKind::Invalid, "connect", "a model server").because(error))
}

/// Returns whether the connection ended before there was an answer, in the time that there was for one.
fn broke_off(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(this) = cause {
        if let Some(lost) = this.downcast_ref::<reqwest::Error>() {
            return lost.is_request() && !lost.is_timeout() && !lost.is_connect();
        }
        cause = this.source();
    }
    false
}

impl Rest {
    pub(super) fn new(url: Url, token: Token) -> Result<Self> {
        let form = if url.path().ends_with(RAW_PREDICT) { Form::RawPredict } else { Form::Model };
        Ok(Self { url, form, client: client()?, token, only_json: AtomicBool::new(false) })
    }

    /// Asks for what the server says of the model; `None` where it cannot be asked for that.
    pub(super) async fn metadata(&self) -> Result<Option<Metadata>> {
        if self.form == Form::RawPredict {
            return Ok(None);
        }
        let request = self.client.get(self.url.clone());
        let answered = self.send("ask", request).await?.map_err(|refused| refused.error)?;
        serde_json::from_slice(&answered.body).map(Some).map_err(|error| self.malformed(error))
    }

    /// Whether the server has refused binary tensors.
    pub(super) fn takes_only_json(&self) -> bool {
        self.only_json.load(Ordering::Relaxed)
    }

    /// Runs the model. All outputs are asked for where `outputs` names none.
    pub(super) async fn look(&self, input: &InputTensor, name: &str, outputs: &[&str]) -> Result<Vec<OutputTensor>> {
        if !self.takes_only_json() {
            let (error, is_refusal) = match self.infer(name, input, outputs, Tensors::Binary).await {
                Ok(Ok(found)) => return Ok(found),
                // OpenVINO Model Server answers 412 to a document that is no JSON: to all of the body, where a proxy has taken
                // the header away.
                Ok(Err(Refused { status: 400 | 404 | 412 | 415 | 422 | 500 | 501, error, .. })) => (error, true),
                Ok(Err(refused)) => return Err(refused.error),
                // A server may refuse a body while that is on its way, and close the connection: what it said is lost then.
                Err(error) if broke_off(&error) => (error, false),
                Err(error) => return Err(error),
            };
            // Only a server that then takes JSON has refused the form, and not the picture.
            let Ok(Ok(found)) = self.infer(name, input, outputs, Tensors::Json).await else { return Err(error) };
            if is_refusal {
                tracing::info!(server = %self.shown(), "the model server takes no binary tensors");
                self.only_json.store(true, Ordering::Relaxed);
            }
            return Ok(found);
        }
        self.infer(name, input, outputs, Tensors::Json).await?.map_err(|refused| refused.error)
    }

    async fn infer(
        &self,
        name: &str,
        input: &InputTensor,
        outputs: &[&str],
        tensors: Tensors,
    ) -> Result<Result<Vec<OutputTensor>, Refused>> {
        let body = body::request(name, input, outputs, tensors).map_err(|error| self.unwritable(error))?;
        let mut url = self.url.clone();
        if self.form == Form::Model {
            url.set_path(&format!("{}/infer", self.url.path().trim_end_matches('/')));
        }
        let request = self.client.post(url);
        let request = match (body.document_bytes, self.form) {
            (None, _) => request.header(CONTENT_TYPE, "application/json"),
            (Some(bytes), Form::Model) => {
                request.header(CONTENT_TYPE, "application/octet-stream").header(DOCUMENT_BYTES, bytes)
            }
            (Some(bytes), Form::RawPredict) => request.header(CONTENT_TYPE, format!("{VERTEX_TYPE}{bytes}")),
        };
        let answered = match self.send("ask", request.body(body.bytes)).await? {
            Ok(answered) => answered,
            Err(refused) => return Ok(Err(refused)),
        };
        let number = |value: &str| value.trim().parse::<usize>().ok();
        let text = |name: &str| answered.headers.get(name).map(HeaderValue::to_str).and_then(Result::ok);
        let in_type = || text("content-type").and_then(|value| value.strip_prefix(VERTEX_TYPE));
        let document_bytes = text(DOCUMENT_BYTES).or_else(in_type).and_then(number);
        body::answer(&answered.body, document_bytes).map(Ok).map_err(|error| self.malformed(error))
    }

    /// Sends a request. A server that asks for a moment's patience is asked again.
    async fn send(
        &self,
        operation: &'static str,
        request: reqwest::RequestBuilder,
    ) -> Result<Result<Answered, Refused>> {
        let shown = self.shown();
        for _ in 0..PATIENCE_TIMES {
            let Some(again) = request.try_clone() else { break };
            let again = self.authorized(again).await?;
            match answer::receive(operation, &shown, again).await? {
                Err(Refused { retry_after: Some(wait), .. }) if wait <= PATIENCE => tokio::time::sleep(wait).await,
                answered => return Ok(answered),
            }
        }
        answer::receive(operation, &shown, self.authorized(request).await?).await
    }

    async fn authorized(&self, request: reqwest::RequestBuilder) -> Result<reqwest::RequestBuilder> {
        Ok(match self.token.get(&self.client).await? {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    fn malformed(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::new(ErrorKind::Corrupt, "read", self.shown()).because(error)
    }

    fn unwritable(&self, error: Malformed) -> Error {
        Error::new(ErrorKind::Invalid, "ask", self.shown()).because(error)
    }

    /// The server without anything that could be a secret.
    fn shown(&self) -> String {
        ShownUrl::of(self.url.as_str()).as_str().to_owned()
    }
}
