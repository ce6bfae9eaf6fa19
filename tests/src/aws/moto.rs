//! A moto server of one test's own: `tests/aws/moto_server.py`, on a port that it chooses, gone with this value.

use crate::binaries::{Output, Running};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long Python may take to load moto on a busy machine.
const START: Duration = Duration::from_mins(1);

/// The interpreter that has moto: of `FRAMEPOST_PYTHON_ENV`, or of the environment that `tests/run setup` makes.
pub fn python() -> Option<PathBuf> {
    let environment = std::env::var_os("FRAMEPOST_PYTHON_ENV").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("HOME")?;
        Some(Path::new(&home).join(".cache/framepost/venv"))
    })?;
    let python = environment.join("bin/python");
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
        let lines = self.running.lines(Output::Stderr);
        let said = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        said.filter_map(|line| line.get("refused").cloned()).collect()
    }

    /// What it said on standard error, for a failed test's message.
    pub fn log(&self) -> String {
        self.running.log()
    }
}
