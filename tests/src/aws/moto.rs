//! A moto server of one test's own: `tests/aws/moto_server.py`, on a port that it chooses, gone with this value.

use crate::binaries::{Output, Running};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long Python may take to load moto on a busy machine.
const START: Duration = Duration::from_mins(1);

/// The interpreter that has moto, of the environment that `tests/terraform/run setup` makes.
pub fn python() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let python = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home)?.join("framepost/venv/bin/python");
    let has_moto = Command::new(&python).args(["-c", "import moto.server, flask"]).output();
    has_moto.is_ok_and(|tried| tried.status.success()).then_some(python)
}

/// A running server.
#[derive(Debug)]
pub struct Moto {
    running: Running,
    address: SocketAddr,
}

impl Moto {
    /// Starts a server and waits until it listens.
    pub fn start(python: &Path) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("aws/moto_server.py");
        let running = Running::start(Command::new(python).arg("-B").arg(script));
        let ready = running.wait_for(Output::Stdout, START, |lines| lines.first().cloned());
        let port = serde_json::from_str::<Value>(&ready).ok().and_then(|ready| ready["port"].as_u64());
        let port = port.and_then(|port| u16::try_from(port).ok()).unwrap_or_else(|| panic!("moto said {ready:?}"));
        Self { running, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, the endpoint of every service.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The zip of a function, as it was uploaded.
    pub fn code(&self, function: &str) -> Vec<u8> {
        let mut answer = ureq::get(format!("{}/framepost/code/{function}", self.url()))
            .call()
            .unwrap_or_else(|error| panic!("the code of {function}: {error}"));
        let code = answer.body_mut().with_config().limit(u64::MAX).read_to_vec();
        code.unwrap_or_else(|error| panic!("the code of {function}: {error}"))
    }

    /// Lets the time of all queues pass: what was in flight for less than that is visible again.
    pub fn advance(&self, time: Duration) {
        let url = format!("{}/framepost/advance?seconds={}", self.url(), time.as_secs());
        ureq::post(url).send_empty().unwrap_or_else(|error| panic!("moto's clock: {error}"));
    }

    /// Every request that a policy refused: principal, action, resource, and the policy's kind.
    pub fn refusals(&self) -> Vec<Value> {
        refusals_in(&self.running.lines(Output::Stderr)).collect()
    }

    /// The next refusal after the first `known`, which comes by another way than its answer. Panics if there is none.
    pub fn refusal_after(&self, known: usize) -> Value {
        self.running.wait_for(Output::Stderr, Duration::from_secs(10), |lines| refusals_in(lines).nth(known))
    }

    /// What it said on standard error, for a failed test's message.
    pub fn log(&self) -> String {
        self.running.log()
    }
}

fn refusals_in(lines: &[String]) -> impl Iterator<Item = Value> {
    let said = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    said.filter_map(|line| line.get("refused").cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tests of what a policy says lie beside `policy.py`; nothing else would run them.
    #[test]
    fn policies_are_decided_as_aws_does() {
        let test = Path::new(env!("CARGO_MANIFEST_DIR")).join("aws/policy_test.py");
        let done = Command::new("python3").arg("-B").arg(test).output().expect("python3 can be started");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}
