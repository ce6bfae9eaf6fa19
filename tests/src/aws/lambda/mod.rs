//! A simulation of the Lambda service: event source mappings poll SQS with the function's role, sandboxes run
//! the zip that was uploaded, and each batch is answered as Lambda would.
//!
//! It follows the Developer Guide ("Using Lambda with Amazon SQS"). Messages of a failed invocation stay until
//! their visibility timeout. If an invocation succeeds and the mapping reports batch item failures, only the
//! messages in `batchItemFailures` stay. A response that names a message of another batch, or no message, fails
//! the whole batch. `maxReceiveCount` is left to the queue.

mod function_url;
mod runtime_api;
mod sandbox;

pub use function_url::FunctionUrl;
pub use sandbox::{Invoked, Sandbox, unpack};

use super::account::{Account, Identity};
use super::moto::Moto;
use super::package::store;
use super::queue::{Message, Queue};
use super::{ACCOUNT, REGION};
use crate::binaries::Program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Function {
    pub name: String,
    pub arn: String,
    /// The role it runs as.
    pub role_arn: String,
    pub log_group: String,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// How many may run at a time, where that is reserved for it.
    pub reserved_concurrency: Option<usize>,
    code: Vec<u8>,
    memory_mib: u64,
    variables: BTreeMap<String, String>,
    endpoints: BTreeMap<String, String>,
    identity: Identity,
}

impl Function {
    /// Returns the function that Terraform deployed under `name`, a zip.
    pub fn deployed(moto: &Moto, name: &str) -> Self {
        let described = Account::of(moto).lambda(&format!("/2015-03-31/functions/{name}"));
        let configuration = &described["Configuration"];
        assert_eq!(configuration["Handler"], "bootstrap", "{described}");
        let runtime = configuration["Runtime"].as_str().unwrap_or_default();
        assert!(runtime.starts_with("provided.al"), "a program of its own needs no {runtime}");
        Self::described(moto, name, &described, moto.code(name))
    }

    /// Returns the function that Terraform deployed under `name` as the image at `uri`. There is no registry with that image:
    /// `program` stands for it, on this machine's file system.
    pub fn of_image(moto: &Moto, name: &str, uri: &str, program: Program) -> Self {
        let described = Account::of(moto).lambda(&format!("/2015-03-31/functions/{name}"));
        assert_eq!(described["Configuration"]["PackageType"], "Image", "{described}");
        assert_eq!(described["Code"]["ImageUri"], uri, "{described}");
        Self::described(moto, name, &described, stored(program))
    }

    /// Returns the function that Terraform deployed under `name` as a zip, with `program` instead of what is in that, for a
    /// program that is too large to be worth uploading.
    pub fn deployed_as(moto: &Moto, name: &str, program: Program) -> Self {
        let described = Account::of(moto).lambda(&format!("/2015-03-31/functions/{name}"));
        assert_eq!(described["Configuration"]["Handler"], "bootstrap", "{described}");
        Self::described(moto, name, &described, stored(program))
    }

    fn described(moto: &Moto, name: &str, described: &Value, code: Vec<u8>) -> Self {
        let account = Account::of(moto);
        let configuration = &described["Configuration"];
        let text =
            |name: &str| configuration[name].as_str().unwrap_or_else(|| panic!("{name} in {described}")).to_owned();
        let role_arn = text("Role");
        let variables = configuration["Environment"]["Variables"].as_object().into_iter().flatten();
        let variables =
            variables.map(|(name, value)| (name.clone(), value.as_str().expect("a variable is a text").to_owned()));
        let log_group = configuration["LoggingConfig"]["LogGroup"].as_str();
        Self {
            identity: account.assume_role(&role_arn, name),
            name: name.to_owned(),
            arn: text("FunctionArn"),
            role_arn,
            log_group: log_group.map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned),
            timeout: Duration::from_secs(configuration["Timeout"].as_u64().expect("a timeout")),
            reserved_concurrency: described["Concurrency"]["ReservedConcurrentExecutions"]
                .as_u64()
                .map(|reserved| usize::try_from(reserved).unwrap_or(usize::MAX)),
            code,
            memory_mib: configuration["MemorySize"].as_u64().expect("a memory size"),
            variables: variables.collect(),
            endpoints: BTreeMap::from([("AWS_ENDPOINT_URL".to_owned(), moto.url())]),
        }
    }

    /// Returns a function that is not deployed: a zip with these variables that runs as `identity`
    /// and calls AWS at `endpoint`.
    pub fn undeployed(code: Vec<u8>, variables: &[(&str, &str)], identity: Identity, endpoint: &str) -> Self {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self {
            name: "undeployed".to_owned(),
            arn: format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:undeployed"),
            role_arn: String::new(),
            log_group: "/aws/lambda/undeployed".to_owned(),
            timeout: Duration::from_secs(30),
            reserved_concurrency: None,
            code,
            memory_mib: 128,
            variables: variables.collect(),
            endpoints: BTreeMap::from([("AWS_ENDPOINT_URL".to_owned(), endpoint.to_owned())]),
            identity,
        }
    }

    pub fn role(&self) -> &str {
        self.role_arn.rsplit('/').next().expect("an ARN has parts")
    }

    /// Returns the same function with another value of a variable.
    #[must_use]
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// A variable of its own.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Returns the same function with another endpoint for one service (`S3`, `SQS` …).
    #[must_use]
    pub fn with_endpoint(mut self, service: &str, url: &str) -> Self {
        self.endpoints.insert(format!("AWS_ENDPOINT_URL_{service}"), url.to_owned());
        self
    }

    /// Returns the same function with a shorter time limit.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Returns the environment of its process ("Defined runtime environment variables"), with
    /// the endpoints of this test.
    fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = self.variables.clone();
        environment.extend(self.endpoints.clone());
        let Identity { access_key_id, secret_access_key, session_token } = self.identity.clone();
        let own = [
            ("_HANDLER", "bootstrap".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory_mib.to_string()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", self.log_group.clone()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0".to_owned()),
            ("AWS_ACCESS_KEY_ID", access_key_id),
            ("AWS_SECRET_ACCESS_KEY", secret_access_key),
            ("TZ", ":UTC".to_owned()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned()),
        ];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        environment.extend(session_token.map(|token| ("AWS_SESSION_TOKEN".to_owned(), token)));
        environment
    }
}

/// A zip of `program` that is never uploaded.
fn stored(program: Program) -> Vec<u8> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let zip = directory.path().join("bootstrap.zip");
    store(program, &zip);
    std::fs::read(zip).expect("it is packed")
}

/// One batch and its result.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub messages: Vec<Message>,
    /// How the invocation ended.
    pub invoked: Invoked,
    /// Ids of the messages that will be delivered again.
    pub failures: Vec<String>,
}

/// Lets a test interfere with invocations.
#[derive(Debug, Clone, Default)]
pub struct Conduct {
    shared: Arc<Mutex<Happening>>,
}

#[derive(Debug, Default)]
struct Happening {
    throttled: usize,
    running: Vec<u32>,
}

impl Conduct {
    fn lock(&self) -> std::sync::MutexGuard<'_, Happening> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses the next `invocations`, as if the account's concurrency were used up.
    pub fn throttle(&self, invocations: usize) {
        self.lock().throttled = invocations;
    }

    /// Kills every running sandbox, as Lambda does when memory runs out. Returns how many there were.
    pub fn kill_running(&self) -> usize {
        let running = std::mem::take(&mut self.lock().running);
        for id in &running {
            let pid = Pid::from_raw(i32::try_from(*id).expect("a process id fits 31 bits"));
            kill(pid, Signal::SIGKILL).expect("the sandbox is still there");
        }
        running.len()
    }

    fn is_throttled(&self) -> bool {
        let mut state = self.lock();
        let refused = state.throttled > 0;
        state.throttled = state.throttled.saturating_sub(1);
        refused
    }
}

/// An event source mapping.
#[derive(Debug)]
pub struct Mapping {
    pub function: Function,
    /// The queue that it polls.
    pub queue: Queue,
    /// What happens to invocations.
    pub conduct: Conduct,
    queue_arn: String,
    batch_size: u64,
    maximum_concurrency: usize,
    answers: Answers,
    log: Vec<String>,
}

/// How a mapping interprets a function's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// Which messages failed (`ReportBatchItemFailures`).
    PerMessage,
    /// The response has no meaning: the batch succeeded if there was one.
    PerBatch,
}

impl Mapping {
    /// The only mapping of `function`.
    pub fn deployed(moto: &Moto, function: Function) -> Self {
        let account = Account::of(moto);
        let found = account.lambda(&format!("/2015-03-31/event-source-mappings/?FunctionName={}", function.arn));
        let mappings = found["EventSourceMappings"].as_array().expect("a list of mappings");
        let [mapping] = &mappings[..] else { panic!("one mapping was expected: {found}") };
        let queue_arn = mapping["EventSourceArn"].as_str().expect("a queue's ARN").to_owned();
        assert!(queue_arn.starts_with(&format!("arn:aws:sqs:{REGION}:{ACCOUNT}:")), "{queue_arn}");
        assert_ne!(mapping["State"], "Disabled", "{mapping}");
        let reports = mapping["FunctionResponseTypes"].as_array().into_iter().flatten();
        let reported = reports.into_iter().any(|kind| kind == "ReportBatchItemFailures");
        let answers = if reported { Answers::PerMessage } else { Answers::PerBatch };
        let maximum = mapping["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap_or(1000);
        Self {
            // Lambda polls as the function.
            queue: Queue::at(&account.with(function.identity.clone()), &queue_arn),
            conduct: Conduct::default(),
            queue_arn,
            batch_size: mapping["BatchSize"].as_u64().expect("a batch size"),
            maximum_concurrency: usize::try_from(maximum).unwrap_or(usize::MAX),
            answers,
            log: Vec::new(),
            function,
        }
    }

    /// Returns the most messages in a batch.
    pub fn batch_size(&self) -> u64 {
        self.batch_size
    }

    /// Returns the most sandboxes that may run concurrently.
    pub fn maximum_concurrency(&self) -> usize {
        self.maximum_concurrency
    }

    /// Everything that the function has written so far.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// Polls until no message is visible, with up to `sandboxes` at a time. Messages still in flight then have
    /// failed, and become visible after their visibility timeout.
    pub fn drain(&mut self, sandboxes: usize) -> Vec<Delivery> {
        let polling = Mutex::new(());
        let workers: Vec<_> = std::thread::scope(|scope| {
            let this = &*self;
            let polling = &polling;
            let work = move || {
                let mut sandbox = None;
                let mut deliveries = Vec::new();
                let mut log = Vec::new();
                loop {
                    let messages = {
                        let _alone = polling.lock().unwrap_or_else(PoisonError::into_inner);
                        this.queue.receive(this.batch_size)
                    };
                    if messages.is_empty() {
                        log.extend(sandbox.iter().flat_map(Sandbox::log));
                        return (deliveries, log);
                    }
                    let invoked = this.invoke(&mut sandbox, &messages, &mut log);
                    let _alone = polling.lock().unwrap_or_else(PoisonError::into_inner);
                    deliveries.push(this.settle(messages, invoked));
                }
            };
            let workers: Vec<_> = (0..sandboxes.min(self.maximum_concurrency)).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        let mut all = Vec::new();
        for (deliveries, log) in workers {
            all.extend(deliveries);
            self.log.extend(log);
        }
        all
    }

    fn invoke(&self, sandbox: &mut Option<Sandbox>, messages: &[Message], log: &mut Vec<String>) -> Invoked {
        if self.conduct.is_throttled() {
            return Invoked::Throttled;
        }
        let records: Vec<Value> = messages.iter().map(|message| message.for_lambda(&self.queue_arn)).collect();
        let running = sandbox.get_or_insert_with(|| Sandbox::start(&self.function));
        let id = running.id();
        self.conduct.lock().running.push(id);
        let invoked = running.invoke(&json!({ "Records": records }));
        self.conduct.lock().running.retain(|other| *other != id);
        if !running.is_alive() {
            // The next invocation uses a new sandbox with a cold start.
            log.extend(sandbox.take().iter().flat_map(Sandbox::log));
        }
        invoked
    }

    fn settle(&self, messages: Vec<Message>, invoked: Invoked) -> Delivery {
        let all = || messages.iter().map(|message| message.id.clone()).collect::<Vec<_>>();
        let failures = match (&invoked, self.answers) {
            (Invoked::Answered(_), Answers::PerBatch) => Vec::new(),
            (Invoked::Answered(answer), Answers::PerMessage) => failures_in(answer, &messages).unwrap_or_else(all),
            _ => all(),
        };
        messages
            .iter()
            .filter(|message| !failures.contains(&message.id))
            .for_each(|message| self.queue.delete(message));
        Delivery { messages, invoked, failures }
    }
}

/// Returns the failures that a response names, or `None` if the response fails the whole batch.
fn failures_in(answer: &Value, messages: &[Message]) -> Option<Vec<String>> {
    let failures = match &answer["batchItemFailures"] {
        Value::Null => return Some(Vec::new()),
        Value::Array(failures) => failures,
        _ => return None,
    };
    let named = failures.iter().map(|failure| {
        let id = failure["itemIdentifier"].as_str().filter(|id| messages.iter().any(|message| message.id == *id));
        id.map(str::to_owned)
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_makes_no_sense_fails_the_whole_batch() {
        let message = json!({ "MessageId": "a", "ReceiptHandle": "r", "Body": "", "Attributes": { "ApproximateReceiveCount": "1" } });
        let messages = [Message::from_json(&message)];
        for (answer, failures) in [
            (json!(null), Some(vec![])),
            (json!({}), Some(vec![])),
            (json!({ "batchItemFailures": null }), Some(vec![])),
            (json!({ "batchItemFailures": [] }), Some(vec![])),
            (json!({ "batchItemFailures": [{ "itemIdentifier": "a" }] }), Some(vec!["a".to_owned()])),
            (json!({ "batchItemFailures": [{ "itemIdentifier": "of another batch" }] }), None),
            (json!({ "batchItemFailures": [{ "itemIdentifier": "" }] }), None),
            (json!({ "batchItemFailures": [{}] }), None),
            (json!({ "batchItemFailures": "a" }), None),
        ] {
            assert_eq!(failures_in(&answer, &messages), failures, "{answer}");
        }
    }
}
