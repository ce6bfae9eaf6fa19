//! What came back for a request, as far as the SDK's own types do not show it: whose answer it was.
//!
//! Between a gateway and S3 there can be captive portals, proxies and load balancers, all of which answer in HTTP. S3's own errors are
//! documents of one form (Amazon S3 API Reference, "Error responses"): an XML `Error` element with a `Code`. Whatever
//! has another form is not S3's word.

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use std::sync::{Arc, Mutex, PoisonError};

/// The code of an error document: `AccessDenied`, `SlowDown`. `None` for anything that is not a whole one.
pub(crate) fn error_code(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim();
    let root = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>")?.1.trim_start(),
        None => text,
    };
    let after = root.strip_prefix("<Error")?;
    if !after.starts_with(['>', ' ', '\n', '\r', '\t']) || !root.ends_with("</Error>") {
        return None;
    }
    let code = after.split_once("<Code>")?.1.split_once("</Code>")?.0.trim();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    ((1..=100).contains(&code.len()) && code.bytes().all(is_name)).then_some(code)
}

/// Whether a success brought a body of its own. Those of S3 to a put are empty, a portal's is a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answered(Arc<Mutex<Option<Body>>>);

/// What a success had as its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Empty,
    Something,
}

impl Answered {
    /// The body of the answer, if there was one.
    pub(crate) fn body(&self) -> Option<Body> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Answered {
    fn name(&self) -> &'static str {
        "Answered"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = match context.response().body().bytes() {
            Some([]) => Body::Empty,
            _ => Body::Something,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::error_code;

    #[test]
    fn only_a_whole_error_document_is_the_stores_word() {
        for (body, code) in [
            ("<Error><Code>SlowDown</Code></Error>", Some("SlowDown")),
            (
                "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>A</Code><Message>&lt;</Message></Error>\n",
                Some("A"),
            ),
            (
                "<Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Code>KMS.NotFoundException</Code></Error>",
                Some("KMS.NotFoundException"),
            ),
            ("<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>n", None),
            ("<?xml version='1.0'?><Error><Code>AccessDen", None),
            ("<Errors><Code>A</Code></Errors>", None),
            ("<ErrorResponse><Error><Code>A</Code></Error></ErrorResponse>", None),
            ("<Error><Message>no code</Message></Error>", None),
            ("<Error><Code></Code></Error>", None),
            ("<Error><Code>two words</Code></Error>", None),
            ("<html><body><Error><Code>A</Code></Error></body></html>", None),
            ("{\"Code\":\"AccessDenied\"}", None),
            ("", None),
        ] {
            assert_eq!(error_code(body.as_bytes()), code, "{body}");
        }
        assert_eq!(error_code(b"<Error><Code>\xff</Code></Error>"), None);
    }
}
