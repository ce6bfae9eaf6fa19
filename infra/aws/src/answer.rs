//! Details of a response that the SDK's own types do not expose: whether S3 itself sent it.
//!
//! Between a gateway and S3 there can be captive portals, proxies and load balancers, and all of them answer in
//! HTTP. S3's own errors have one form (Amazon S3 API Reference, "Error responses"): an XML document with an
//! `Error` element that contains a `Code`. A response in any other form does not come from S3.

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use std::sync::{Arc, Mutex, PoisonError};

/// Returns the code of an error document, such as `AccessDenied` or `SlowDown`. Returns `None` if `body` is not
/// a complete error document.
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

/// Records whether a success response had a body. S3 answers a put with an empty body; a captive portal
/// answers with a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answered(Arc<Mutex<Option<Body>>>);

/// The body of a success response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Empty,
    Something,
}

impl Answered {
    /// Returns the body, or `None` if no response was received.
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
