//! Conversion of Amazon's errors to [`ErrorKind`].

use crate::answer;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use framepost_ports::{Effect, Error, ErrorKind};
use std::iter::successors;

/// An error as the service reported it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service} answered {status} {code}: {message} (request {request_id})")]
pub struct Failure {
    /// The service: `s3`, `sqs`.
    pub service: &'static str,
    pub status: u16,
    /// The error code; `-` if the response has none, as for a HEAD request.
    pub code: String,
    /// The service's own words, not meant to be matched against.
    pub message: String,
    /// Request id for Amazon's support; `-` if the response has none.
    pub request_id: String,
}

/// A response that does not have the form of the service's responses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an answer {status} that is not S3's: {body:?}")]
pub struct Stranger {
    pub status: u16,
    /// The first [`WORDS_LIMIT_BYTES`] bytes of the body.
    pub body: String,
}

/// Limit for the part of a foreign response that is logged.
const WORDS_LIMIT_BYTES: usize = 200;

/// Classifies an error by its code, then by its status, because some statuses have several meanings.
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
        | "LimitExceededException"
        | "ServiceQuotaExceededException"
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
        // The JSON services return these codes with status 400.
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
        // These have the status of a bad request, but they concern the whole bucket or the way it is addressed.
        // The next object would be refused too.
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
            // S3 itself redirects to another region. A redirect says nothing about the object either.
            300..=399 => ErrorKind::Intercepted,
            401 | 403 | 405 => ErrorKind::Denied,
            404 => ErrorKind::NotFound,
            408 => ErrorKind::Transport,
            409 | 425 | 429 | 500.. => ErrorKind::Busy,
            _ => ErrorKind::Invalid,
        },
    }
}

/// Whether an error response without a body can come from the service. Responses to HEAD have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Document {
    /// S3 sends an error document.
    Expected,
    /// No document is expected: the request was a HEAD, or the service uses another form.
    No,
}

/// Converts the error of `operation` on `what` for services that are reached over TLS within Amazon's network,
/// so that every response counts as the service's own.
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

/// Converts the error of `operation` on `what`.
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
    // The status alone is enough to know the effect, even if the rest of the response was lost.
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

/// Returns the start of a body on one line, without control characters.
fn words(body: &[u8]) -> String {
    let start = &body[..body.len().min(WORDS_LIMIT_BYTES)];
    let text = String::from_utf8_lossy(start);
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Finds a credential chain error among the sources.
fn credentials<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a CredentialsError> {
    successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
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
