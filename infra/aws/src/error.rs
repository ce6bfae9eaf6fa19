//! Amazon's errors, by what the caller can do about them.

use crate::answer;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use framepost_ports::{Effect, Error, ErrorKind};

/// The service's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} answered {status} {code}: {message} (request {request_id})")]
pub struct Failure {
    /// Who: `s3`, `sqs`.
    pub service: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The error code; `-` where the answer has none, as to a HEAD.
    pub code: String,
    /// For people.
    pub message: String,
    /// For Amazon's support; `-` where the answer has none.
    pub request_id: String,
}

/// An answer that has not the form of the service's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an answer {status} that is not S3's: {body:?}")]
pub struct Stranger {
    /// The HTTP status.
    pub status: u16,
    /// How its body begins.
    pub body: String,
}

/// More of a portal's page helps nobody.
const WORDS_LIMIT_BYTES: usize = 200;

/// What the caller can do about an answer. By code first: some statuses have several meanings.
pub(crate) fn kind(status: u16, code: &str) -> ErrorKind {
    match code {
        "RequestTimeTooSkewed" | "RequestExpired" => ErrorKind::ClockSkew,
        "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" => {
            ErrorKind::Corrupt
        }
        "RequestTimeout" | "IncompleteBody" => ErrorKind::Transport,
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestThrottled"
        | "RequestLimitExceeded"
        | "ProvisionedThroughputExceededException"
        | "KmsThrottled"
        | "ServiceUnavailable"
        | "InternalError"
        | "InternalFailure"
        | "InternalException"
        | "InternalServerError"
        | "ConcurrentModificationException"
        | "TransactionConflictException"
        | "ConditionalRequestConflict"
        | "OperationAborted" => ErrorKind::Busy,
        // The JSON services say these with 400.
        "ExpiredToken"
        | "ExpiredTokenException"
        | "TokenRefreshRequired"
        | "InvalidToken"
        | "AccessDenied"
        | "AccessDeniedException"
        | "KmsAccessDenied"
        | "NotAuthorizedForSourceException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        // These count against the whole bucket, or how it is asked, although their status is that of a bad request: the next
        // object would be refused as well.
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "InvalidBucketName"
        | "InvalidBucketState"
        | "InvalidEncryptionAlgorithmError"
        | "InvalidSecurity"
        | "MethodNotAllowed"
        | "MissingSecurityHeader"
        | "SignatureVersionNotSupported"
        | "KMS.DisabledException"
        | "KMS.InvalidKeyUsageException"
        | "KMS.InvalidStateException"
        | "KMS.KMSInvalidStateException"
        | "KMS.NotFoundException" => ErrorKind::Denied,
        "ResourceNotFoundException" | "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue" => {
            ErrorKind::NotFound
        }
        _ => match status {
            // S3 itself redirects to another region. That is no word about the object either.
            300..=399 => ErrorKind::Intercepted,
            401 | 403 | 405 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            408 => ErrorKind::Transport,
            409 | 425 | 429 | 500.. => ErrorKind::Busy,
            _ => ErrorKind::Invalid,
        },
    }
}

/// What an answer to be without a body, as those to HEAD are, cannot show of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    /// S3 gives its reasons as a document.
    Expected,
    /// It has none to give, or the service has another form.
    No,
}

/// The error of `operation` on `what`, by a service whose answers are taken for its own: over TLS, within Amazon's network.
pub(crate) fn of<E>(
    service: &'static str,
    operation: &'static str,
    what: &str,
    error: SdkError<E, HttpResponse>,
) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    of_answer(service, operation, what, Document::No, error)
}

/// The error of `operation` on `what`.
pub(crate) fn of_answer<E>(
    service: &'static str,
    operation: &'static str,
    what: &str,
    document: Document,
    error: SdkError<E, HttpResponse>,
) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let status = error.raw_response().map(|raw| raw.status().as_u16());
    // What is known from the status alone is known also where the rest got lost.
    let effect = match (status, &error) {
        (Some(status), _) => Effect::of_status(status),
        (None, SdkError::ConstructionFailure(_)) => Effect::None,
        (None, _) => Effect::Unknown,
    };
    if let SdkError::ServiceError(answer) = &error {
        let meta = answer.err().meta();
        let body = answer.raw().body().bytes().unwrap_or_default();
        if document == Document::Expected && answer::error_code(body).is_none() {
            let stranger = Stranger { status: answer.raw().status().as_u16(), body: words(body) };
            return Error::new(ErrorKind::Intercepted, operation, what).with_effect(effect).because(stranger);
        }
        let failure = Failure {
            service,
            status: answer.raw().status().as_u16(),
            code: meta.code().unwrap_or("-").to_owned(),
            message: meta.message().unwrap_or("-").to_owned(),
            request_id: answer.raw().request_id().unwrap_or("-").to_owned(),
        };
        return Error::new(kind(failure.status, &failure.code), operation, what).with_effect(effect).because(failure);
    }
    let kind = match (credentials(&error), &error) {
        (Some(CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_)), _) => {
            ErrorKind::Denied
        }
        (None, SdkError::ConstructionFailure(_)) => ErrorKind::Invalid,
        _ => ErrorKind::Transport,
    };
    Error::new(kind, operation, what).with_effect(effect).because(error)
}

/// The first words of an answer, in one line, without what could move a terminal's cursor.
fn words(body: &[u8]) -> String {
    let start = &body[..body.len().min(WORDS_LIMIT_BYTES)];
    let text = String::from_utf8_lossy(start);
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The credential chain's error among the sources.
fn credentials<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a CredentialsError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_says_what_can_be_done() {
        for (status, code, expected) in [
            (409, "ConditionalRequestConflict", ErrorKind::Busy),
            (403, "AccessDenied", ErrorKind::Denied),
            (403, "RequestTimeTooSkewed", ErrorKind::ClockSkew),
            (400, "ExpiredToken", ErrorKind::Denied),
            (400, "BadDigest", ErrorKind::Corrupt),
            (400, "XAmzContentSHA256Mismatch", ErrorKind::Corrupt),
            (400, "RequestTimeout", ErrorKind::Transport),
            (400, "KeyTooLongError", ErrorKind::Invalid),
            (404, "NoSuchBucket", ErrorKind::NotFound),
            (404, "-", ErrorKind::NotFound),
            (429, "-", ErrorKind::Busy),
            (400, "ThrottlingException", ErrorKind::Busy),
            (400, "AccessDeniedException", ErrorKind::Denied),
            (400, "ResourceNotFoundException", ErrorKind::NotFound),
            (400, "AWS.SimpleQueueService.NonExistentQueue", ErrorKind::NotFound),
            (400, "ValidationException", ErrorKind::Invalid),
            (503, "SlowDown", ErrorKind::Busy),
            (500, "InternalError", ErrorKind::Busy),
            (502, "-", ErrorKind::Busy),
            (301, "PermanentRedirect", ErrorKind::Intercepted),
            (400, "AuthorizationHeaderMalformed", ErrorKind::Denied),
            (400, "InvalidArgument", ErrorKind::Invalid),
            (400, "EntityTooLarge", ErrorKind::Invalid),
            (501, "NotImplemented", ErrorKind::Busy),
        ] {
            assert_eq!(kind(status, code), expected, "{status} {code}");
        }
    }
}
