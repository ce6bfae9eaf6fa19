//! AWS Lambda, fed by an SQS queue with `ReportBatchItemFailures`.

use crate::contained::{Handled, handle};
use crate::notices::{Notice, parse};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use framepost_events::ObjectFinalized;
use framepost_ports::{Function, Outcome};
use futures::StreamExt as _;
use lambda_runtime::{LambdaEvent, service_fn};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Messages of one batch that are handled at a time.
const CONCURRENCY: usize = 8;
/// Left before Lambda's own limit to answer for those that were ready.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// Takes batches from Lambda's runtime API until the sandbox ends.
pub async fn run(function: Arc<dyn Function<ObjectFinalized>>) -> Result<(), lambda_runtime::Error> {
    lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| {
        let function = function.clone();
        async move { answer(event, &*function).await }
    }))
    .await
}

async fn answer(
    event: LambdaEvent<SqsEvent>,
    function: &dyn Function<ObjectFinalized>,
) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let deadline = SystemTime::UNIX_EPOCH + Duration::from_millis(event.context.deadline);
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(ANSWER_TIME);
    let until = tokio::time::Instant::now() + left;
    let answers = futures::stream::iter(event.payload.records).map(|message| async move {
        let id = message.message_id.clone();
        let Ok(settled) = tokio::time::timeout_at(until, settle(message, function)).await else {
            tracing::warn!(message = id, "no time left, the message comes again");
            return (id, Settled::Again);
        };
        (id, settled)
    });
    let answers: Vec<(Option<String>, Settled)> = answers.buffer_unordered(CONCURRENCY).collect().await;
    let mut response = SqsBatchResponse::default();
    for (id, settled) in answers {
        match (settled, id) {
            (Settled::Handled, _) => {}
            (Settled::Again, Some(id)) => response.add_failure(id),
            (Settled::Again, None) => return Err("a message without an id failed, so the batch has to".into()),
        }
    }
    Ok(response)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Handled,
    Again,
}

/// One message, which can tell of several objects. It comes again as a whole when one of them has to.
async fn settle(message: SqsMessage, function: &dyn Function<ObjectFinalized>) -> Settled {
    let name = function.name();
    let id = message.message_id.as_deref().unwrap_or("-");
    let notices = match parse(message.body.unwrap_or_default().as_bytes()) {
        Ok(notices) => notices,
        Err(error) => {
            tracing::error!(function = name, message = id, %error, "not an event");
            return Settled::Again;
        }
    };
    let mut settled = Settled::Handled;
    for notice in notices {
        let event = match notice {
            Notice::Finalized(event) => event,
            Notice::Ignored { code, detail } => {
                tracing::info!(function = name, message = id, ?code, detail, "ignored");
                continue;
            }
        };
        let key = event.key.clone();
        match handle(function, event).await {
            Handled::Outcome(Outcome::Done) => {}
            Handled::Outcome(Outcome::Skip(reason)) => {
                tracing::info!(function = name, key, code = reason.code, detail = reason.detail, "skipped");
            }
            Handled::Outcome(Outcome::Retry { reason, .. }) => {
                tracing::warn!(function = name, key, code = reason.code, detail = reason.detail, "to be tried again");
                settled = Settled::Again;
            }
            Handled::Outcome(Outcome::Reject(reason)) => {
                tracing::warn!(function = name, key, code = reason.code, detail = reason.detail, "rejected");
            }
            Handled::Panic(words) => {
                tracing::error!(function = name, key, panic = words, "the handler panicked");
                settled = Settled::Again;
            }
        }
    }
    settled
}
