//! Bearer tokens, given by reference: no setting holds one.

use framepost_ports::{Error, ErrorKind, Result};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The variable that names a file with a token.
const FILE_VARIABLE: &str = "FRAMEPOST_OIP_TOKEN_FILE";
/// The longest token, in bytes.
const TOKEN_LIMIT_BYTES: usize = 16 * 1024;
/// Where a machine at Google gets tokens of its service account.
const METADATA_HOST: &str = "metadata.google.internal";
/// Another metadata server, as Google's own libraries have it.
const METADATA_VARIABLE: &str = "GCE_METADATA_HOST";
/// The longest answer of a metadata server, in bytes. One with a token has about a thousand.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;
/// How long a token of Google's is used at most, whatever its answer says. They live for 12 hours at most.
const LIFE_MAX: Duration = Duration::from_hours(12);
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
        match (given(FILE_VARIABLE), given("FRAMEPOST_OIP_TOKEN")) {
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
                // The path is not shown: somebody may have put a token there.
                let failed = |error| {
                    let what = format!("the model server's token in the file that {FILE_VARIABLE} names");
                    Error::new(ErrorKind::Io, "read", what).because(error)
                };
                tokio::fs::read_to_string(path).await.map_err(failed)?
            }
            Self::Google(google) => {
                let host = std::env::var(METADATA_VARIABLE).unwrap_or_else(|_| METADATA_HOST.to_owned());
                google.get(client, &host).await?
            }
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
    /// The token that is known, or a new one of the metadata server at `host`.
    async fn get(&self, client: &reqwest::Client, host: &str) -> Result<String> {
        let mut known = self.0.lock().await;
        if let Some((token, _)) = known.as_ref().filter(|(_, end)| *end > Instant::now() + MARGIN) {
            return Ok(token.clone());
        }
        let failed = |error| Error::new(ErrorKind::Transport, "ask", "google's metadata server").because(error);
        let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
        let answer = client.get(url).header("Metadata-Flavor", "Google").timeout(Duration::from_secs(10)).send().await;
        let mut answer = answer.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let intercepted = || Error::new(ErrorKind::Intercepted, "read", "google's metadata server");
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > ANSWER_LIMIT_BYTES {
                return Err(intercepted().because(format!("the answer has more than {ANSWER_LIMIT_BYTES} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        let given: Given = serde_json::from_slice(&body).map_err(|error| intercepted().because(error))?;
        let lives = Duration::from_secs(given.expires_in).min(LIFE_MAX);
        *known = Some((given.access_token.clone(), Instant::now() + lives));
        Ok(given.access_token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    /// A metadata server that answers each request like this, as far as the client takes it. Returns its host and port.
    fn metadata_server(head: &'static str, body: impl Fn() -> Box<dyn std::io::Read> + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}connection: close\r\n\r\n").as_bytes());
                let _ = std::io::copy(&mut body(), &mut stream);
            }
        });
        host
    }

    fn client() -> reqwest::Client {
        drop(rustls::crypto::ring::default_provider().install_default());
        reqwest::Client::new()
    }

    #[tokio::test]
    async fn no_token_of_googles_is_kept_for_ever() {
        let said: &[u8] = br#"{"access_token":"ya29.a","expires_in":18446744073709551615}"#;
        let host = metadata_server("", move || Box::new(said));
        let google = Google::default();
        assert_eq!(google.get(&client(), &host).await.unwrap(), "ya29.a");
        let known = google.0.lock().await;
        assert!(known.as_ref().unwrap().1 <= Instant::now() + LIFE_MAX);
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_not_read_to_it() {
        let host = metadata_server("content-length: 8589934592\r\n", || Box::new(std::io::repeat(b' ')));
        let error = Google::default().get(&client(), &host).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Intercepted, "{error}");
    }
}
