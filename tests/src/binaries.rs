//! The programs under test as processes: find, start, read, stop.
//!
//! Nothing is built here. `tests/run` builds the programs, or `cargo build` with `-p` and the package of each. They are looked
//! up beside this test's own executable, or in `FRAMEPOST_BIN_DIR`.

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A program of this workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The whole pipeline in one process.
    Framepost,
    EdgeUploader,
    /// The function that probes objects.
    Probe,
    /// The function that says what chunks show.
    Infer,
    /// The function that keeps what records say in a database.
    Catalog,
    /// The function that answers requests from that database.
    Api,
}

impl Program {
    pub fn name(self) -> &'static str {
        match self {
            Self::Framepost => "framepost",
            Self::EdgeUploader => "edge-uploader",
            Self::Probe => "probe",
            Self::Infer => "infer",
            Self::Catalog => "catalog",
            Self::Api => "api",
        }
    }

    /// Returns the package that it is built of.
    fn package(self) -> &'static str {
        match self {
            Self::Framepost => "framepost",
            Self::EdgeUploader => "edge-uploader",
            Self::Probe => "framepost-probe",
            Self::Infer => "framepost-infer",
            Self::Catalog => "framepost-catalog",
            Self::Api => "framepost-api",
        }
    }

    /// Returns the executable's path. Panics with a hint how to build it if it does not exist.
    pub fn path(self) -> PathBuf {
        let path = binaries_directory().join(self.name());
        assert!(
            path.is_file(),
            "{} is not there; build it with `cargo build -p {}`, or run `tests/run`",
            path.display(),
            self.package()
        );
        path
    }

    /// Returns the executable that `tests/run bench` built for `clouds` alone.
    pub fn built_for(self, clouds: &str) -> PathBuf {
        let path = binaries_directory().join("built-for").join(format!("{}-{clouds}", self.name()));
        assert!(path.is_file(), "{} is not there; `tests/run bench` builds it", path.display());
        path
    }

    /// Returns a command without variables of this process's environment that change the program's behaviour.
    pub fn command(self) -> Command {
        let mut command = Command::new(self.path());
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            if ["AWS_", "GOOGLE_", "FRAMEPOST_", "EDGE_"].iter().any(|prefix| name_text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        command
    }
}

/// `target/debug` for a test in `target/debug/deps` and for a program in `target/debug`.
fn binaries_directory() -> PathBuf {
    if let Some(directory) = std::env::var_os("FRAMEPOST_BIN_DIR") {
        return directory.into();
    }
    let own = std::env::current_exe().expect("the path of this test's own executable");
    let mut directory = own.parent().expect("an executable lies in a directory").to_owned();
    if directory.ends_with("deps") {
        directory.pop();
    }
    directory
}

/// The lines of one output. A thread collects them, so that the program never blocks on a full pipe.
#[derive(Debug, Default)]
struct Lines {
    state: Mutex<LinesState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LinesState {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, LinesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collect(output: impl Read + Send + 'static) -> Arc<Self> {
        let lines = Arc::new(Self::default());
        let collected = Arc::clone(&lines);
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while matches!(output.read_until(b'\n', &mut line), Ok(n) if n > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                collected.lock().lines.push(text);
                collected.changed.notify_all();
            }
            collected.lock().ended = true;
            collected.changed.notify_all();
        });
        lines
    }
}

/// Which of a program's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Stdout,
    Stderr,
}

/// How long a program may be held open for writing before it is started.
const NOT_BUSY: Duration = Duration::from_secs(10);

/// A running program. Dropping it kills the process.
#[derive(Debug)]
pub struct Running {
    name: String,
    child: Child,
    stdout: Arc<Lines>,
    stderr: Arc<Lines>,
}

impl Running {
    /// Starts `command`. Its standard input is a pipe that stays open as long as this value exists.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        // A child of another thread holds a program that was just written open until it executes its own (ETXTBSY).
        let mut child = loop {
            match command.spawn() {
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && began.elapsed() < NOT_BUSY => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                spawned => break spawned.unwrap_or_else(|error| panic!("{name} cannot be started: {error}")),
            }
        };
        let stdout = Lines::collect(child.stdout.take().expect("standard output is a pipe"));
        let stderr = Lines::collect(child.stderr.take().expect("standard error is a pipe"));
        Self { name, child, stdout, stderr }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn output(&self, output: Output) -> &Lines {
        match output {
            Output::Stdout => &self.stdout,
            Output::Stderr => &self.stderr,
        }
    }

    /// Returns its output so far.
    pub fn lines(&self, output: Output) -> Vec<String> {
        self.output(output).lock().lines.clone()
    }

    /// Returns its standard error so far, for the message of a failed test.
    pub fn log(&self) -> String {
        self.lines(Output::Stderr).join("\n")
    }

    /// Waits until `found` returns a value for the lines of `output` so far. Panics after `within`, or
    /// if the output ends first.
    pub fn wait_for<T>(&self, output: Output, within: Duration, mut found: impl FnMut(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + within;
        let lines = self.output(output);
        let mut state = lines.lock();
        loop {
            if let Some(value) = found(&state.lines) {
                return value;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || state.ended {
                let count = state.lines.len();
                let why = if state.ended { "it ended" } else { "time is up" };
                drop(state);
                panic!("{}: {why} before what was awaited ({count} lines of {output:?})\n{}", self.name, self.log());
            }
            state = lines.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes into its standard input.
    pub fn type_in(&mut self, bytes: &[u8]) {
        let input = self.child.stdin.as_mut().expect("standard input is a pipe");
        input.write_all(bytes).and_then(|()| input.flush()).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    /// Sends SIGINT, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::SIGINT);
    }

    /// Sends SIGTERM, as a service manager does.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id fits 31 bits"));
        nix::sys::signal::kill(pid, signal).unwrap_or_else(|error| panic!("{}: {signal}: {error}", self.name));
    }

    /// Kills it with SIGKILL, as a power cut would, and reaps it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap_or_else(|error| panic!("{}: SIGKILL: {error}", self.name));
        self.child.wait().unwrap_or_else(|error| panic!("{}: wait: {error}", self.name));
    }

    /// Its exit status, if it has ended.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap_or_else(|error| panic!("{}: wait: {error}", self.name))
    }

    /// Waits until it has ended and its output has been read completely. Panics after `within`.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let deadline = Instant::now() + within;
        let status = loop {
            if let Some(status) = self.exited() {
                break status;
            }
            assert!(Instant::now() < deadline, "{} did not end within {within:?}\n{}", self.name, self.log());
            std::thread::park_timeout(Duration::from_millis(5));
        };
        for lines in [&self.stdout, &self.stderr] {
            let mut state = lines.lock();
            while !state.ended && Instant::now() < deadline {
                state = lines
                    .changed
                    .wait_timeout(state, Duration::from_millis(50))
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
        }
        status
    }

    /// Waits until it has ended and panics unless its exit code is `code`.
    pub fn wait_for_exit_code(&mut self, code: i32, within: Duration) {
        let status = self.wait(within);
        assert_eq!(status.code(), Some(code), "{} ended with {status}\n{}", self.name, self.log());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    /// A shell cannot trap signals that were ignored when it started, and another
    /// shell starts background jobs so.
    fn shell(script: &str) -> Running {
        Running::start(Command::new("env").args(["--default-signal=INT", "sh", "-c", script]))
    }

    #[test]
    fn outputs_are_kept_apart_and_complete() {
        let mut running = shell("echo one; echo two >&2; echo three; exit 3");
        running.wait_for_exit_code(3, SOON);
        assert_eq!(running.lines(Output::Stdout), ["one", "three"]);
        assert_eq!(running.log(), "two");
    }

    #[test]
    fn signals_arrive() {
        let ready = |lines: &[String]| lines.contains(&"ready".to_owned()).then_some(());
        for (signal, code) in [("INT", 7), ("TERM", 8)] {
            let mut asked = shell(&format!("trap 'exit {code}' {signal}; echo ready; while :; do sleep 0.01; done"));
            asked.wait_for(Output::Stdout, SOON, ready);
            match signal {
                "INT" => asked.interrupt(),
                _ => asked.terminate(),
            }
            asked.wait_for_exit_code(code, SOON);
        }
        let mut killed = shell("trap '' INT TERM; echo ready; while :; do sleep 0.01; done");
        killed.wait_for(Output::Stdout, SOON, ready);
        killed.kill();
        assert_eq!(killed.wait(Duration::from_secs(1)).code(), None, "no exit code: a signal ended it");
    }

    #[test]
    #[should_panic(expected = "it ended before what was awaited")]
    fn a_line_that_never_comes_is_a_failure() {
        shell("echo other").wait_for(Output::Stdout, SOON, |lines| lines.contains(&"awaited".to_owned()).then_some(()));
    }

    #[test]
    #[should_panic(expected = "did not end within")]
    fn a_program_that_hangs_is_a_failure() {
        shell("read forever").wait(Duration::from_millis(100));
    }
}
