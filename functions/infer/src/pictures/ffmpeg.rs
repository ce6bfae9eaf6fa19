//! Runs ffmpeg as a process with limits.
//!
//! Before the process gets the first byte of the object, it has an environment with `PATH` alone, a process group of its own,
//! and limits for memory, processor time and written files. Whatever happens (success, failure, too much of anything, a caller
//! that gives up), the group is killed and the process reaped.

use super::arguments::{self, Input, Times};
use super::limits::{Limits, PICTURES_MAX};
use super::output::{self, Raw, Told};
use super::read::Footage;
use super::{PicturesError, Wanted};
use bytes::Bytes;
use framepost_events::record::ChunkProbed;
use framepost_ports::Picture;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// How long a process may still run after it has closed its outputs, or has been killed. On a busy machine it may take seconds
/// until a process that is ending has ended.
const END: Duration = Duration::from_secs(10);

/// Decodes the wanted pictures of a chunk with `ffmpeg` as a child process, within its [`Limits`].
#[derive(Debug)]
pub struct Decoder {
    program: PathBuf,
    limits: Limits,
}

/// Returns the path of the program, which is looked for in the directories of `path` unless it has a slash.
pub fn find_program(name: &str, path: Option<OsString>) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let is_program = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(is_program);
    }
    std::env::split_paths(&path?).map(|directory| directory.join(name)).find(is_program)
}

impl Decoder {
    /// Creates a decoder that runs this program within these limits.
    pub fn new(program: impl Into<PathBuf>, limits: Limits) -> Self {
        Self { program: program.into(), limits }
    }

    /// Returns the limits for one chunk.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) async fn decode(
        &self,
        footage: Footage,
        chunk: &ChunkProbed,
        wanted: Wanted,
    ) -> Result<Vec<Picture>, PicturesError> {
        let pixels = self.limits.pixels_of_one(wanted, chunk.duration.seconds);
        let (input, times) = match &footage {
            Footage::Parts(_, times) => (Input::Pipe, *times),
            Footage::File(_) => (Input::File, Times::FromStart),
        };
        let arguments = arguments::arguments(chunk, wanted, input, times, pixels);
        let (stdin, parts) = match footage {
            Footage::Parts(parts, _) => (Stdio::piped(), parts),
            Footage::File(file) => (Stdio::from(file), vec![]),
        };
        let mut process =
            Process::start(&self.program, &arguments, stdin, &self.limits).map_err(PicturesError::Machine)?;
        let begun = Instant::now();
        let ended = tokio::time::timeout(self.limits.wall(), process.run(parts, pixels)).await;
        process.kill();
        let (raw, told, status) = match ended {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                process.reap().await;
                return Err(PicturesError::None(error.to_string()));
            }
            Ok(Err(error)) => {
                process.reap().await;
                return Err(PicturesError::Machine(error));
            }
            Err(_) => {
                process.reap().await;
                return Err(PicturesError::Limit("time"));
            }
        };
        let took = begun.elapsed();
        let most = self.limits.decoding;
        judged(&raw, &told, status, if took < most / 4 { Elapsed::Little } else { Elapsed::Much })?;
        let pictures = raw.into_iter().zip(told.times);
        let made = pictures.map(|(raw, time)| Picture::new(raw.width, raw.height, raw.rgb, time));
        made.collect::<Result<_, _>>().map_err(|error| PicturesError::None(framepost_ports::chain(&error)))
    }
}

/// The time that it ran, compared with its processor time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elapsed {
    Little,
    Much,
}

/// Decides whether the pictures can be used. Of a damaged chunk, those before the damage can.
fn judged(raw: &[Raw], told: &Told, status: ExitStatus, elapsed: Elapsed) -> Result<(), PicturesError> {
    if status.signal() == Some(Signal::KILL.as_raw()) {
        return Err(match elapsed {
            // The kernel does that to who has used up its processor time.
            Elapsed::Much => PicturesError::Limit("processor time"),
            // Nobody here did that: the machine is short of memory, or is going down.
            Elapsed::Little => PicturesError::Machine(io::Error::other("it was killed")),
        });
    }
    // It tells the times of pictures, too, that it then was not asked for.
    if !raw.is_empty() && raw.len() <= told.times.len() {
        return Ok(());
    }
    let what = if told.complaints.is_empty() { "nothing was decoded" } else { &told.complaints };
    Err(PicturesError::None(format!("{what} ({status})")))
}

/// A process that leads a group. Dropping it kills the group.
struct Process {
    child: Child,
    group: Option<Pid>,
}

impl Process {
    fn start(program: &Path, arguments: &[String], stdin: Stdio, limits: &Limits) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true).env_clear().current_dir("/");
        for kept in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        let child = command.spawn()?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let process = Self { child, group };
        process.limit(limits)?;
        Ok(process)
    }

    /// Sets the limits from outside, so that no code runs between `fork` and `exec`. The process waits for its input until then.
    #[cfg(target_os = "linux")]
    fn limit(&self, limits: &Limits) -> io::Result<()> {
        use rustix::process::{Resource, Rlimit, prlimit};
        let limited = [
            (Resource::As, limits.memory_bytes),
            (Resource::Cpu, limits.decoding.as_secs().max(1)),
            (Resource::Fsize, 0),
            (Resource::Core, 0),
            (Resource::Nofile, 64),
        ];
        for (resource, most) in limited {
            prlimit(self.group, resource, Rlimit { current: Some(most), maximum: Some(most) })?;
        }
        Ok(())
    }

    /// Does nothing on other systems, where only the time by the clock is limited.
    #[cfg(not(target_os = "linux"))]
    fn limit(&self, _limits: &Limits) -> io::Result<()> {
        Ok(())
    }

    /// Writes its input, and reads its outputs until it ends.
    async fn run(&mut self, parts: Vec<Bytes>, pixels: u64) -> io::Result<(Vec<Raw>, Told, ExitStatus)> {
        let missing = || io::Error::other("a pipe is missing");
        let stdin = self.child.stdin.take();
        let mut stdout = BufReader::new(self.child.stdout.take().ok_or_else(missing)?);
        let mut stderr = BufReader::new(self.child.stderr.take().ok_or_else(missing)?);
        let feeding = feed(stdin, parts);
        let reading = output::pictures(&mut stdout, PICTURES_MAX, pixels);
        let listening = output::told(&mut stderr, PICTURES_MAX);
        let ((), raw, told) = tokio::try_join!(feeding, reading, listening)?;
        let status = tokio::time::timeout(END, self.child.wait()).await;
        Ok((raw, told, status.map_err(|_| io::Error::other("it does not exit"))??))
    }

    fn kill(&self) {
        if let Some(group) = self.group {
            // An error says that nobody is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    async fn reap(&mut self) {
        // After SIGKILL it ends at once; the runtime reaps what is left.
        let _ = tokio::time::timeout(END, self.child.wait()).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            self.kill();
        }
    }
}

/// Writes all parts, or as many as the process reads.
async fn feed(stdin: Option<ChildStdin>, parts: Vec<Bytes>) -> io::Result<()> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    for part in parts {
        match stdin.write_all(&part).await {
            Ok(()) => {}
            // It has all the pictures that it was asked for, or is gone.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    stdin.shutdown().await.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}
