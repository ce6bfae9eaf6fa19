//! Runs a function on AWS Lambda, with an SQS queue and `ReportBatchItemFailures`.
//!
//! Each message of a batch is answered separately. Before Lambda's own time limit, the host answers for the
//! messages that are ready, and the others are delivered again. After each batch, one line for each site is
//! written for CloudWatch's embedded metrics.

mod metrics;
#[cfg(feature = "function-url")]
pub mod requests;

use crate::settle::{Answer, Handler, Settled};
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use framepost_aws::xray::root;
use framepost_ports::{Carrier, Message};
use futures::StreamExt as _;
use lambda_runtime::{LambdaEvent, service_fn};
use std::time::{Duration, SystemTime};
use tracing::Instrument as _;

/// Messages of one batch that are handled concurrently.
const CONCURRENCY: usize = 8;
/// Time before Lambda's own limit at which the host answers for the messages that are ready.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// Takes batches from Lambda's runtime API until the sandbox ends.
pub async fn run(handler: Handler) -> Result<(), lambda_runtime::Error> {
    lambda_runtime::run(service_fn(move |event: LambdaEvent<SqsEvent>| {
        let handler = handler.clone();
        let span = tracing::error_span!(
            "invocation",
            request_id = event.context.request_id,
            trace_id = event.context.xray_trace_id.as_deref().map(root),
        );
        async move { answer(event, &handler).await }.instrument(span)
    }))
    .await
}

async fn answer(event: LambdaEvent<SqsEvent>, handler: &Handler) -> Result<SqsBatchResponse, lambda_runtime::Error> {
    let deadline = SystemTime::UNIX_EPOCH + Duration::from_millis(event.context.deadline);
    let left = deadline.duration_since(SystemTime::now()).unwrap_or_default().saturating_sub(ANSWER_TIME);
    let until = tokio::time::Instant::now() + left;
    let settled = futures::stream::iter(event.payload.records)
        .map(|message| async move {
            let id = message.message_id.clone();
            (id, handler.settle(&read(message), Some(until)).await)
        })
        .buffer_unordered(CONCURRENCY)
        .collect::<Vec<(Option<String>, Settled)>>()
        .await;
    let mut response = SqsBatchResponse::default();
    let mut events = Vec::new();
    let mut nameless = false;
    for (id, settled) in settled {
        events.extend(settled.handled);
        match (settled.answer, id) {
            (Answer::Acknowledge, _) => {}
            (Answer::Again(_), Some(id)) => response.add_failure(id),
            (Answer::Again(_), None) => nameless = true,
        }
    }
    metrics::write(handler.name(), handler.done_metric(), &events);
    if nameless {
        return Err("a message without an id failed, so the batch has to".into());
    }
    Ok(response)
}

fn read(message: SqsMessage) -> Message {
    let trace_id = message.attributes.get("AWSTraceHeader").map(|header| root(header).to_owned());
    let text = |(name, value): (String, aws_lambda_events::sqs::SqsMessageAttribute)| Some((name, value.string_value?));
    let deliveries = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
    Message {
        attributes: message.message_attributes.into_iter().filter_map(text).collect(),
        trace_id,
        deliveries,
        ..Message::new(message.message_id.unwrap_or_default(), Carrier::Queue, message.body.unwrap_or_default())
    }
}
