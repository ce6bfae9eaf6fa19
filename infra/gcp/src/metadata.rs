//! Google's metadata server, which describes the machine that the program runs on.

use std::time::Duration;

/// Short, because the server is on the same machine.
const TIMEOUT: Duration = Duration::from_secs(1);
const LONGEST_ID_BYTES: usize = 64;

/// Returns the id of the project that the program runs in, or `None` if no metadata server answers.
/// `GCE_METADATA_HOST` names another server.
pub async fn project_id() -> Option<String> {
    let host = std::env::var("GCE_METADATA_HOST").ok().filter(|host| !host.is_empty());
    project_id_of(host.as_deref().unwrap_or("metadata.google.internal")).await
}

async fn project_id_of(host: &str) -> Option<String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().ok()?;
    let url = format!("http://{host}/computeMetadata/v1/project/project-id");
    let answer = client.get(url).header("metadata-flavor", "Google").send().await.ok()?.error_for_status().ok()?;
    let id = answer.text().await.ok()?;
    let is_id = !id.is_empty() && id.len() <= LONGEST_ID_BYTES && id.bytes().all(is_of_an_id);
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

    #[tokio::test]
    async fn the_project_is_an_id_or_nothing() {
        for (answer, expected) in [
            ("200 OK\r\ncontent-length: 15\r\n\r\nexample-project", Some("example-project")),
            ("200 OK\r\ncontent-length: 8\r\n\r\n<html />", None),
            ("404 Not Found\r\ncontent-length: 15\r\n\r\nexample-project", None),
        ] {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let host = listener.local_addr().unwrap().to_string();
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await.unwrap();
                String::from_utf8(head).unwrap()
            };
            let (id, head) = tokio::join!(project_id_of(&host), server);
            assert_eq!(id.as_deref(), expected);
            assert!(head.starts_with("GET /computeMetadata/v1/project/project-id "), "{head}");
            assert!(head.contains("metadata-flavor: Google"), "{head}");
        }
    }
}
