//! `oip+http(s):` and `oip+grpc(s):`: models on a server of the [Open Inference Protocol
//! v2](https://github.com/kserve/open-inference-protocol): Triton, KServe, MLServer, OpenVINO, Seldon; and Vertex AI's
//! `:rawPredict` before a Triton.
//!
//! Over REST, tensors travel in Triton's binary form. Where a server refuses that, they travel as JSON from then on. Over gRPC
//! (feature `grpc`), they travel as raw contents. Before the first picture, what the server says of the model is compared with
//! `model.toml`.

mod answer;
mod body;
#[cfg(feature = "grpc")]
mod grpc;
mod rest;
mod token;

pub use token::Token;

use crate::decode::decode;
use crate::manifest::{Decoder, Manifest};
use crate::prepare::{prepare, shape};
use crate::store::{Description, ModelDirectory};
use crate::tensor::{InputTensor, OutputTensor};
use async_trait::async_trait;
use body::{Malformed, TensorMetadata, datatype};
use framepost_events::detection::Detection;
use framepost_events::record::Model as Named;
use framepost_ports::{Detector, Error, ErrorKind, Picture, Result};
use rest::{RAW_PREDICT, Rest};
use std::time::Duration;
use tokio::sync::OnceCell;
use url::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time limit for an answer, a model that is loaded on demand included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer, in bytes.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024 * 1024;
/// What is kept of the text of a refusal, in bytes.
const WORDS_LIMIT_BYTES: usize = 300;
/// A server that asks for less than this is waited for, this often.
const PATIENCE: Duration = Duration::from_secs(5);
const PATIENCE_TIMES: usize = 2;

/// Finds things in pictures with a model on a server.
pub struct OipDetector {
    named: Named,
    directory: ModelDirectory,
    description: Description,
    server: Server,
    names: OnceCell<Names>,
}

/// The names of the tensors that the server is asked with and for.
struct Names {
    input: String,
    /// Empty where the model has one output, and nobody says its name.
    outputs: Vec<String>,
}

/// The server, by the way in which it is asked.
enum Server {
    Rest(Box<Rest>),
    #[cfg(feature = "grpc")]
    Grpc(Box<grpc::Grpc>),
}

impl Server {
    fn new(url: Url, token: Token) -> Result<Self> {
        match url.scheme() {
            #[cfg(feature = "grpc")]
            "grpc" | "grpcs" => Ok(Self::Grpc(Box::new(grpc::Grpc::new(&url, token)?))),
            "http" | "https" => Ok(Self::Rest(Box::new(Rest::new(url, token)?))),
            other => {
                let why = format!("this program cannot ask a server over {other}");
                Err(Error::new(ErrorKind::Invalid, "connect", "a model server").because(why))
            }
        }
    }

    async fn metadata(&self) -> Result<Option<body::Metadata>> {
        match self {
            Self::Rest(server) => server.metadata().await,
            #[cfg(feature = "grpc")]
            Self::Grpc(server) => server.metadata().await.map(Some),
        }
    }

    async fn look(&self, input: &InputTensor, name: &str, outputs: &[&str]) -> Result<Vec<OutputTensor>> {
        match self {
            Self::Rest(server) => server.look(input, name, outputs).await,
            #[cfg(feature = "grpc")]
            Self::Grpc(server) => server.look(input, name, outputs).await,
        }
    }
}

impl OipDetector {
    /// Asks the server at `url` for the model that is described in `directory`. Nothing is sent yet.
    pub async fn new(url: Url, directory: ModelDirectory, token: Token) -> Result<Self> {
        let description = directory.describe().await?;
        let manifest = &description.manifest;
        let invalid = |why: &str| Error::new(ErrorKind::Invalid, "connect", "a model server").because(why.to_owned());
        let is_local = url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
        if !matches!(token, Token::None) && matches!(url.scheme(), "http" | "grpc") && !is_local {
            let why = "a token is not sent without TLS; use oip+https:, oip+grpcs: or a server on this machine";
            return Err(invalid(why));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(invalid("its URL must not contain a user, a password or parameters"));
        }
        let named = Named {
            detector: "oip".to_owned(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: manifest.file.as_ref().map(|file| file.sha256),
            arm: None,
        };
        Ok(Self { named, directory, description, server: Server::new(url, token)?, names: OnceCell::new() })
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
        self.names().await.map(|names| names.input.as_str())
    }

    async fn names(&self) -> Result<&Names> {
        let ask = || async {
            let Manifest { input, decoder, .. } = &self.description.manifest;
            let Some(metadata) = self.server.metadata().await? else {
                let missing = "model.toml has no `input.name`, which this server cannot be asked for";
                let input = input.name.clone().ok_or_else(|| self.directory.invalid("check", missing))?;
                return Ok(Names { input, outputs: outputs(decoder, &[]) });
            };
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
            Ok(Names { input: found.name.clone(), outputs: outputs(decoder, &metadata.outputs) })
        };
        self.names.get_or_try_init(ask).await
    }

    /// Whether the server has refused binary tensors.
    pub fn takes_only_json(&self) -> bool {
        match &self.server {
            Server::Rest(server) => server.takes_only_json(),
            #[cfg(feature = "grpc")]
            Server::Grpc(_) => false,
        }
    }
}

/// Returns the outputs to ask for: those that the decoder names, or else the model's only one, if the server says its name.
/// OpenVINO Model Server answers in binary form for outputs that are named, and in JSON for all others.
fn outputs(decoder: &Decoder, found: &[TensorMetadata]) -> Vec<String> {
    match (decoder.outputs(), found) {
        (Some(names), _) => names.into_iter().map(str::to_owned).collect(),
        (None, [only]) => vec![only.name.clone()],
        (None, _) => vec![],
    }
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
        let Names { input: name, outputs } = self.names().await?;
        let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
        let Description { manifest, labels } = &self.description;
        let mut found = Vec::with_capacity(pictures.len());
        for picture in pictures {
            let picture = picture.clone();
            let expected = manifest.input.clone();
            let prepared = tokio::task::spawn_blocking(move || prepare(&picture, &expected)).await;
            let (input, placement) = prepared.map_err(|error| self.directory.invalid("prepare", error))?;
            let answered = self.server.look(&input, name, &outputs).await?;
            let read = decode(manifest, labels, &answered, &placement);
            found.push(read.map_err(|error| self.directory.invalid("read", Malformed(error.to_string())))?);
        }
        Ok(found)
    }
}
