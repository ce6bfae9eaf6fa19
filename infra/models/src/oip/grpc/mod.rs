//! The protocol over gRPC: KServe's `inference.GRPCInferenceService`. Tensors travel as raw contents; an answer may have typed
//! ones.

mod messages;

use super::answer::words;
use super::body::{Malformed, Metadata};
use super::{ANSWER_LIMIT_BYTES, ANSWER_TIMEOUT, CONNECT_TIMEOUT, PATIENCE, PATIENCE_TIMES, Token, rest};
use crate::tensor::{InputTensor, OutputTensor};
use bytes::{Buf as _, Bytes};
use framepost_ports::shown::ShownUrl;
use framepost_ports::{Effect, Error, ErrorKind, Result};
use http::uri::PathAndQuery;
use prost::Message;
use std::marker::PhantomData;
use std::time::Duration;
use tonic::client::Grpc as Client;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use url::Url;

const METADATA: &str = "/inference.GRPCInferenceService/ModelMetadata";
const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
/// How many milliseconds a server asks to wait ([gRFC A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md)).
const PUSHBACK: &str = "grpc-retry-pushback-ms";
/// The most bytes of an answer's headers.
const HEADERS_LIMIT_BYTES: u32 = 64 * 1024;
/// The largest answer about a model, in bytes.
const METADATA_LIMIT_BYTES: usize = 1024 * 1024;

/// A server that is asked over gRPC.
pub(super) struct Grpc {
    channel: Channel,
    /// The URL without anything that could be a secret.
    shown: String,
    model: String,
    /// Empty where the server chooses.
    version: String,
    token: Token,
    /// The HTTP client that asks the token endpoint.
    client: reqwest::Client,
}

impl Grpc {
    /// A server at `grpc(s)://HOST/v2/models/NAME[/versions/VERSION]`. Nothing is sent yet.
    pub(super) fn new(url: &Url, token: Token) -> Result<Self> {
        let shown = ShownUrl::of(url.as_str()).as_str().to_owned();
        let invalid = |why: String| Error::new(ErrorKind::Invalid, "connect", &shown).because(why);
        let path: Vec<&str> = url.path_segments().into_iter().flatten().collect();
        let (model, version) = match path.as_slice() {
            ["v2", "models", model] => (*model, ""),
            ["v2", "models", model, "versions", version] => (*model, *version),
            _ => return Err(invalid("expected /v2/models/NAME behind the host".to_owned())),
        };
        let model = model.to_owned();
        let version = version.to_owned();
        // Before TLS is set up, which uses the provider.
        let client = rest::client()?;
        let scheme = if url.scheme() == "grpcs" { "https" } else { "http" };
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let origin = format!("{scheme}://{}{port}", url.host_str().unwrap_or_default());
        let failed = |error: tonic::transport::Error| Error::new(ErrorKind::Invalid, "connect", &shown).because(error);
        let endpoint = Endpoint::from_shared(origin).map_err(failed)?;
        let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT).http2_max_header_list_size(HEADERS_LIMIT_BYTES);
        let endpoint = match scheme {
            "https" => endpoint.tls_config(ClientTlsConfig::new().with_enabled_roots()).map_err(failed)?,
            _ => endpoint,
        };
        Ok(Self { channel: endpoint.connect_lazy(), shown, model, version, token, client })
    }

    /// Asks for what the server says of the model.
    pub(super) async fn metadata(&self) -> Result<Metadata> {
        let request = messages::MetadataRequest { name: self.model.clone(), version: self.version.clone() };
        let answer = self.ask(METADATA, &request, METADATA_LIMIT_BYTES).await?;
        messages::metadata(answer).map_err(|error| self.malformed(error))
    }

    /// Runs the model. All `outputs` are asked for where none is named.
    pub(super) async fn look(&self, input: &InputTensor, name: &str, outputs: &[&str]) -> Result<Vec<OutputTensor>> {
        let request = messages::request((&self.model, &self.version), name, input, outputs);
        let answer = self.ask(INFER, &request, ANSWER_LIMIT_BYTES).await?;
        messages::answer(answer).map_err(|error| self.malformed(error))
    }

    /// Sends a request. A server that asks for a moment's patience is asked again.
    async fn ask<M: Message + Clone + 'static>(
        &self,
        method: &'static str,
        message: &M,
        limit_bytes: usize,
    ) -> Result<Bytes> {
        let mut patience = PATIENCE_TIMES;
        loop {
            let authorization = self.authorization().await?;
            let answered = tokio::time::timeout(ANSWER_TIMEOUT, self.once(method, message, authorization, limit_bytes));
            let Ok(answered) = answered.await else {
                let why = format!("the server has not answered in {} s", ANSWER_TIMEOUT.as_secs());
                return Err(Error::new(ErrorKind::Transport, "ask", &self.shown).because(why));
            };
            match answered {
                Ok(answer) => return Ok(answer),
                Err(status) => match pushback(&status).filter(|wait| patience > 0 && *wait <= PATIENCE) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(self.refused(&status)),
                },
            }
            patience -= 1;
        }
    }

    async fn authorization(&self) -> Result<Option<AsciiMetadataValue>> {
        let Some(token) = self.token.get(&self.client).await? else { return Ok(None) };
        // Its characters are those of a token, so this does not fail.
        let value = AsciiMetadataValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|error| Error::new(ErrorKind::Denied, "use", &self.shown).because(error))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    async fn once<M: Message + Clone + 'static>(
        &self,
        method: &'static str,
        message: &M,
        authorization: Option<AsciiMetadataValue>,
        limit_bytes: usize,
    ) -> Result<Bytes, Status> {
        let mut client = Client::new(self.channel.clone()).max_decoding_message_size(limit_bytes);
        client.ready().await.map_err(|error| Status::from_error(error.into()))?;
        let mut request = Request::new(message.clone());
        request.set_timeout(ANSWER_TIMEOUT);
        if let Some(authorization) = authorization {
            request.metadata_mut().insert("authorization", authorization);
        }
        let answered = client.unary(request, PathAndQuery::from_static(method), Raw(PhantomData)).await?;
        Ok(answered.into_inner())
    }

    fn refused(&self, status: &Status) -> Error {
        let (kind, effect) = meaning(status);
        let code = status.code();
        let why = format!("the server answered {code:?}: {}", words(status.message()));
        Error::new(kind, "ask", &self.shown).with_effect(effect).because(why)
    }

    fn malformed(&self, error: Malformed) -> Error {
        Error::new(ErrorKind::Corrupt, "read", &self.shown).because(error)
    }
}

/// How long a server asks to wait.
fn pushback(status: &Status) -> Option<Duration> {
    let asked = status.metadata().get(PUSHBACK)?.to_str().ok()?.parse().ok()?;
    matches!(status.code(), Code::Unavailable | Code::ResourceExhausted).then(|| Duration::from_millis(asked))
}

/// What a status means, which is as the HTTP status for it.
fn meaning(status: &Status) -> (ErrorKind, Effect) {
    // Not the server's word: no connection, or one that broke.
    if std::error::Error::source(status).is_some() {
        return (ErrorKind::Transport, Effect::Unknown);
    }
    match status.code() {
        // Servers say so of a message that is too long, too; it is as long the next time.
        Code::ResourceExhausted if status.message().to_ascii_lowercase().contains("larger than max") => {
            (ErrorKind::Invalid, Effect::None)
        }
        Code::ResourceExhausted => (ErrorKind::Busy, Effect::None),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange | Code::AlreadyExists => {
            (ErrorKind::Invalid, Effect::None)
        }
        Code::Unauthenticated | Code::PermissionDenied => (ErrorKind::Denied, Effect::None),
        // A server without the service or the model: not the picture's fault.
        Code::NotFound | Code::Unimplemented => (ErrorKind::NotFound, Effect::None),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => (ErrorKind::Busy, Effect::Unknown),
    }
}

/// Writes messages, and gives answers as they came, so that they can be looked at before they take memory.
struct Raw<M>(PhantomData<M>);

impl<M: Message + 'static> Codec for Raw<M> {
    type Encode = M;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<M: Message> Encoder for Raw<M> {
    type Item = M;
    type Error = Status;

    fn encode(&mut self, message: M, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        message.encode(to).map_err(|error| Status::internal(error.to_string()))
    }
}

impl<M> Decoder for Raw<M> {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_says_what_can_be_done() {
        for (code, message, expected) in [
            (Code::Unavailable, "", (ErrorKind::Busy, Effect::Unknown)),
            (Code::ResourceExhausted, "quota", (ErrorKind::Busy, Effect::None)),
            (Code::ResourceExhausted, "Received message larger than max (9 vs. 4)", (ErrorKind::Invalid, Effect::None)),
            (Code::InvalidArgument, "", (ErrorKind::Invalid, Effect::None)),
            (Code::OutOfRange, "", (ErrorKind::Invalid, Effect::None)),
            (Code::Unauthenticated, "", (ErrorKind::Denied, Effect::None)),
            (Code::PermissionDenied, "", (ErrorKind::Denied, Effect::None)),
            (Code::NotFound, "", (ErrorKind::NotFound, Effect::None)),
            (Code::Unimplemented, "", (ErrorKind::NotFound, Effect::None)),
            (Code::Internal, "", (ErrorKind::Busy, Effect::Unknown)),
            (Code::DeadlineExceeded, "", (ErrorKind::Busy, Effect::Unknown)),
        ] {
            assert_eq!(meaning(&Status::new(code, message)), expected, "{code:?} {message}");
        }
        let lost = Status::from_error(std::io::Error::other("reset").into());
        assert_eq!(meaning(&lost), (ErrorKind::Transport, Effect::Unknown));
    }

    #[tokio::test]
    async fn only_a_models_url_is_asked() {
        for (url, is_good) in [
            ("grpc://h:8001/v2/models/m", true),
            ("grpcs://h/v2/models/m/versions/3", true),
            ("grpc://[::1]:8001/v2/models/m", true),
            ("grpc://h/prefix/v2/models/m", false),
            ("grpc://h/m", false),
            ("grpcs://h/v1/endpoints/7:rawPredict", false),
        ] {
            assert_eq!(Grpc::new(&url.parse().unwrap(), Token::None).is_ok(), is_good, "{url}");
        }
    }
}
