//! Content streams that are checked against the announced length.

use crate::{Content, ContentStream};
use bytes::Bytes;
use futures::StreamExt as _;
use std::io;

/// Returns the bytes of `content`, or an error if there are more or fewer than `content` announces.
///
/// The last piece is held back until the source has ended. A reader that reads the announced length therefore
/// knows that nothing follows: a file that is still growing gives an error and not a truncated copy.
pub fn exact(content: &dyn Content) -> ContentStream {
    struct State {
        inner: ContentStream,
        held: Option<Bytes>,
        left: u64,
        ended: bool,
    }
    let state = State { inner: content.open(), held: None, left: content.len_bytes(), ended: false };
    Box::pin(futures::stream::unfold(state, |mut state| async move {
        while !state.ended {
            match state.inner.next().await {
                Some(Ok(bytes)) if bytes.is_empty() => {}
                Some(Ok(bytes)) => {
                    let Some(left) = state.left.checked_sub(bytes.len() as u64) else {
                        state.ended = true;
                        return Some((Err(io::Error::other("the content is longer than it claims")), state));
                    };
                    state.left = left;
                    if let Some(before) = state.held.replace(bytes) {
                        return Some((Ok(before), state));
                    }
                }
                Some(Err(error)) => {
                    state.ended = true;
                    return Some((Err(error), state));
                }
                None => {
                    state.ended = true;
                    if state.left > 0 {
                        let error = io::Error::new(
                            io::ErrorKind::UnexpectedEof,
                            format!("the content ends {} bytes early", state.left),
                        );
                        return Some((Err(error), state));
                    }
                    return state.held.take().map(|last| (Ok(last), state));
                }
            }
        }
        None
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt as _;

    struct Claims(u64, Vec<&'static [u8]>);

    impl Content for Claims {
        fn len_bytes(&self) -> u64 {
            self.0
        }

        fn open(&self) -> ContentStream {
            Box::pin(futures::stream::iter(self.1.clone().into_iter().map(|piece| Ok(Bytes::from_static(piece)))))
        }
    }

    #[tokio::test]
    async fn the_claim_is_kept_or_it_fails() {
        for (claims, pieces, good) in [
            (0, vec![], true),
            (0, vec![&b""[..]], true),
            (0, vec![&b"x"[..]], false),
            (3, vec![&b"ab"[..], b"", b"c"], true),
            (3, vec![&b"ab"[..]], false),
            (3, vec![&b"abc"[..], b"d"], false),
            (3, vec![], false),
        ] {
            let whole: Vec<u8> = pieces.concat();
            let read: io::Result<Vec<Bytes>> = exact(&Claims(claims, pieces)).try_collect().await;
            match read {
                Ok(read) => assert!(good && read.concat() == whole, "{claims} {whole:?}"),
                Err(error) => assert!(!good, "{claims} {whole:?}: {error}"),
            }
        }
    }

    #[tokio::test]
    async fn nothing_but_whole_content_reaches_its_claimed_end() {
        let mut stream = exact(&Claims(2, vec![b"a", b"b", b"c"]));
        assert_eq!(stream.next().await.unwrap().unwrap(), "a");
        assert!(stream.next().await.unwrap().is_err());
        assert!(stream.next().await.is_none());
    }
}
