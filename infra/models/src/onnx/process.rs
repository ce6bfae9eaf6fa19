//! A model in a process of its own, with limits.
//!
//! A model is a program that somebody else wrote: a small file can ask for any amount of memory, or never end. The process has an
//! empty environment, two pipes, and limits of memory, files and open files before it gets the model. One that takes too long, or
//! whose caller gives up, is killed, and the next picture starts another.

use super::session::Wanted;
use super::wire::{self, ANSWER_BYTES_MAX, Answer, LENGTHS_BYTES, Request};
use super::{PROCESSES_MAX, THREADS_MAX, child, cores, failed};
use crate::tensor::{InputTensor, OutputTensor};
use framepost_ports::{Error, ErrorKind, Result};
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The time in which a process whose pipes are closed must end.
const END: Duration = Duration::from_secs(2);

/// How a model's process is started, and what it may take.
#[derive(Debug, Clone)]
pub struct Confinement {
    /// A program whose `main` begins with [`run_if_asked`](crate::run_if_asked), or one that does the same.
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
    /// Address space of each process in bytes, the model's own included.
    pub memory_bytes: u64,
    /// The most processes at once, at least one. One is started with the model, the others when pictures wait.
    pub processes: usize,
    /// The time limit for loading the model, and for one picture.
    pub timeout: Duration,
}

impl Confinement {
    /// This program itself, if it [can](crate::run_if_asked), in a process for every [`THREADS_MAX`] cores.
    pub(crate) fn of_this_program(memory_bytes: u64, timeout: Duration) -> Option<Self> {
        let program = child::program()?.clone();
        let processes = cores().div_ceil(THREADS_MAX).min(PROCESSES_MAX);
        Some(Self { program, arguments: vec![child::ARGUMENT.into()], memory_bytes, processes, timeout })
    }
}

/// A process with a loaded model.
pub(super) struct Process {
    /// Killed when it is dropped.
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
}

/// Why there is no answer.
enum Failure {
    /// The model cannot be used.
    Refused(String),
    TookTooLong,
    /// The process has ended, or said something else.
    Broken(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

impl Process {
    /// Starts a process and has it load the model.
    pub(super) async fn start(limits: &Confinement, shown: &str, wanted: &Wanted, model: &[u8]) -> Result<Self> {
        let mut process = Self::spawn(limits).map_err(|error| {
            Error::new(ErrorKind::Io, "start", format!("a process for the model in {shown}")).because(error)
        })?;
        let request = Request::Load(wanted.clone());
        match process.within(limits, &request, model).await {
            Ok((Answer::Loaded, _)) => Ok(process),
            Ok((Answer::Refused(why), _)) => Err(process.failed(limits, shown, Failure::Refused(why)).await),
            Ok(_) => Err(process.failed(limits, shown, unexpected()).await),
            Err(failure) => Err(process.failed(limits, shown, failure).await),
        }
    }

    /// Runs the model. A process that failed otherwise than by refusing the picture is gone: it is returned only if it can go on.
    pub(super) async fn run(
        mut self,
        limits: &Confinement,
        shown: &str,
        input: InputTensor,
    ) -> (Option<Self>, Result<Vec<OutputTensor>>) {
        let (request, body) = wire::of_input(input);
        let answered = self.within(limits, &request, &body).await;
        let outputs = match answered {
            Ok((Answer::Outputs(shapes), body)) => wire::to_outputs(shapes, &body).map_err(Failure::from),
            Ok((Answer::Refused(why), _)) => return (Some(self), Err(failed(shown, why))),
            Ok(_) => Err(unexpected()),
            Err(failure) => Err(failure),
        };
        match outputs {
            Ok(outputs) => (Some(self), Ok(outputs)),
            Err(failure) => (None, Err(self.failed(limits, shown, failure).await)),
        }
    }

    fn spawn(limits: &Confinement) -> io::Result<Self> {
        let mut command = Command::new(&limits.program);
        command.args(&limits.arguments).env_clear().current_dir("/").kill_on_drop(true);
        // Each arena of the allocator reserves address space.
        command.env("MALLOC_ARENA_MAX", "2");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        limit(&child, limits)?;
        let missing = || io::Error::other("a pipe is missing");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        Ok(Self { child, stdin, stdout })
    }

    async fn within(
        &mut self,
        limits: &Confinement,
        request: &Request,
        body: &[u8],
    ) -> std::result::Result<(Answer, Vec<u8>), Failure> {
        match tokio::time::timeout(limits.timeout, self.ask(request, body)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::TookTooLong),
        }
    }

    async fn ask(&mut self, request: &Request, body: &[u8]) -> io::Result<(Answer, Vec<u8>)> {
        self.stdin.write_all(&wire::head(request, body.len())?).await?;
        self.stdin.write_all(body).await?;
        self.stdin.flush().await?;
        let mut bytes = [0; LENGTHS_BYTES];
        self.stdout.read_exact(&mut bytes).await?;
        let (head, body) = wire::lengths(bytes, ANSWER_BYTES_MAX)?;
        let mut message = vec![0; head];
        self.stdout.read_exact(&mut message).await?;
        let answer = serde_json::from_slice(&message)?;
        // As it comes: the length alone takes no memory.
        let mut elements = Vec::new();
        (&mut self.stdout).take(body as u64).read_to_end(&mut elements).await?;
        if elements.len() < body {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((answer, elements))
    }

    /// Ends the process and says what was wrong.
    async fn failed(mut self, limits: &Confinement, shown: &str, failure: Failure) -> Error {
        let has_ended = matches!(&failure, Failure::Broken(error) if error.kind() != io::ErrorKind::InvalidData);
        // One that ended by itself says how.
        if !has_ended || tokio::time::timeout(END, self.child.wait()).await.is_err() {
            let _ = self.child.start_kill();
        }
        let status = self.child.wait().await;
        let allowed = format!("it may take {} MiB", limits.memory_bytes >> 20);
        match (failure, status) {
            (Failure::Refused(why), _) => failed(shown, why),
            (Failure::TookTooLong, _) => failed(shown, format!("it took longer than {:?}", limits.timeout)),
            (Failure::Broken(error), _) if error.kind() == io::ErrorKind::InvalidData => failed(shown, error),
            (Failure::Broken(error), Ok(status)) => {
                use std::os::unix::process::ExitStatusExt as _;
                let killed = rustix::process::Signal::KILL.as_raw();
                if status.signal() == Some(killed) {
                    // Nobody here did that: the machine is short of memory, or is going down.
                    let what = format!("the model in {shown}");
                    return Error::new(ErrorKind::Io, "run", what)
                        .because(format!("its process was killed; {allowed}"));
                }
                failed(shown, format!("its process ended ({status}, {error}); {allowed}"))
            }
            (Failure::Broken(error), Err(_)) => failed(shown, error),
        }
    }
}

fn unexpected() -> Failure {
    Failure::Broken(io::Error::new(io::ErrorKind::InvalidData, "another answer than to what was asked"))
}

/// Sets the limits from outside, before it has read anything.
#[cfg(target_os = "linux")]
fn limit(child: &Child, limits: &Confinement) -> io::Result<()> {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let limited =
        [(Resource::As, limits.memory_bytes), (Resource::Fsize, 0), (Resource::Core, 0), (Resource::Nofile, 64)];
    for (resource, most) in limited {
        prlimit(id, resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Elsewhere only the clock limits it.
#[cfg(not(target_os = "linux"))]
fn limit(_child: &Child, _limits: &Confinement) -> io::Result<()> {
    Ok(())
}
