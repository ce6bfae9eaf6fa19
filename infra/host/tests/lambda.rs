//! The Lambda loop against a small runtime API: one batch, each message answered by itself.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use framepost_events::ObjectFinalized;
use framepost_ports::{Function, Outcome, Reason};
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// What the test does to each key.
struct ByKey;

#[async_trait::async_trait]
impl Function<ObjectFinalized> for ByKey {
    fn name(&self) -> &'static str {
        "by-key"
    }

    async fn handle(&self, event: ObjectFinalized) -> Outcome {
        match event.key.as_str() {
            "panic" => panic!("as asked"),
            "retry" => Outcome::Retry { after: Duration::ZERO, reason: Reason::new("busy", "as asked") },
            "reject" => Outcome::Reject(Reason::new("not-media", "as asked")),
            "skip" => Outcome::Skip(Reason::new("not-ours", "as asked")),
            "a b" => Outcome::Done,
            other => panic!("an unexpected key {other:?}"),
        }
    }
}

/// The other process: the runtime takes its address from the environment.
#[tokio::test]
#[ignore = "started by the test below"]
async fn the_function() {
    framepost_host::lambda::run(framepost_host::Handler::new(Arc::new(ByKey), None)).await.unwrap();
}

fn message(id: &str, body: &str) -> serde_json::Value {
    serde_json::json!({ "messageId": id, "receiptHandle": id, "body": body, "attributes": {}, "messageAttributes": {} })
}

fn notification(key: &str) -> String {
    serde_json::json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-20T15:08:27.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": { "name": "footage", "arn": "arn:aws:s3:::footage" },
            "object": { "key": key, "size": 5, "eTag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "0055AED6DCD90281E5" }
        }
    }]})
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_of_a_batch_is_answered_by_itself() {
    let test_event = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-20T15:08:27.000Z","Bucket":"footage","RequestId":"r","HostId":"h"}"#;
    let batch = serde_json::json!({ "Records": [
        message("done", &notification("a+b")),
        message("poison", "{ this is no event"),
        message("panic", &notification("panic")),
        message("retry", &notification("retry")),
        message("reject", &notification("reject")),
        message("skip", &notification("skip")),
        message("test", test_event),
    ]});
    let answer = run_one(batch.to_string()).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
    let mut failed: Vec<&str> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["itemIdentifier"].as_str().unwrap())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["panic", "poison", "retry"]);
}

/// Gives one batch to the function, and returns its answer.
async fn run_one(batch: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let batches = Arc::new(Mutex::new(Some(Bytes::from(batch))));
    let (answer, answered) = (Arc::new(Mutex::new(None)), Arc::new(Notify::new()));
    let api = {
        let (answer, answered) = (answer.clone(), answered.clone());
        move |request: Request<hyper::body::Incoming>| {
            let (batches, answer, answered) = (batches.clone(), answer.clone(), answered.clone());
            async move {
                if request.uri().path().ends_with("/invocation/next") {
                    let batch = batches.lock().unwrap().take();
                    let Some(batch) = batch else { return std::future::pending().await };
                    let response = Response::builder()
                        .header("Lambda-Runtime-Aws-Request-Id", "one")
                        .header("Lambda-Runtime-Deadline-Ms", "33000000000000")
                        .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:1:function:f")
                        .body(Full::new(batch))
                        .unwrap();
                    return Ok::<_, Infallible>(response);
                }
                let path = request.uri().path().to_owned();
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let text = String::from_utf8_lossy(&body).into_owned();
                assert!(path.ends_with("/invocation/one/response"), "{path}: {text}");
                *answer.lock().unwrap() = Some(text);
                answered.notify_one();
                Ok(Response::builder().status(202).body(Full::default()).unwrap())
            }
        }
    };
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let api = api.clone();
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(api)),
            );
        }
    });
    let mut function = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_function", "--ignored", "--nocapture"])
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "by-key")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let in_time = tokio::time::timeout(Duration::from_mins(1), answered.notified()).await;
    function.kill().unwrap();
    function.wait().unwrap();
    server.abort();
    in_time.expect("the function answers");
    answer.lock().unwrap().take().unwrap()
}
