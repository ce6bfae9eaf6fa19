//! A network that leads nowhere: what a program tries to reach is counted by the kernel, and reached by nobody.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// A network namespace with nothing but loopback. Dropping it ends the process that holds it.
#[derive(Debug)]
pub struct Nowhere {
    holder: Child,
}

impl Nowhere {
    /// Makes one, as any user. `None`, and a line that says so, where the system refuses.
    pub fn new() -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"]);
        let holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut holder) = holder else {
            crate::skip("there is no unshare here, which makes a network of a test's own");
            return None;
        };
        let mut line = String::new();
        let output = holder.stdout.as_mut().expect("a pipe");
        let _ = BufReader::new(output).read_line(&mut line);
        let nowhere = Self { holder };
        if line != "ready\n" {
            crate::skip("no network of a test's own can be made: unshare or `ip link` (iproute2) failed");
            return None;
        }
        assert_eq!(nowhere.attempts(), 0, "nobody has tried anything yet");
        Some(nowhere)
    }

    /// Returns a command that runs this one here.
    pub fn command(&self, command: &Command) -> Command {
        let mut here = Command::new("nsenter");
        here.args(["--user", "--net", "--preserve-credentials", "--target", &self.holder.id().to_string(), "--"]);
        here.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => here.env(name, value),
                None => here.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            here.current_dir(directory);
        }
        here
    }

    /// Returns how often anybody here tried to send something, to whatever address: packets, and attempts for which there is no
    /// route.
    pub fn attempts(&self) -> u64 {
        let read = |file: &str| {
            let path = format!("/proc/{}/net/{file}", self.holder.id());
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        let number = |text: &str| text.parse::<u64>().expect("a number");
        // A line of names and a line of numbers.
        let v4 = read("snmp");
        let lines: Vec<Vec<&str>> =
            v4.lines().filter(|line| line.starts_with("Ip:")).map(|line| line.split(' ').collect()).collect();
        let [names, numbers] = &lines[..] else { panic!("other counters: {v4}") };
        let v4 = names.iter().zip(numbers).filter(|(name, _)| ["OutRequests", "OutNoRoutes"].contains(name));
        let v4: Vec<u64> = v4.map(|(_, value)| number(value)).collect();
        assert_eq!(v4.len(), 2, "other counters: {names:?}");
        // A line for each.
        let v6 = read("snmp6");
        let v6 = v6.lines().filter_map(|line| line.split_once(char::is_whitespace));
        let v6 = v6.filter(|(name, _)| ["Ip6OutRequests", "Ip6OutNoRoutes"].contains(name));
        v4.into_iter().chain(v6.map(|(_, value)| number(value.trim()))).sum()
    }
}

impl Drop for Nowhere {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
