//! Bearer tokens, given by reference: no setting holds one.

use framepost_ports::{Error, ErrorKind, Result};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The longest token, in bytes.
const TOKEN_LIMIT_BYTES: usize = 16 * 1024;
/// Where a machine at Google gets tokens of its service account.
const METADATA_HOST: &str = "metadata.google.internal";
/// Another metadata server, as Google's own libraries have it.
const METADATA_VARIABLE: &str = "GCE_METADATA_HOST";
/// A token of Google's is used until this long before its end.
const MARGIN: Duration = Duration::from_mins(2);

/// Where the bearer token comes from.
#[derive(Default)]
pub enum Token {
    /// Requests have no `Authorization` header.
    #[default]
    None,
    /// The value of a variable.
    Fixed(String),
    /// A file's content, read for each request, so that it can be replaced.
    File(PathBuf),
    /// Google's metadata server, which gives tokens of the service account that this machine runs as.
    Google(Google),
}

/// A token of Google's and its end.
#[derive(Default)]
pub struct Google(Mutex<Option<(String, Instant)>>);

impl Token {
    /// As the variables say: `FRAMEPOST_OIP_TOKEN_FILE` names a file, or is `google`; `FRAMEPOST_OIP_TOKEN` is a token.
    pub fn from_variables(variable: &(impl Fn(&str) -> Option<String> + ?Sized)) -> Self {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        match (given("FRAMEPOST_OIP_TOKEN_FILE"), given("FRAMEPOST_OIP_TOKEN")) {
            (Some(google), _) if google == "google" => Self::Google(Google::default()),
            (Some(file), _) => Self::File(file.into()),
            (None, Some(token)) => Self::Fixed(token),
            (None, None) => Self::None,
        }
    }

    /// The token to send, if any.
    pub(super) async fn get(&self, client: &reqwest::Client) -> Result<Option<String>> {
        let token = match self {
            Self::None => return Ok(None),
            Self::Fixed(token) => token.clone(),
            Self::File(path) => {
                let failed = |error| Error::new(ErrorKind::Io, "read", "the model server's token").because(error);
                tokio::fs::read_to_string(path).await.map_err(failed)?
            }
            Self::Google(google) => google.get(client).await?,
        };
        let token = token.trim();
        let is_good =
            (1..=TOKEN_LIMIT_BYTES).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_good {
            return Ok(Some(token.to_owned()));
        }
        // Not shown: it may be a secret for something else.
        let why = "it is empty, too long, or has characters that no token has";
        Err(Error::new(ErrorKind::Denied, "use", "the model server's token").because(why))
    }
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    expires_in: u64,
}

impl Google {
    async fn get(&self, client: &reqwest::Client) -> Result<String> {
        let mut known = self.0.lock().await;
        if let Some((token, _)) = known.as_ref().filter(|(_, end)| *end > Instant::now() + MARGIN) {
            return Ok(token.clone());
        }
        let failed = |error| Error::new(ErrorKind::Transport, "ask", "google's metadata server").because(error);
        let host = std::env::var(METADATA_VARIABLE).unwrap_or_else(|_| METADATA_HOST.to_owned());
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
        let answer = client.get(url).header("Metadata-Flavor", "Google").timeout(Duration::from_secs(10)).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let body = answer.bytes().await.map_err(failed)?;
        let given: Given = serde_json::from_slice(&body)
            .map_err(|error| Error::new(ErrorKind::Intercepted, "read", "google's metadata server").because(error))?;
        *known = Some((given.access_token.clone(), Instant::now() + Duration::from_secs(given.expires_in)));
        Ok(given.access_token)
    }
}
