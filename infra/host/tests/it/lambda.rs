//! The Lambda loop against a small runtime API: one batch, each message answered by itself.

#![cfg(feature = "aws")]

use crate::support::{ByKey, notification};
use bytes::Bytes;
use framepost_events::ObjectFinalized;
use framepost_host::{Handler, lambda, telemetry};
use framepost_ports::memory::ParkedLetters;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// Another process: the Lambda runtime takes the address of its API from the environment.
#[tokio::test]
#[ignore = "started by each_message_of_a_batch_is_answered_by_itself"]
async fn the_function() {
    telemetry::init(telemetry::Format::Json);
    let function = Arc::new(ByKey::retrying(u32::MAX, Duration::ZERO));
    let dead_letters = Arc::new(ParkedLetters::default());
    lambda::run(Handler::new::<ObjectFinalized>(function, Some(dead_letters))).await.unwrap();
}

fn message(id: &str, body: &str) -> Value {
    let attributes = json!({ "AWSTraceHeader": format!("Root=1-5759e988-{id};Parent=53995c3f42cd8ad8;Sampled=1") });
    json!({ "messageId": id, "receiptHandle": id, "body": body, "attributes": attributes, "messageAttributes": {} })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_of_a_batch_is_answered_by_itself() {
    let test_event = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-20T15:08:27.000Z","Bucket":"footage","RequestId":"r","HostId":"h"}"#;
    let done = "plant-7/2026-11-20/gate/15/08-23.547000Z.0.mp4";
    let batch = json!({ "Records": [
        message("done", &notification(&[done])),
        message("form-encoded", &notification(&["a+b"])),
        message("poison", "{ this is no event"),
        message("panic", &notification(&["panic"])),
        message("retry", &notification(&["retry"])),
        message("reject", &notification(&["reject"])),
        message("skip", &notification(&["skip"])),
        message("test", test_event),
    ]});
    let (answer, log) = run_one(batch.to_string()).await;
    let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
    let mut failed: Vec<&str> = answer["batchItemFailures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["itemIdentifier"].as_str().unwrap())
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ["panic", "retry"], "what is rejected is parked and gone");

    let handled: Vec<&Value> = log.iter().filter(|line| line["event"] == "handled").collect();
    assert_eq!(handled.len(), 7, "{log:?}");
    for line in &handled {
        let message = line["message_id"].as_str().unwrap();
        let expected = match message {
            "form-encoded" => "done",
            "poison" => "reject",
            word => word,
        };
        assert_eq!((&line["outcome"], &line["function"]), (&json!(expected), &json!("by-key")), "{line}");
        assert_eq!((&line["request_id"], &line["trace_id"]), (&json!("one"), &json!(format!("1-5759e988-{message}"))));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
    let line = |message: &str| *handled.iter().find(|line| line["message_id"] == message).unwrap();
    assert_eq!((&line("done")["key"], &line("done")["site"]), (&json!(done), &json!("plant-7")));
    assert_eq!(line("done")["object_bytes"], 5);
    assert!(line("done")["latency_ms"].is_u64());
    assert_eq!(line("form-encoded")["key"], "a b");
    assert_eq!(line("poison")["reason"], "not-an-event");
    assert_eq!(line("reject")["reason"], "not-media");

    let panic = log.iter().find(|line| line.get("panic").is_some()).expect("a panic is a line of the log");
    assert_eq!((&panic["message_id"], &panic["request_id"]), (&json!("panic"), &json!("one")));
    assert!(panic["panic"].as_str().is_some_and(|text| text.contains("support/mod.rs")), "where it was: {panic}");

    let metrics: Vec<&Value> = log.iter().filter(|line| line.get("_aws").is_some()).collect();
    let [foreign, ours] = metrics[..] else { panic!("{metrics:?}") };
    assert_eq!((&ours["Site"], &ours["ChunksDone"]), (&json!("plant-7"), &json!(1)));
    assert_eq!((&foreign["ChunksDone"], &foreign["Rejects"], &foreign["Retries"]), (&json!(1), &json!(2), &json!(2)));
}

/// Gives one batch to the function, and returns its answer and the JSON lines of its log.
async fn run_one(batch: String) -> (String, Vec<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let batches = Arc::new(Mutex::new(Some(Bytes::from(batch))));
    let answer = Arc::new(Mutex::new(None));
    let answered = Arc::new(Notify::new());
    let api = {
        let answer = answer.clone();
        let answered = answered.clone();
        move |request: Request<hyper::body::Incoming>| {
            let batches = batches.clone();
            let answer = answer.clone();
            let answered = answered.clone();
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
        .args(["--exact", "lambda::the_function", "--ignored", "--nocapture"])
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "by-key")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let in_time = tokio::time::timeout(Duration::from_mins(1), answered.notified()).await;
    function.kill().unwrap();
    let output = function.wait_with_output().unwrap();
    server.abort();
    in_time.expect("the function answers");
    let text = String::from_utf8(output.stdout).unwrap();
    // The test harness of the other process talks too, sometimes on the same line.
    let json = |line: &str| serde_json::from_str(line.get(line.find('{')?..)?).ok();
    let answer = answer.lock().unwrap().take().unwrap();
    (answer, text.lines().filter_map(json).collect())
}
