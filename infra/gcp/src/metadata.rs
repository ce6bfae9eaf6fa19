//! Google's metadata server, which describes the machine that the program runs on.

use crate::bounded::{Body, read};
use crate::tokens::{ANSWER_LIMIT_BYTES, Token, metadata_host, token_request};
use framepost_ports::{Error, ErrorKind, Result};
use std::time::Duration;

/// Short, because the server is on the same machine.
const TIMEOUT: Duration = Duration::from_secs(1);
const LONGEST_ID_BYTES: usize = 64;
const LONGEST_ACCOUNT_BYTES: usize = 256;

/// Returns the id of the project that the program runs in, or `None` if no metadata server answers.
/// `GCE_METADATA_HOST` names another server.
pub async fn project_id() -> Option<String> {
    project_id_of(&metadata_host()).await
}

fn client() -> reqwest::Result<reqwest::Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(TIMEOUT).build()
}

/// Returns a token of the service account that the program runs as. The server keeps one until shortly before its end, so this
/// asks each time.
pub(crate) async fn access_token() -> Result<String> {
    access_token_of(&metadata_host()).await
}

async fn access_token_of(host: &str) -> Result<String> {
    let failed = |kind| move |error: reqwest::Error| Error::new(kind, "ask", "google's metadata server").because(error);
    let asked = token_request(&client().map_err(failed(ErrorKind::Io))?, host);
    let answer = asked.send().await.map_err(failed(ErrorKind::Transport))?;
    let answer = answer.error_for_status().map_err(failed(ErrorKind::Denied))?;
    let (Body::Whole(body) | Body::Cut(body)) =
        read(answer, ANSWER_LIMIT_BYTES).await.map_err(failed(ErrorKind::Transport))?;
    let token = Token::given(&body)
        .map_err(|error| Error::new(ErrorKind::Intercepted, "read", "google's metadata server").because(error))?;
    Ok(token.value)
}

/// Returns the name of the service account that the program runs as, which has the form of an address of mail.
pub(crate) async fn account() -> Result<String> {
    account_of(&metadata_host()).await
}

async fn account_of(host: &str) -> Result<String> {
    let failed = |kind| move |error: reqwest::Error| Error::new(kind, "ask", "google's metadata server").because(error);
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/email");
    let asked = client().map_err(failed(ErrorKind::Io))?.get(url).header("metadata-flavor", "Google");
    let answer = asked.send().await.map_err(failed(ErrorKind::Transport))?;
    let answer = answer.error_for_status().map_err(failed(ErrorKind::Denied))?;
    let (Body::Whole(body) | Body::Cut(body)) =
        read(answer, LONGEST_ACCOUNT_BYTES).await.map_err(failed(ErrorKind::Transport))?;
    let is_of_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._@".contains(byte);
    let is_one = body.contains(&b'@') && body.iter().all(is_of_one);
    String::from_utf8(body.into()).ok().filter(|_| is_one).ok_or_else(|| {
        Error::new(ErrorKind::Intercepted, "ask", "google's metadata server").because("it names no service account")
    })
}

async fn project_id_of(host: &str) -> Option<String> {
    let url = format!("http://{host}/computeMetadata/v1/project/project-id");
    let answer =
        client().ok()?.get(url).header("metadata-flavor", "Google").send().await.ok()?.error_for_status().ok()?;
    let Ok(Body::Whole(id)) = read(answer, LONGEST_ID_BYTES).await else { return None };
    let id = String::from_utf8(id.into()).ok()?;
    let is_id = !id.is_empty() && id.bytes().all(is_of_an_id);
    is_id.then_some(id)
}

/// Old project ids have a domain before a colon.
fn is_of_an_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':')
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    /// A server that answers one request so; returns its address, and the request's head.
    async fn server(status: &str, body: &str) -> (String, impl Future<Output = String>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let answered = async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(head).unwrap()
        };
        (host, answered)
    }

    #[tokio::test]
    async fn a_token_is_there_or_it_is_said_why_not() {
        for (status, body, expected) in [
            ("200 OK", r#"{"access_token":"ya29.a","expires_in":3599,"token_type":"Bearer"}"#, Ok("ya29.a")),
            ("200 OK", "<html />", Err(ErrorKind::Intercepted)),
            ("404 Not Found", "", Err(ErrorKind::Denied)),
        ] {
            let (host, answered) = server(status, body).await;
            let (token, head) = tokio::join!(access_token_of(&host), answered);
            assert_eq!(token.as_deref().map_err(Error::kind), expected);
            assert!(head.starts_with("GET /computeMetadata/v1/instance/service-accounts/default/token "), "{head}");
            assert!(head.contains("metadata-flavor: Google"), "{head}");
        }
    }

    #[tokio::test]
    async fn the_account_has_a_name_or_it_is_said_why_not() {
        let name = "api@example-project.iam.gserviceaccount.com";
        for (status, body, expected) in [
            ("200 OK", name, Ok(name)),
            ("200 OK", "<html />", Err(ErrorKind::Intercepted)),
            ("200 OK", "a@b/../c", Err(ErrorKind::Intercepted)),
            ("404 Not Found", "", Err(ErrorKind::Denied)),
        ] {
            let (host, answered) = server(status, body).await;
            let (account, head) = tokio::join!(account_of(&host), answered);
            assert_eq!(account.as_deref().map_err(Error::kind), expected);
            assert!(head.starts_with("GET /computeMetadata/v1/instance/service-accounts/default/email "), "{head}");
            assert!(head.contains("metadata-flavor: Google"), "{head}");
        }
    }

    #[tokio::test]
    async fn the_project_is_an_id_or_nothing() {
        for (status, body, expected) in [
            ("200 OK", "example-project", Some("example-project")),
            ("200 OK", "<html />", None),
            ("404 Not Found", "example-project", None),
        ] {
            let (host, answered) = server(status, body).await;
            let (id, head) = tokio::join!(project_id_of(&host), answered);
            assert_eq!(id.as_deref(), expected);
            assert!(head.starts_with("GET /computeMetadata/v1/project/project-id "), "{head}");
            assert!(head.contains("metadata-flavor: Google"), "{head}");
        }
    }
}
