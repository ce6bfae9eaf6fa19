//! The limits that a service manager sets, and what a process takes within them.

use framepost_tests::measure::peak_bytes;
use std::path::PathBuf;
use std::process::Command;

/// In bytes, as `MemoryMax=256M` in `infra/deploy/edge-uploader.service`.
const MEMORY_MAX: &str = "268435456";

/// A control group for one process after the other; none where that is not allowed.
pub(crate) struct Cage {
    group: Option<PathBuf>,
}

impl Cage {
    /// Makes the group, or says that there is none.
    pub(crate) fn new() -> Self {
        let name = format!("framepost-hostile-{}", std::process::id());
        // The first and the second version of control groups.
        let places = [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        let made = places.into_iter().find_map(|(root, limit)| {
            let group = PathBuf::from(root).join(&name);
            std::fs::create_dir(&group).ok()?;
            if std::fs::write(group.join(limit), MEMORY_MAX).is_ok() {
                return Some(group);
            }
            let _ = std::fs::remove_dir(&group);
            None
        });
        if made.is_none() {
            eprintln!("hostile: no control group can be made, so memory is measured and not limited");
        }
        Self { group: made }
    }

    /// The same command, in the group.
    pub(crate) fn confine(&self, command: &Command) -> Command {
        let mut confined = match &self.group {
            Some(group) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(group.join("cgroup.procs"));
                shell.arg(command.get_program());
                shell
            }
            None => Command::new(command.get_program()),
        };
        confined.args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => confined.env(name, value),
                None => confined.env_remove(name),
            };
        }
        confined
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            let _ = std::fs::remove_dir(group);
        }
    }
}

/// What a process took so far.
pub(crate) struct Cost {
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_mib: f64,
}

/// None for a process that is gone.
pub(crate) fn cost(process: u32) -> Option<Cost> {
    // proc(5): the fields after the name in parentheses; the 14th and 15th of all are the ticks in user and system mode.
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: f64 = fields.get(11..13)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    let peak_mib = peak_bytes(process)? as f64 / f64::from(1 << 20);
    Some(Cost { cpu_seconds: ticks / TICKS_A_SECOND, peak_mib })
}
