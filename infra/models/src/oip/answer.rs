//! A model server's answers: how long they may take, how large they may be, and what a refusal means.

use super::{ANSWER_LIMIT_BYTES, WORDS_LIMIT_BYTES};
use bytes::{Bytes, BytesMut};
use framepost_ports::{Effect, Error, ErrorKind, Result};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// Returns a text of the server's on one line, as much of it as may be shown.
pub(super) fn words(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    line[..line.floor_char_boundary(WORDS_LIMIT_BYTES)].to_owned()
}

/// An answer with a success's status.
pub(super) struct Answered {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// An answer with another status.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    /// How long the server asks to wait.
    pub(super) retry_after: Option<Duration>,
    pub(super) error: Error,
}

/// Sends a request and receives the answer. Fails where there is none.
pub(super) async fn receive(
    operation: &'static str,
    shown: &str,
    request: reqwest::RequestBuilder,
) -> Result<Result<Answered, Refused>> {
    let lost = |error: reqwest::Error| {
        // Its text would repeat the URL.
        let error = error.without_url();
        let kind = if error.is_builder() { ErrorKind::Invalid } else { ErrorKind::Transport };
        Error::new(kind, operation, shown).because(error)
    };
    let mut answer = request.send().await.map_err(lost)?;
    let status = answer.status().as_u16();
    let is_refusal = !answer.status().is_success();
    let limit = if is_refusal { WORDS_LIMIT_BYTES } else { ANSWER_LIMIT_BYTES };
    let mut body = BytesMut::new();
    while let Some(piece) = answer.chunk().await.map_err(lost)? {
        if is_refusal && body.len() + piece.len() > limit {
            body.extend_from_slice(&piece[..limit - body.len()]);
            break;
        }
        if body.len() + piece.len() > limit {
            let why = format!("the answer has more than {limit} bytes");
            return Err(Error::new(ErrorKind::Invalid, operation, shown).because(why));
        }
        body.extend_from_slice(&piece);
    }
    if !is_refusal {
        return Ok(Ok(Answered { headers: answer.headers().clone(), body: body.freeze() }));
    }
    let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let retry_after = retry_after.map(Duration::from_secs).filter(|_| matches!(status, 429 | 503));
    let wait = retry_after.map_or_else(String::new, |wait| format!(", to be asked again in {} s", wait.as_secs()));
    let why = format!("the server answered {status}{wait}: {}", words(&String::from_utf8_lossy(&body)));
    let error = Error::new(kind(status), operation, shown).with_effect(Effect::of_status(status)).because(why);
    Ok(Err(Refused { status, retry_after, error }))
}

/// What a status means.
fn kind(status: u16) -> ErrorKind {
    match status {
        300..=399 => ErrorKind::Intercepted,
        401 | 403 | 407 => ErrorKind::Denied,
        404 | 410 => ErrorKind::NotFound,
        408 => ErrorKind::Transport,
        409 | 425 | 429 | 500.. => ErrorKind::Busy,
        _ => ErrorKind::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_says_what_can_be_done() {
        for (status, expected) in [
            (302, ErrorKind::Intercepted),
            (400, ErrorKind::Invalid),
            (401, ErrorKind::Denied),
            (403, ErrorKind::Denied),
            (404, ErrorKind::NotFound),
            (408, ErrorKind::Transport),
            (413, ErrorKind::Invalid),
            (422, ErrorKind::Invalid),
            (429, ErrorKind::Busy),
            (500, ErrorKind::Busy),
            (503, ErrorKind::Busy),
            (504, ErrorKind::Busy),
        ] {
            assert_eq!(kind(status), expected, "{status}");
        }
    }
}
