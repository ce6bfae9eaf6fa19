//! URLs with which anybody can read an object for a while: Cloud Storage's V4 signing process.
//!
//! The SDK makes the text that is signed, and the URL. A service account's key signs by itself. Without a key, IAM signs for the
//! service account that the program runs as (`signBlob`), which takes the right `iam.serviceAccounts.signBlob` on that account.
//! The SDK would ask IAM without a limit to the answer, so this asks like all requests of this crate.

#[cfg(test)]
mod tests;

use crate::api::{Answer, Api};
use crate::connect::{CALL_TIMEOUT, GoogleOptions, within};
use crate::error;
use crate::metadata;
use crate::storage;
use crate::tokens::{self, Identity};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use framepost_ports::{Error, ErrorKind, PresignedGet, Result};
use google_cloud_auth::credentials::service_account;
use google_cloud_auth::signer::{Signer, SigningError, SigningProvider};
use google_cloud_storage::builder::storage::SignedUrlBuilder;
use google_cloud_storage::signed_url::UrlStyle;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

/// Where IAM answers. It is not where Cloud Storage does.
const IAM: &str = "https://iamcredentials.googleapis.com";
/// The answer has a signature of 256 bytes.
const LARGEST_ANSWER_BYTES: usize = 64 * 1024;

/// Who signs for the program's own credentials; `None` where nobody does: at an emulator, and for credentials without a service
/// account of their own. Sends no request.
pub(crate) fn signer(options: &GoogleOptions) -> Result<Option<Signer>> {
    if options.endpoint.as_ref().is_some_and(|url| url.scheme() == "http") {
        return Ok(None);
    }
    Ok(match tokens::identity()? {
        Identity::OfMachine => {
            let endpoint = IAM.parse().ok();
            Some(Account { iam: Api::connect(&GoogleOptions { endpoint })?, name: OnceCell::new() }.into())
        }
        Identity::Key(key) => {
            let signer = service_account::Builder::new(key).build_signer();
            Some(signer.map_err(|error| Error::new(ErrorKind::Invalid, "presign", "google cloud").because(error))?)
        }
        Identity::Other => None,
    })
}

/// Signs a URL. A bucket has a host of its own where its name allows that: a page that may read from that host may read from no
/// other bucket.
pub(crate) async fn presigned(signer: &Signer, get: PresignedGet<'_>, endpoint: Option<String>) -> Result<String> {
    let PresignedGet { bucket, key, content_type, lasts } = get;
    let mut url = SignedUrlBuilder::for_object(storage::resource(bucket), key)
        .with_expiration(lasts)
        .with_query_param("response-content-type", content_type)
        .with_query_param("response-content-disposition", "attachment");
    url = match endpoint {
        Some(endpoint) => url.with_endpoint(endpoint),
        // Google's certificate is for one label.
        None if bucket.contains('.') => url,
        None => url.with_url_style(UrlStyle::VirtualHostedStyle),
    };
    url.sign_with(signer).await.map_err(|error| {
        let kind = error::cause::<Error>(&error).map_or(ErrorKind::Invalid, Error::kind);
        Error::new(kind, "presign", key).because(error)
    })
}

/// A service account whose key only IAM has.
#[derive(Debug)]
struct Account {
    iam: Api,
    name: OnceCell<String>,
}

/// The answer to `signBlob`: the signature in base64, as IAM's REST reference describes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    signed_blob: String,
}

impl Account {
    async fn name(&self) -> Result<&String> {
        self.name.get_or_try_init(metadata::account).await
    }

    async fn sign_blob(&self, content: &[u8]) -> Result<Bytes> {
        let name = self.name().await?;
        let body = json!({ "payload": BASE64_STANDARD.encode(content) });
        let request = self.iam.post(&format!("/v1/projects/-/serviceAccounts/{name}:signBlob"));
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        let asked = self.iam.ask("sign", name, request, LARGEST_ANSWER_BYTES);
        let answer = match within(CALL_TIMEOUT, "sign", name, asked).await? {
            Answer::Success(answer) => answer,
            Answer::Refusal(refusal) => return Err(error::of("sign", name, refusal)),
        };
        let signed = serde_json::from_slice::<Signed>(&answer).ok();
        let signature = signed.and_then(|signed| BASE64_STANDARD.decode(signed.signed_blob).ok());
        let other = || Error::new(ErrorKind::Intercepted, "sign", name).because("the answer is not a signature");
        signature.map(Bytes::from).ok_or_else(other)
    }
}

impl SigningProvider for Account {
    async fn client_email(&self) -> Result<String, SigningError> {
        self.name().await.cloned().map_err(SigningError::from_msg)
    }

    async fn sign(&self, content: &[u8]) -> Result<Bytes, SigningError> {
        self.sign_blob(content).await.map_err(SigningError::from_msg)
    }
}
