//! An execution environment: the `bootstrap` of a function's zip as a process with only its own environment.

use super::Function;
use super::runtime_api::{RuntimeApi, Said};
use crate::binaries::{Output, Running};
use serde_json::Value;
use std::fs::Permissions;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Lambda allows ten seconds for a cold start. A busy test machine needs more.
const COLD_START: Duration = Duration::from_secs(30);

/// The result of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Invoked {
    Answered(Value),
    /// The function reported an error.
    Failed(Value),
    /// The time limit was exceeded and the sandbox killed.
    TimedOut,
    Crashed,
    /// The invocation was refused with 429.
    Throttled,
}

/// A running sandbox. Dropping it kills the process.
#[derive(Debug)]
pub struct Sandbox {
    running: Running,
    api: RuntimeApi,
    arn: String,
    timeout: Duration,
    launched: Instant,
    _directory: tempfile::TempDir,
}

/// Unpacks a zip as Lambda does: permissions are kept, `bootstrap` is at the top and can be executed.
pub fn unpack(zip: &[u8], directory: &Path) -> PathBuf {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).expect("the function's package is a zip");
    archive.extract(directory).expect("the zip can be unpacked");
    let bootstrap = directory.join("bootstrap");
    let mode = bootstrap.metadata().expect("the zip has a bootstrap at its top").permissions().mode();
    assert!(mode & 0o555 == 0o555, "the bootstrap's mode is {mode:o}: Lambda could not execute it");
    bootstrap
}

impl Sandbox {
    /// Starts a sandbox and waits until it asks for work. Panics if it does not.
    pub fn start(function: &Function) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let bootstrap = unpack(&function.code, directory.path());
        // As in Lambda, the user that runs the program may not change it.
        std::fs::set_permissions(&bootstrap, Permissions::from_mode(0o555)).expect("permissions");
        let mut command = Command::new(&bootstrap);
        command.env_clear().current_dir(directory.path()).envs(function.environment());
        command.env("LAMBDA_TASK_ROOT", directory.path());
        Self::launch(function, command, directory)
    }

    /// Starts a sandbox with `command`, which runs the program of an image in its root, and has the image's environment.
    /// Lambda's own variables are added to that.
    pub fn of_image(function: &Function, mut command: Command) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // An image says itself where its programs are.
        command.envs(function.environment().into_iter().filter(|(name, _)| name != "PATH"));
        Self::launch(function, command, directory)
    }

    fn launch(function: &Function, mut command: Command, directory: tempfile::TempDir) -> Self {
        let api = RuntimeApi::start();
        command.env("AWS_LAMBDA_RUNTIME_API", api.address());
        let launched = Instant::now();
        let mut running = Running::start(&mut command);
        let ready = api.wait_until_ready(COLD_START, || running.exited().is_none());
        assert!(ready, "{} does not start:\n{}", function.name, outputs(&running));
        Self { running, api, arn: function.arn.clone(), timeout: function.timeout, launched, _directory: directory }
    }

    /// Gives it one event.
    pub fn invoke(&mut self, event: &Value) -> Invoked {
        match self.said(event) {
            Some(Said::Response(answer)) => Invoked::Answered(serde_json::from_slice(&answer).unwrap_or(Value::Null)),
            Some(Said::Error(error)) => Invoked::Failed(error),
            None if self.running.exited().is_some() => Invoked::Crashed,
            None => {
                self.running.kill();
                Invoked::TimedOut
            }
        }
    }

    /// Gives it one event whose answer is streamed. Returns the answer's bytes; panics if there is none.
    pub(super) fn streamed(&mut self, event: &Value) -> Vec<u8> {
        match self.said(event) {
            Some(Said::Response(answer)) => answer,
            other => panic!("{event}: no answer: {other:?}\n{}", outputs(&self.running)),
        }
    }

    fn said(&mut self, event: &Value) -> Option<Said> {
        let Self { running, api, arn, timeout, .. } = self;
        api.invoke(arn, event, *timeout, || running.exited().is_none())
    }

    /// Whether it can be invoked again.
    pub fn is_alive(&mut self) -> bool {
        self.running.exited().is_none()
    }

    /// How long ago its process was started.
    pub fn age(&self) -> Duration {
        self.launched.elapsed()
    }

    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Returns all output, which Lambda writes to the function's log.
    pub fn log(&self) -> Vec<String> {
        [self.running.lines(Output::Stdout), self.running.lines(Output::Stderr)].concat()
    }
}

fn outputs(running: &Running) -> String {
    [running.lines(Output::Stdout), running.lines(Output::Stderr)].concat().join("\n")
}
