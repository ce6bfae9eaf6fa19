//! A network that leads nowhere: what a program tries to reach is counted by the kernel, and reached by nobody.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};

/// A network namespace with nothing but loopback. Dropping it ends the process that holds it.
#[derive(Debug)]
pub struct Nowhere {
    holder: Child,
}

impl Nowhere {
    /// Makes one, as any user. `None`, and a line that says so, where the system refuses.
    pub fn new() -> Option<Self> {
        Self::set_up("ip link set lo up")
    }

    /// Makes one with this address, and no other of its version, not even loopback's. Who runs here can listen at it, and reach
    /// whoever does.
    pub fn with_only(address: Ipv4Addr) -> Option<Self> {
        let script = format!("ip link set lo up && ip -4 address flush dev lo && ip address add {address}/32 dev lo");
        Self::set_up(&script)
    }

    fn set_up(script: &str) -> Option<Self> {
        let mut command = Command::new("unshare");
        let script = format!("{script} && echo ready && exec cat");
        command.args(["--user", "--map-root-user", "--net", "sh", "-c", &script]);
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
        let v4 = self.counters("Ip", ["OutRequests", "OutNoRoutes"]);
        v4.into_iter().chain(self.v6()).sum()
    }

    /// Returns how often anybody here tried to reach something else than a server at its only address, which has accepted so many
    /// connections: attempts for which there is no route, datagrams, and connections that nobody has accepted.
    pub fn attempts_beside(&self, accepted: u64) -> u64 {
        let [no_routes] = self.counters("Ip", ["OutNoRoutes"]);
        let [datagrams] = self.counters("Udp", ["OutDatagrams"]);
        let [opened] = self.counters("Tcp", ["ActiveOpens"]);
        no_routes + datagrams + opened.saturating_sub(accepted) + self.v6().into_iter().sum::<u64>()
    }

    fn read(&self, file: &str) -> String {
        let path = format!("/proc/{}/net/{file}", self.holder.id());
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Counters of a protocol: a line of names and a line of numbers.
    fn counters<const N: usize>(&self, protocol: &str, wanted: [&str; N]) -> [u64; N] {
        let text = self.read("snmp");
        let lines = text.lines().filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(": "));
        let lines: Vec<Vec<&str>> = lines.map(|line| line.split(' ').collect()).collect();
        let [names, numbers] = &lines[..] else { panic!("other counters: {text}") };
        let found: BTreeMap<_, _> = names.iter().zip(numbers).collect();
        wanted.map(|name| {
            let found = found.get(&name).unwrap_or_else(|| panic!("no {name} among {names:?}"));
            found.parse().expect("a number")
        })
    }

    /// Packets of version 6, and attempts for which there is no route: a line for each.
    fn v6(&self) -> Vec<u64> {
        let text = self.read("snmp6");
        let lines = text.lines().filter_map(|line| line.split_once(char::is_whitespace));
        let lines = lines.filter(|(name, _)| ["Ip6OutRequests", "Ip6OutNoRoutes"].contains(name));
        lines.map(|(_, value)| value.trim().parse().expect("a number")).collect()
    }
}

impl Drop for Nowhere {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
