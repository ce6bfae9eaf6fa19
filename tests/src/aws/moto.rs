//! A moto server for one test: `tests/aws/moto_server.py`, on a free port, stopped when the value is dropped.

use crate::binaries::{Output, Running};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long Python may take to load moto on a busy machine.
const START: Duration = Duration::from_mins(1);

/// Returns the interpreter of the environment with moto that `tests/terraform/run setup` creates.
pub fn python() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let python = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home)?.join("framepost/venv/bin/python");
    let has_moto = Command::new(&python).args(["-c", "import moto.server, flask"]).output();
    has_moto.is_ok_and(|tried| tried.status.success()).then_some(python)
}

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

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, the endpoint of every service.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the zip of a function, as it was uploaded.
    pub fn code(&self, function: &str) -> Vec<u8> {
        let mut answer = ureq::get(format!("{}/framepost/code/{function}", self.url()))
            .call()
            .unwrap_or_else(|error| panic!("the code of {function}: {error}"));
        let code = answer.body_mut().with_config().limit(u64::MAX).read_to_vec();
        code.unwrap_or_else(|error| panic!("the code of {function}: {error}"))
    }

    /// Advances the time of all queues: messages in flight for less than `time` become visible.
    pub fn advance(&self, time: Duration) {
        let url = format!("{}/framepost/advance?seconds={}", self.url(), time.as_secs());
        ureq::post(url).send_empty().unwrap_or_else(|error| panic!("moto's clock: {error}"));
    }

    /// Removes an object as a rule of the bucket's lifecycle does: all versions, and nobody asks.
    pub fn expire(&self, bucket: &str, key: &str) {
        let url = format!("{}/framepost/expire?bucket={bucket}&key={}", self.url(), crate::http::escaped(key));
        ureq::post(&url).send_empty().unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// Returns every request that a policy refused: principal, action, resource, and the kind of the policy.
    pub fn refusals(&self) -> Vec<Value> {
        refusals_in(&self.running.lines(Output::Stderr)).collect()
    }

    /// Waits for the refusal after the first `known` ones. moto reports refusals separately from responses.
    /// Panics if there is none.
    pub fn refusal_after(&self, known: usize) -> Value {
        self.running.wait_for(Output::Stderr, Duration::from_secs(10), |lines| refusals_in(lines).nth(known))
    }

    /// Returns its standard error, for the message of a failed test.
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

    /// Runs the unit tests beside `policy.py`, which nothing else runs.
    #[test]
    fn policies_are_decided_as_aws_does() {
        let test = Path::new(env!("CARGO_MANIFEST_DIR")).join("aws/policy_test.py");
        let done = Command::new("python3").arg("-B").arg(test).output().expect("python3 can be started");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}
