//! A Lambda function that does nothing: what the benchmark holds the real ones against.

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    let nothing = service_fn(|_: LambdaEvent<Value>| async { Ok::<_, lambda_runtime::Error>(json!({})) });
    lambda_runtime::run(nothing).await
}
