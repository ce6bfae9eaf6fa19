//! Programs that pretend to be ffmpeg, and what is left of them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long it may take until the last of a program's processes has ended, on a busy machine.
const GONE: Duration = Duration::from_secs(100);

static MADE: AtomicU32 = AtomicU32::new(0);

/// A script in the place of ffmpeg.
pub(crate) struct Pretender {
    pub(crate) program: PathBuf,
}

impl Pretender {
    /// Lays a script into a directory. It has its own process id as `$$`, and its path as `$0`.
    ///
    /// Another process writes it: a child that another test is starting has copies of all files that are open here, and
    /// a program that somebody has open for writing is not run (`ETXTBSY`).
    pub(crate) fn new(dir: &Path, script: &str) -> Self {
        // A name of its own, which the kernel keeps of a process even after its end.
        let program = dir.join(format!("ffmpeg-{}", MADE.fetch_add(1, Ordering::SeqCst)));
        let mut install = Command::new("install");
        let mut install =
            install.args(["-m", "755", "/dev/stdin"]).arg(&program).stdin(Stdio::piped()).spawn().unwrap();
        // It may write no file, but make directories: one says which process it was, whatever program that becomes.
        write!(install.stdin.take().unwrap(), "#!/bin/sh\nmkdir \"$0.pid.$$\"\n{script}\n").unwrap();
        assert!(install.wait().unwrap().success());
        Self { program }
    }

    /// What it has written into the file beside it whose name ends with `.written`.
    pub(crate) fn written(&self) -> u64 {
        let mut path = self.program.clone().into_os_string();
        path.push(".written");
        std::fs::metadata(path).map_or(0, |written| written.len())
    }

    /// Waits until no process of it is left: none that runs, and none that has ended and that nobody has reaped.
    pub(crate) async fn is_gone(&self, name: &str) {
        let deadline = Instant::now() + GONE;
        loop {
            let left = self.left();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{name}: {left:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The ids of the processes that it was.
    pub(crate) fn started(&self) -> Vec<u32> {
        let name = self.program.file_name().unwrap().to_string_lossy();
        let entries = std::fs::read_dir(self.program.parent().unwrap()).unwrap().flatten();
        let id = |entry: std::fs::DirEntry| {
            entry.file_name().to_string_lossy().strip_prefix(&*format!("{name}.pid."))?.parse().ok()
        };
        entries.filter_map(id).collect()
    }

    /// A line for each process that is left of it.
    fn left(&self) -> Vec<String> {
        let path = self.program.to_string_lossy();
        let name = self.program.file_name().unwrap().to_string_lossy();
        let started = self.started();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = processes.filter_map(|process| process.file_name().to_string_lossy().parse::<u32>().ok());
        let left = ids.filter_map(|id| {
            let read = |file: &str| std::fs::read(format!("/proc/{id}/{file}")).ok();
            let line = String::from_utf8_lossy(&read("cmdline")?).into_owned();
            // "proc_pid_stat(5)": the name in brackets, the state, the parent. A zombie has no command line.
            let stat = String::from_utf8_lossy(&read("stat")?).into_owned();
            let (before, behind) = stat.rsplit_once(") ")?;
            let (_, named) = before.split_once('(')?;
            let mut fields = behind.split(' ');
            let state = fields.next()?.to_owned();
            let parent: u32 = fields.next()?.parse().ok()?;
            let is_ours = parent == std::process::id() && (named == name || started.contains(&id));
            (line.contains(&*path) || is_ours).then(|| format!("{id} ({named}) {state} of {parent}: {line}"))
        });
        left.collect()
    }
}
