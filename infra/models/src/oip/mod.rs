//! `oip+http(s):`: models on a server of the [Open Inference Protocol v2](https://github.com/kserve/open-inference-protocol) over
//! REST: Triton, KServe, MLServer, OpenVINO, Seldon; and Vertex AI's `:rawPredict` before a Triton.
//!
//! Tensors travel in Triton's binary form. Where a server refuses that, they travel as JSON from then on. Before the first
//! picture, what the server says of the model is compared with `model.toml`.

mod answer;
mod body;
mod token;

pub use token::Token;

use crate::decode::decode;
use crate::manifest::{Decoder, Manifest};
use crate::prepare::{prepare, shape};
use crate::store::{Description, ModelDirectory};
use crate::tensor::{InputTensor, OutputTensor};
use answer::{Answered, Refused};
use async_trait::async_trait;
use body::{Malformed, Metadata, Tensors, datatype};
use framepost_events::detection::Detection;
use framepost_events::record::Model as Named;
use framepost_ports::{Detector, Error, ErrorKind, Picture, Result};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;
use url::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for an answer, a model that is loaded on demand included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The length of the document before binary tensors.
const DOCUMENT_BYTES: &str = "Inference-Header-Content-Length";
/// The same in a media type, for servers behind Vertex AI, which passes on no other header.
const VERTEX_TYPE: &str = "application/vnd.vertex-ai-triton.binary+json;json-header-size=";
/// Where Vertex AI takes requests for whatever serves a model.
const RAW_PREDICT: &str = ":rawPredict";
/// A server that asks for less than this is waited for, this often.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_TIMES: usize = 2;

/// Finds things in pictures with a model on a server.
pub struct OipDetector {
    named: Named,
    directory: ModelDirectory,
    description: Description,
    url: Url,
    form: Form,
    client: reqwest::Client,
    token: Token,
    /// The name of the model's input.
    input: OnceCell<String>,
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

impl OipDetector {
    /// Asks the server at `url` for the model that is described in `directory`. Nothing is sent yet.
    pub async fn new(url: Url, directory: ModelDirectory, token: Token) -> Result<Self> {
        let description = directory.describe().await?;
        let manifest = &description.manifest;
        let invalid = |why: &str| Error::new(ErrorKind::Invalid, "connect", "a model server").because(why.to_owned());
        let is_local = url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
        if !matches!(token, Token::None) && url.scheme() == "http" && !is_local {
            return Err(invalid("a token is not sent without TLS; use oip+https: or a server on this machine"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(invalid("its URL must not contain a user, a password or parameters"));
        }
        let form = if url.path().ends_with(RAW_PREDICT) { Form::RawPredict } else { Form::Model };
        let named = Named {
            detector: "oip".to_owned(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: manifest.file.as_ref().map(|file| file.sha256),
            arm: None,
        };
        // A provider that was installed before is kept.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            // Another server would get the pictures, and perhaps the token.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::new(ErrorKind::Invalid, "connect", "a model server").because(error))?;
        let only_json = AtomicBool::new(false);
        Ok(Self { named, directory, description, url, form, client, token, input: OnceCell::new(), only_json })
    }

    /// The model's directory that a URL stands for, in the directory of models: the `NAME` of `/v2/models/NAME`. Vertex AI's URLs
    /// name no model; there it is the endpoint's last part before the colon.
    pub fn model_name(url: &Url) -> Option<&str> {
        let segments: Vec<&str> = url.path_segments()?.collect();
        let name = match segments.as_slice() {
            [.., "models", name] | [.., "models", name, "versions", _] => *name,
            [.., last] => last.strip_suffix(RAW_PREDICT)?,
            [] => return None,
        };
        crate::manifest::is_file_name(name).then_some(name)
    }

    /// Asks the server about the model, and compares that with `model.toml`. Returns the input's name.
    pub async fn check(&self) -> Result<&str> {
        let ask = || async {
            let Manifest { input, .. } = &self.description.manifest;
            if self.form == Form::RawPredict {
                let missing = "model.toml has no `input.name`, which this server cannot be asked for";
                return input.name.clone().ok_or_else(|| self.directory.invalid("check", missing));
            }
            let request = self.client.get(self.url.clone());
            let answered = self.send("ask", request).await?.map_err(|refused| refused.error)?;
            let metadata: Metadata = serde_json::from_slice(&answered.body).map_err(|error| self.malformed(error))?;
            let [found] = metadata.inputs.as_slice() else {
                let why = format!("the server's model has {} inputs; it needs to have one", metadata.inputs.len());
                return Err(self.directory.invalid("check", why));
            };
            let expected = (input.name.as_deref().unwrap_or(&found.name), datatype(input.element), shape(input));
            let is_any = |length: i64, expected: usize| length < 0 || usize::try_from(length) == Ok(expected);
            let fits = found.shape.is_empty()
                || found.shape.len() == 4 && found.shape.iter().zip(expected.2).all(|(length, e)| is_any(*length, e))
                // Triton leaves out the first dimension where it makes batches itself.
                || found.shape.len() == 3 && found.shape.iter().zip(&expected.2[1..]).all(|(length, e)| is_any(*length, *e));
            let is_typed = found.datatype.is_empty() || found.datatype == expected.1;
            if found.name != expected.0 || !is_typed || !fits {
                let found = format!("{} {} {:?}", found.name, found.datatype, found.shape);
                let why = format!("the server's model has the input {found}; model.toml says {expected:?}");
                return Err(self.directory.invalid("check", why));
            }
            Ok(found.name.clone())
        };
        self.input.get_or_try_init(ask).await.map(String::as_str)
    }

    /// Whether the server has refused binary tensors.
    pub fn takes_only_json(&self) -> bool {
        self.only_json.load(Ordering::Relaxed)
    }

    async fn look(&self, input: &InputTensor, name: &str) -> Result<Vec<OutputTensor>> {
        let outputs = outputs(&self.description.manifest.decoder);
        if !self.takes_only_json() {
            match self.infer(name, input, &outputs, Tensors::Binary).await? {
                Ok(found) => return Ok(found),
                Err(Refused { status: 400 | 404 | 415 | 422 | 500 | 501, error, .. }) => {
                    // Only a server that then takes JSON has refused the form, and not the picture.
                    let Ok(Ok(found)) = self.infer(name, input, &outputs, Tensors::Json).await else {
                        return Err(error);
                    };
                    tracing::info!(server = %self.shown(), "the model server takes no binary tensors");
                    self.only_json.store(true, Ordering::Relaxed);
                    return Ok(found);
                }
                Err(refused) => return Err(refused.error),
            }
        }
        self.infer(name, input, &outputs, Tensors::Json).await?.map_err(|refused| refused.error)
    }

    async fn infer(
        &self,
        name: &str,
        input: &InputTensor,
        outputs: &[&str],
        tensors: Tensors,
    ) -> Result<Result<Vec<OutputTensor>, Refused>> {
        let body =
            body::request(name, input, outputs, tensors).map_err(|error| self.directory.invalid("ask", error))?;
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

    /// The server without anything that could be a secret.
    fn shown(&self) -> String {
        framepost_ports::shown::ShownUrl::of(self.url.as_str()).as_str().to_owned()
    }
}

/// The outputs to ask for; none where there is only one and its name is not known.
fn outputs(decoder: &Decoder) -> Vec<&str> {
    decoder.outputs().unwrap_or_default()
}

#[async_trait]
impl Detector for OipDetector {
    fn model(&self) -> &Named {
        &self.named
    }

    fn input_size(&self) -> Option<(u32, u32)> {
        let input = &self.description.manifest.input;
        Some((input.width, input.height))
    }

    async fn detect(&self, pictures: &[Picture]) -> Result<Vec<Vec<Detection>>> {
        let name = self.check().await?;
        let Description { manifest, labels } = &self.description;
        let mut found = Vec::with_capacity(pictures.len());
        for picture in pictures {
            let picture = picture.clone();
            let expected = manifest.input.clone();
            let prepared = tokio::task::spawn_blocking(move || prepare(&picture, &expected)).await;
            let (input, placement) = prepared.map_err(|error| self.directory.invalid("prepare", error))?;
            let outputs = self.look(&input, name).await?;
            let read = decode(manifest, labels, &outputs, &placement);
            found.push(read.map_err(|error| self.directory.invalid("read", Malformed(error.to_string())))?);
        }
        Ok(found)
    }
}
